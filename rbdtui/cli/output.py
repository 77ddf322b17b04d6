"""What goes where: the answer to stdout, everything else to stderr, and the exit statuses."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from enum import IntEnum

import click

from rbdtui.findings import Finding, Severity, count_by_severity
from rbdtui.words import T, Text


class Exit(IntEnum):
    """The exit statuses that scripts may rely on."""

    GOOD = 0
    FINDINGS = 1
    USAGE = 2
    FAILED = 3
    WAITING = 4
    INTERRUPTED = 130


class CommandError(Exception):
    """A command cannot go on: a sentence for stderr and an exit status."""

    def __init__(self, text: Text, exit_status: Exit = Exit.USAGE, remedy: Text | None = None) -> None:
        super().__init__(text.key)
        self.text = text
        self.remedy = remedy
        self.exit_status = exit_status


def answer(text: Text | str = "") -> None:
    """One line of the answer, to stdout."""
    click.echo(str(text))


def answer_json(data: object) -> None:
    """The answer as JSON, to stdout."""
    click.echo(json.dumps(data, ensure_ascii=False, indent=None if sys.stdout.isatty() is False else 2))


def tell(text: Text | str) -> None:
    """One line beside the answer, to stderr."""
    click.echo(str(text), err=True)


def tell_progress(text: Text | str) -> None:
    """As `tell`, but only where somebody watches."""
    if sys.stderr.isatty():
        tell(text)


_MARKS = {Severity.ERROR: ("✗", "x", "red"), Severity.WARNING: ("!", "!", "yellow"), Severity.INFO: ("·", "-", "cyan")}


def finding_lines(finding: Finding, *, ascii_only: bool) -> list[str]:
    """A finding for reading: mark, code and place; the sentence; what was seen; what to do."""
    fancy, plain, colour = _MARKS[finding.severity]
    word = str(T(f"cli.severity.{finding.severity.value}"))  # words: cli.severity.*
    head = click.style(f"{plain if ascii_only else fancy} {word}", fg=colour, bold=True)
    lines = [f"{head} {finding.code} {finding.place}".rstrip(), f"    {finding.message}"]
    lines += [f"    | {line}" for line in finding.evidence.splitlines()[:6]]
    return [*lines, f"    {'->' if ascii_only else '→'} {finding.remedy}"]


def answer_findings(findings: Iterable[Finding], *, ascii_only: bool, verbose: bool, as_json: bool = False) -> None:
    """Findings for reading, errors first, notes only when asked for; or all of them in their published form."""
    if as_json:
        answer_json(findings_json(findings))
        return
    order = list(Severity)
    shown = sorted(findings, key=lambda f: (order.index(f.severity), f.place.node, f.place.line, f.code))
    counts = count_by_severity(shown)
    for finding in shown:
        if finding.severity is Severity.INFO and not verbose:
            continue
        for line in finding_lines(finding, ascii_only=ascii_only):
            answer(line)
    answer(T("cli.check.counts", errors=counts["error"], warnings=counts["warning"], infos=counts["info"]))


def findings_json(findings: Iterable[Finding]) -> dict[str, object]:
    """The published form of ``check --json``."""
    listed = list(findings)
    return {"findings": [finding.to_json() for finding in listed], "counts": count_by_severity(listed)}
