"""``convert``: a Rainbond 3.6 that stands, carried to level 2 of its page, group by group with consent to each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from rbdtui.audit.audit import AFTER, Audit, audit_site
from rbdtui.audit.row import RowState
from rbdtui.cli.audit import row_lines
from rbdtui.cli.options import DRAWS, FINDINGS, PASSPHRASE, SLOW_LINK, Command, Common, json_option, site_argument
from rbdtui.cli.output import CommandError, Exit, answer, answer_findings, styled, tell, tell_progress
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.cli.recipes import carry_out, refuse_when_busy
from rbdtui.findings import has_errors
from rbdtui.plan.conversion.groups import GROUPS
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.review import converting


@click.command(
    cls=Command,
    help=str(T("convert.help")),
    shows=(*dict.fromkeys((*FINDINGS, *DRAWS)), SLOW_LINK, PASSPHRASE),
    examples=(
        "convert site-a --dry-run",
        "convert site-a",
        "convert site-a --group volume --group data",
    ),
)
@site_argument()
@click.option("--group", "named", multiple=True, type=click.Choice(list(GROUPS)), help=str(T("convert.option.group")))
@click.option("--dry-run", is_flag=True, help=str(T("convert.option.dry_run")))
@click.option("--yes", is_flag=True, help=str(T("convert.option.yes")))
@json_option()
def convert(site: Path, named: tuple[str, ...], dry_run: bool, yes: bool, as_json: bool, common: Common) -> int:
    """Convert, and say what level was reached."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.loaded.spec is not None and not session.spec.profile.audit_only:
        raise CommandError(T("convert.not_this_profile", profile=session.spec.profile.name))
    findings = session.rule_findings()
    if not has_errors(findings):
        findings += session.missing_secret_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    refuse_when_busy(session)
    before = _audited(session)
    _refuse_unready(before, common)
    chosen = [group for group in GROUPS if not named or group in named]
    if not dry_run:
        converting.make_secrets(session, chosen)
    if not as_json:
        _tell_beforehand(session, before)
    status = _carry_out(session, before, chosen, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
    if dry_run or as_json or status != Exit.GOOD:
        return status
    return _tell_level(_audited(session), common)


def _carry_out(
    session: Session, before: Audit, chosen: Sequence[str], *, dry_run: bool, yes: bool, as_json: bool, common: Common
) -> int:
    """All groups in one run where nobody has to be asked, else one run for each; stops with the first that fails."""
    rounds = [list(chosen)] if dry_run or yes or as_json else [[group] for group in chosen]
    for groups in rounds:
        purpose = converting.purpose_of(groups, before)
        for group in groups if not as_json else ():
            answer(styled(T(f"convert.group.{group}"), bold=True))  # words: convert.group.*
        try:
            status = carry_out(session, purpose, {}, dry_run=dry_run, yes=yes, as_json=as_json, common=common)
        except CommandError as error:
            if groups == rounds[0]:
                raise
            raise CommandError(T("convert.later_group", reason=error.text)) from error
        if status != Exit.GOOD:
            return status
    return Exit.GOOD


def _audited(session: Session) -> Audit:
    async def ask() -> Audit:
        async with session.hosts() as hosts:
            return await audit_site(session.spec, hosts)

    tell_progress(T("audit.asking", count=len(session.spec.nodes)))
    return asyncio.run(ask())


def _refuse_unready(found: Audit, common: Common) -> None:
    """Raise `CommandError` for servers that do not answer and for files that are broken: nothing was changed."""
    for row in (row for row in found.rows if row.state is RowState.BROKEN):
        for line in row_lines(row, in_full=True, ascii_only=common.ascii_only):
            tell(line)
    if (why := converting.unready(found)) is not None:
        raise CommandError(why, Exit.FINDINGS)


def _tell_beforehand(session: Session, found: Audit) -> None:
    """What the conversion does not promise, and what stays for the operator's hand."""
    if (risk := converting.risk_of_two_copies(session, found)) is not None:
        tell(risk)
    tell(converting.what_stays_single(found))
    tell(T("convert.by_hand"))


def _tell_level(found: Audit, common: Common) -> int:
    """The level that was reached, the rows that are not as on the page, and the proofs that only an operator has."""
    left = [row for row in found.rows if not row.state.fits]
    for row in left:
        for line in row_lines(row, in_full=True, ascii_only=common.ascii_only):
            tell(line)
    certain = "certain" if found.now.certain else "uncertain"
    answer(T(f"audit.level.{certain}", now=found.now.number, after=AFTER))  # words: audit.level.*
    tell(T("convert.prove", vip=found.rows[0].target.vip))
    return Exit.GOOD if found.now.number >= AFTER and found.now.certain else Exit.FINDINGS
