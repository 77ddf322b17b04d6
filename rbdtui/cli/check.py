"""Commands that look and change nothing: check, plan, bundle verify."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Iterable
from pathlib import Path

import click

from rbdtui.bundle.verify import verify_bundle
from rbdtui.checks.preflight import Part, PreflightResult
from rbdtui.cli.junit import junit_xml, looked_at, write_junit
from rbdtui.cli.options import (
    DRAWS,
    FINDINGS,
    PASSPHRASE,
    Command,
    Common,
    Group,
    choice_list,
    json_option,
    site_argument,
)
from rbdtui.cli.output import (
    CommandError,
    Exit,
    answer,
    answer_findings,
    answer_json,
    tell,
    tell_progress,
)
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.plan_page import plan_json, plan_lines
from rbdtui.facts.model import NodeFacts
from rbdtui.facts.store import load_all_facts, save_facts
from rbdtui.findings import Finding, count_by_severity, has_errors
from rbdtui.paths import as_typed
from rbdtui.plan.preview import PreviewedStep, SilentReporter, preview
from rbdtui.plan.repairs import repairs_for
from rbdtui.plan.step import Plan
from rbdtui.session import Session
from rbdtui.spec.references import check_bundle
from rbdtui.words import T, Text
from rbdtui.workbench.review.plan_rows import plan_rows

KINDS = ("rules", "services", "preflight")
_PARTS = {"services": Part.SERVICES | Part.FLEET, "preflight": Part.HOSTS}
_NOT_WRITABLE = (errno.EROFS, errno.EACCES, errno.EPERM)


@click.command(
    cls=Command,
    help=str(T("cli.help.check")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "check site-a",
        "check site-a --only rules",
        "check site-a --json",
        "check site-a --junit check.xml",
    ),
)
@site_argument()
@click.option("--only", metavar=",".join(KINDS), help=str(T("cli.option.only")))
@json_option()
@click.option("--junit", type=click.Path(path_type=Path), metavar="FILE", help=str(T("cli.option.junit")))
def check(site: Path, only: str | None, as_json: bool, junit: Path | None, common: Common) -> int:
    """Judge the plan and the hosts; every finding at once."""
    kinds = choice_list(only, KINDS, "--only")
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    findings = session.rule_findings()
    result = PreflightResult([], {})
    parts = _parts(kinds)
    audit_only = session.loaded.spec is not None and session.spec.profile.audit_only
    if audit_only:
        parts = Part(0)
    if session.loaded.spec is None:
        tell_progress(T("cli.check.only_rules"))
    elif parts:
        missing = session.missing_secret_findings()
        findings += missing
        if has_errors(missing):
            tell(T("cli.check.secrets_first"))
        else:
            result = asyncio.run(_preflight(session, parts, quiet=as_json))
            findings += [finding for finding in result.findings if finding not in findings]
    answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
    if not as_json and session.loaded.spec is not None and repairs_for(findings, session.spec, result.facts):
        tell(T("repair.offered", site=as_typed(site)))
    _keep(session.site.facts_dir, result.facts.values())
    if junit is not None:
        _write_junit(session, junit, findings, result, asks_servers=bool(parts))
    if (half_done := session.half_done) is not None:
        tell(half_done)
        return Exit.FINDINGS
    if has_errors(findings):
        return Exit.FINDINGS
    if not as_json:
        tell(_what_next(audit_only=audit_only, asked=bool(result.facts), site=site))
    return Exit.GOOD


def _what_next(*, audit_only: bool, asked: bool, site: Path) -> Text:
    if audit_only:
        return T("audit.next", site=as_typed(site))
    return T("cli.check.next") if asked else T("cli.check.next_servers")


def _keep(directory: Path, answered: Iterable[NodeFacts]) -> None:
    """Keep what the hosts answered; of a site that may not be written the findings are good all the same."""
    try:
        for facts in answered:
            save_facts(directory, facts)
    except OSError as error:
        if error.errno not in _NOT_WRITABLE:
            raise
        tell(T("cli.check.facts_not_kept", path=str(directory), reason=error.strerror or ""))


def _write_junit(
    session: Session, file: Path, findings: Iterable[Finding], result: PreflightResult, *, asks_servers: bool
) -> None:
    """Raises `OSError`."""
    from rbdtui.report.writing import known_secrets

    spec = session.loaded.spec if asks_servers else None
    servers = {node.name: node.name in result.facts for node in (spec.managed_nodes if spec is not None else ())}
    looked = looked_at(servers=servers, services=result.services)
    write_junit(file, junit_xml(findings, looked, redactor=known_secrets(session), now_s=time.time()))


def _parts(kinds: Iterable[str]) -> Part:
    parts = Part(0)
    for kind in kinds:
        parts |= _PARTS.get(kind, Part(0))
    return parts


async def _preflight(session: Session, parts: Part, *, quiet: bool) -> PreflightResult:
    total, answered = len(session.spec.managed_nodes), 0

    def progress(node: str) -> None:
        nonlocal answered
        answered += 1
        if not quiet:
            tell_progress(T("cli.check.answered", node=node, answered=answered, total=total))

    async with session.hosts() as hosts:
        return await session.preflight(hosts, on_facts=lambda facts: progress(facts.node), parts=parts)


@click.command(
    cls=Command,
    help=str(T("cli.help.plan")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "plan site-a",
        "plan site-a --diff",
    ),
)
@site_argument()
@json_option()
@click.option("--diff", "with_diff", is_flag=True, help=str(T("cli.option.diff")))
def plan(site: Path, as_json: bool, with_diff: bool, common: Common) -> int:
    """The exact steps, and what each would change; touches nothing."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    findings = session.rule_findings()
    if not has_errors(findings):
        findings += session.missing_secret_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    whole, steps, found = asyncio.run(_preview(session))
    if as_json:
        answer_json(plan_json(steps))
    else:
        for line in plan_lines(plan_rows(whole, steps), nodes=len(session.spec.nodes), with_diff=with_diff):
            answer(line)
        answer(T("cli.plan.nothing_done") if with_diff else T("cli.plan.nothing_done_diff"))
    if (half_done := session.half_done) is not None:
        tell(half_done)
        return Exit.FINDINGS
    if has_errors(found):
        tell(T("cli.plan.would_not_start", errors=count_by_severity(found)["error"]))
        return Exit.FINDINGS
    return Exit.GOOD


async def _preview(session: Session) -> tuple[Plan, list[PreviewedStep], list[Finding]]:
    async with session.hosts() as hosts:
        # A plan touches nothing, so that no listener is opened either.
        result = await session.preflight(hosts, parts=Part.HOSTS | Part.SERVICES)
        silent = [node.name for node in session.spec.managed_nodes if node.name not in result.facts]
        if silent:
            raise CommandError(T("cli.plan.silent_nodes", nodes=", ".join(silent)), Exit.FINDINGS)
        context = session.dry_context(hosts, result.facts, SilentReporter())
        whole = session.plan(result.facts)
        return whole, await preview(whole, context), result.findings


@click.group(name="bundle", cls=Group, help=str(T("cli.help.bundle")))
def bundle_group() -> None:
    """The directory of offline packages."""


@bundle_group.command(
    name="verify",
    help=str(T("cli.help.bundle_verify")),
    shows=DRAWS,
    examples=("bundle verify site-a",),
)
@site_argument()
@json_option()
def bundle_verify(site: Path, as_json: bool, common: Common) -> int:
    """Whether the bundle has all that this plan needs, whole and for the right architecture."""
    session = Session.open(site, PromptOrFile(common.passphrase_file), installs=True)
    findings = _bundle_findings(session)
    answer_findings(findings, ascii_only=common.ascii_only, verbose=True, as_json=as_json)
    return Exit.FINDINGS if has_errors(findings) else Exit.GOOD


def _bundle_findings(session: Session) -> list[Finding]:
    """What there is to say of the bundle, else of why nobody can tell."""
    if session.loaded.spec is None:
        return list(session.loaded.findings)
    if not_there := check_bundle(session.bundle_dir, session.loaded.place("bundle")):
        return not_there
    facts = load_all_facts(session.site.facts_dir, [node.name for node in session.spec.nodes])
    if not facts:
        tell(T("cli.bundle.no_facts"))
    return verify_bundle(session.bundle(), session.spec, facts.values())
