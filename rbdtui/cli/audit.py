"""``audit``: a site that stands, compared row by row with the page of its makers; changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import click

from rbdtui.audit.audit import AFTER, Audit, audit_site
from rbdtui.audit.row import ByHand, Group, Row, RowState
from rbdtui.cli.options import FINDINGS, PASSPHRASE, Command, Common, json_option, site_argument
from rbdtui.cli.output import (
    CommandError,
    Exit,
    Styled,
    answer,
    answer_findings,
    answer_json,
    styled,
    tell_progress,
)
from rbdtui.cli.passphrases import PromptOrFile
from rbdtui.findings import has_errors
from rbdtui.session import Session
from rbdtui.words import T, Text

_MARKS: Final = {
    RowState.BROKEN: ("✗", "x", "red"),
    RowState.DIFFERS: ("✗", "x", "red"),
    RowState.UNKNOWN: ("?", "?", "yellow"),
    RowState.WEAK: ("!", "!", "yellow"),
    RowState.OK: ("✓", "+", "green"),
    RowState.NOTE: ("·", "-", "cyan"),
}


@click.command(
    cls=Command,
    help=str(T("audit.help")),
    shows=(*FINDINGS, PASSPHRASE),
    examples=(
        "audit site-a",
        "audit site-a --row C21 --row C22",
        "audit site-a --json",
    ),
)
@site_argument()
@click.option("--row", "wanted", multiple=True, metavar="ROW", help=str(T("audit.option.row")))
@json_option()
def audit(site: Path, wanted: tuple[str, ...], as_json: bool, common: Common) -> int:
    """Compare; the exit status says whether all is as the page has it."""
    session = Session.open(site, PromptOrFile(common.passphrase_file))
    if session.loaded.spec is not None and not session.spec.profile.audit_only:
        raise CommandError(T("audit.not_this_profile", profile=session.spec.profile.name))
    findings = session.rule_findings()
    if not has_errors(findings):
        findings += session.missing_secret_findings()
    if has_errors(findings):
        answer_findings(findings, ascii_only=common.ascii_only, verbose=common.verbose, as_json=as_json)
        return Exit.FINDINGS
    found = asyncio.run(_ask(session))
    if unknown := [each for each in wanted if each not in {row.id for row in found.rows}]:
        raise CommandError(T("audit.no_such_row", row=", ".join(unknown)))
    if as_json:
        answer_json(found.to_json())
    else:
        for line in audit_lines(found, wanted, ascii_only=common.ascii_only, verbose=common.verbose):
            answer(line)
    return Exit.GOOD if found.fits else Exit.FINDINGS


async def _ask(session: Session) -> Audit:
    async with session.hosts() as hosts:
        tell_progress(T("audit.asking", count=len(session.spec.nodes)))
        return await audit_site(session.spec, hosts)


def audit_lines(found: Audit, wanted: Iterable[str], *, ascii_only: bool, verbose: bool) -> Iterator[Styled | Text]:
    """For reading: the level, what is lost, then the rows; those that fit in full only when asked for."""
    chosen = set(wanted)
    if not chosen:
        yield from _head(found)
    group: Group | None = None
    for row in found.rows:
        if chosen and row.id not in chosen:
            continue
        if row.spec.group is not group:
            group = row.spec.group
            yield styled()
            yield styled(T(f"audit.group.{group.value}"), bold=True)  # words: audit.group.*
        in_full = row.id in chosen or verbose or not row.state.fits
        yield from row_lines(row, in_full=in_full, ascii_only=ascii_only)
    if not chosen:
        yield styled()
        yield styled(T("audit.counts", **found.counts))
        yield styled(T("audit.converts_nothing"))


def _head(found: Audit) -> Iterator[Styled]:
    version = ".".join(map(str, found.version)) if found.version else "?"
    yield styled(T("audit.of", site=found.site, version=version))
    certain = "certain" if found.now.certain else "uncertain"
    yield styled(T(f"audit.level.{certain}", now=found.now.number, after=AFTER), bold=True)  # words: audit.level.*
    yield styled(T(f"audit.means.level{found.now.number}"))  # words: audit.means.*
    yield styled()
    yield styled(T("audit.lost_head"), bold=True)
    for text in found.lost:
        yield styled(f"  - {text}")


def row_lines(row: Row, *, in_full: bool, ascii_only: bool) -> Iterator[Styled]:
    """One row; in full with what is there, what is wanted, why, and what to type."""
    fancy, plain, colour = _MARKS[row.state]
    word = T(f"audit.state.{row.state.value}")  # words: audit.state.*
    head = styled(f"{plain if ascii_only else fancy} {word}", colour=colour, bold=True)
    yield head + f" {row.id} {row.text('title')}"
    if not in_full:
        return
    for part in row.parts:
        fancy, plain, colour = _MARKS[part.state]
        place = f"{part.node}: " if part.node else ""
        yield styled("    ") + styled(plain if ascii_only else fancy, colour=colour) + f" {place}{part.text}"
    yield styled(f"    {T('audit.target', text=row.text('target'))}")
    yield styled(f"    {T('audit.why', text=row.text('why'))}")
    yield from _by_hand(row.by_hand)


def _by_hand(steps: Iterable[ByHand]) -> Iterator[Styled]:
    for step in steps:
        yield styled(f"    {T('audit.by_hand', node=step.node)}")
        for line in step.text.split("\n"):
            yield styled(f"      | {line}")
