"""``repair``: do away with what a check has found, where that is safe and takes no thought."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import click

from rbdtui.checks.preflight import Part, PreflightResult
from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, finding_lines, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out
from rbdtui.findings import Finding
from rbdtui.paths import as_typed
from rbdtui.plan.recipes.repair import RECIPE, STEPS
from rbdtui.plan.repairs import repairs_for
from rbdtui.session import Session
from rbdtui.words import T


@click.command(
    cls=Command,
    help=str(T("repair.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "repair site-a",
        "repair site-a RBD-HW-105",
        "repair site-a --all --dry-run",
        "repair site-a --all --node node2",
    ),
)
@site_argument()
@click.argument("codes", metavar="[CODE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help=str(T("repair.option.all")))
@click.option("--node", "named", metavar="NODE", multiple=True, help=str(T("repair.option.node")))
@click.option("--dry-run", is_flag=True, help=str(T("repair.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("repair.option.yes")))
@json_option()
def repair(
    site: Path,
    codes: tuple[str, ...],
    everything: bool,
    named: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    common: Common,
) -> int:
    """List what can be repaired; with codes or ``--all``, repair it."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.site.vault_file.exists():
        session.unlock()
    known = [node.name for node in session.spec.managed_nodes]
    if unknown := [name for name in named if name not in known]:
        raise CommandError(T("reset.no_such_node", given=", ".join(unknown), known=", ".join(known)))
    offered = _offered(session, named or known)
    if not codes and not everything:
        return _list(offered, site, as_json=as_json, common=common)
    there = {finding.code for findings in offered.values() for finding in findings}
    if missing := [code for code in codes if code not in there]:
        shown = ", ".join(sorted(there)) or "-"
        raise CommandError(T("repair.not_offered", given=", ".join(missing), known=shown), Exit.FINDINGS)
    chosen = [step for step, for_ in offered.items() if everything or any(each.code in codes for each in for_)]
    if not chosen:
        return _list({}, site, as_json=as_json, common=common)
    arguments = {STEPS: " ".join(chosen)}
    status = carry_out(
        session, RECIPE.name, arguments, dry_run=dry_run, yes=yes, as_json=as_json, common=common
    )  # fmt: skip
    if dry_run or as_json or status != Exit.GOOD:
        return status
    return _tell_what_is_left(_offered(session, named or known), chosen, common)


def _look(session: Session) -> PreflightResult:
    async def look() -> PreflightResult:
        async with session.hosts() as hosts:
            return await session.preflight(hosts, parts=Part.HOSTS | Part.SERVICES)

    tell_progress(T("cli.run.preflight", count=len(session.spec.managed_nodes)))
    return asyncio.run(look())


def _offered(session: Session, nodes: tuple[str, ...] | list[str]) -> Mapping[str, tuple[Finding, ...]]:
    """The repairs of these nodes by the ids of their steps, with what each is for."""
    result = _look(session)
    facts = {name: known for name, known in result.facts.items() if name in nodes}
    return repairs_for(result.findings, session.spec, facts)


def _list(offered: Mapping[str, tuple[Finding, ...]], site: Path, *, as_json: bool, common: Common) -> int:
    findings = list(dict.fromkeys(each.identity for found in offered.values() for each in found))
    by_identity = {each.identity: each for found in offered.values() for each in found}
    if as_json:
        answer_json(
            {"repairs": [{"step": step, "codes": [each.code for each in found]} for step, found in offered.items()]}
        )
        return Exit.GOOD
    for identity in findings:
        for line in finding_lines(by_identity[identity], ascii_only=common.ascii_only):
            answer(line)
    answer(T("repair.how", site=as_typed(site)) if offered else T("repair.none"))
    return Exit.GOOD


def _tell_what_is_left(offered: Mapping[str, tuple[Finding, ...]], chosen: list[str], common: Common) -> int:
    """Name each finding that is still there although its repair was done."""
    left = [each for step in chosen for each in offered.get(step, ())]
    for finding in left:
        tell(T("repair.still", code=finding.code))
        for line in finding_lines(finding, ascii_only=common.ascii_only):
            tell(line)
    return Exit.FINDINGS if left else Exit.GOOD
