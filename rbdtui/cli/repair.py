"""``repair``: do away with what a check has found, where that is safe and takes no thought."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from rbdtui.checks.preflight import Part
from rbdtui.cli.options import DRAWS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, finding_lines, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding
from rbdtui.paths import as_typed
from rbdtui.plan.repairs import repairs_for
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.review.repairing import purpose_of, undo_purpose


@click.command(
    cls=Command,
    help=str(T("repair.help")),
    shows=(*DRAWS, SLOW_LINK, PASSPHRASE),
    examples=(
        "repair site-a",
        "repair site-a RBD-HW-105",
        "repair site-a --all --dry-run",
        "repair site-a --all --node node2",
        "repair site-a --undo",
        "repair site-a --undo --of 20260101-0900-1a2b",
    ),
)
@site_argument()
@click.argument("codes", metavar="[CODE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help=str(T("repair.option.all")))
@click.option("--node", "named", metavar="NODE", multiple=True, help=str(T("repair.option.node")))
@click.option("--undo", is_flag=True, help=str(T("repair.option.undo")))
@click.option("--of", "run_id", metavar="RUN", default="", help=str(T("repair.option.of")))
@click.option("--dry-run", is_flag=True, help=str(T("repair.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("repair.option.yes")))
@json_option()
def repair(
    site: Path,
    codes: tuple[str, ...],
    everything: bool,
    named: tuple[str, ...],
    undo: bool,
    run_id: str,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    common: Common,
) -> int:
    """List what can be repaired; with codes or ``--all``, repair it; with ``--undo`` take a repair back."""
    if undo and (codes or everything):
        raise CommandError(T("repair.undo_alone"))
    if run_id and not undo:
        raise CommandError(T("repair.of_needs_undo"))
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    known = [node.name for node in session.spec.managed_nodes]
    if unknown := [name for name in named if name not in known]:
        raise CommandError(T("reset.no_such_node", given=", ".join(unknown), known=", ".join(known)))
    refuse_when_busy(session)
    if session.site.vault_file.exists():
        session.unlock()
    if undo:
        back = undo_purpose(session, run_id, named)
        return carry_out(session, back, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
    seen = _look(session, named)
    if not codes and not everything:
        return _list(seen, site, as_json=as_json, common=common)
    there = {finding.code for findings in seen.offered.values() for finding in findings}
    if missing := [code for code in codes if code not in there]:
        shown = ", ".join(sorted(there)) or "-"
        _tell_silent(seen)
        raise CommandError(T("repair.not_offered", given=", ".join(missing), known=shown), Exit.FINDINGS)
    chosen = [step for step, for_ in seen.offered.items() if everything or any(each.code in codes for each in for_)]
    if not chosen:
        return _list(seen, site, as_json=as_json, common=common)
    _tell_silent(seen)
    status = carry_out(
        session, purpose_of(chosen), seen.facts, dry_run=dry_run, yes=yes, as_json=as_json, common=common
    )  # fmt: skip
    if dry_run or as_json or status != Exit.GOOD:
        return status
    return _tell_what_is_left(_look(session, named), chosen, common)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look at the servers has found."""

    offered: Mapping[str, tuple[Finding, ...]]
    """Repairs by the ids of their steps, with what each is for."""
    facts: Mapping[str, NodeFacts]
    silent: tuple[str, ...]
    """Servers that were asked and did not answer."""


def _look(session: Session, named: Sequence[str]) -> _Seen:
    """Look at all servers; what is offered is of the named ones, of all and of what is outside when none is named."""

    async def look() -> _Seen:
        async with session.hosts() as hosts:
            result = await session.preflight(hosts, parts=Part.HOSTS | Part.SERVICES)
        asked = named or [node.name for node in session.spec.managed_nodes]
        facts = {name: known for name, known in result.facts.items() if name in asked}
        offered = repairs_for(result.findings, session.spec, facts, of_site=not named)
        return _Seen(offered, facts, tuple(name for name in asked if name not in facts))

    tell_progress(T("cli.run.preflight", count=len(session.spec.managed_nodes)))
    return asyncio.run(look())


def _tell_silent(seen: _Seen) -> None:
    if seen.silent:
        tell(T("repair.silent", nodes=", ".join(seen.silent)))


def _list(seen: _Seen, site: Path, *, as_json: bool, common: Common) -> int:
    """What can be repaired; a server that was silent may have more, which is no good end."""
    status = Exit.FINDINGS if seen.silent else Exit.GOOD
    if as_json:
        repairs = [{"step": step, "codes": [each.code for each in found]} for step, found in seen.offered.items()]
        answer_json({"repairs": repairs, "silent": list(seen.silent)})
        return status
    once = {each.identity: each for found in seen.offered.values() for each in found}
    for finding in once.values():
        for line in finding_lines(finding, ascii_only=common.ascii_only):
            answer(line)
    answer(T("repair.how", site=as_typed(site)) if seen.offered else T("repair.none"))
    _tell_silent(seen)
    return status


def _tell_what_is_left(seen: _Seen, chosen: list[str], common: Common) -> int:
    """Name each finding that is still there although its repair was done."""
    left = [each for step in chosen for each in seen.offered.get(step, ())]
    for finding in left:
        tell(T("repair.still", code=finding.code))
        for line in finding_lines(finding, ascii_only=common.ascii_only):
            tell(line)
    _tell_silent(seen)
    return Exit.FINDINGS if left or seen.silent else Exit.GOOD
