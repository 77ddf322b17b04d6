"""What goes where: the answer to stdout, everything else to stderr, and the exit statuses.

Nothing is written but through here: words are cleaned first and coloured afterwards, so that what a server, a file or
the network says cannot act on the terminal.
"""

from __future__ import annotations

import logging
import shutil
import sys
import threading
import traceback
from collections.abc import Iterable
from contextvars import ContextVar
from enum import IntEnum
from types import TracebackType
from typing import TYPE_CHECKING

import click

from rbdtui.findings import Finding, Severity, count_by_severity
from rbdtui.terminal_text import clean_lines, drop_unprintable, sanitize, sanitize_line, shows_signs, to_json_text
from rbdtui.words import T, Text

if TYPE_CHECKING:
    from rich.console import Console

EVIDENCE_LINES = 6
"""Of a finding; the rest stands in its published form."""


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


class Styled(str):
    """A line that may be written as it is: its words were cleaned, and its colours are our own.

    Only `styled` makes one, and adding to one cleans what is added; every other operation gives an ordinary string,
    which loses its colours when it is written.
    """

    __slots__ = ()

    def __add__(self, other: str) -> Styled:
        return Styled(str.__add__(self, other if isinstance(other, Styled) else sanitize_line(other)))


def styled(text: Text | str = "", *, colour: str | None = None, bold: bool | None = None) -> Styled:
    """Words cleaned, then coloured."""
    words = sanitize_line(str(text))
    return Styled(click.style(words, fg=colour, bold=bold) if colour or bold else words)


def pad(text: Styled, cells: int) -> Styled:
    """The text filled up with blanks to so many cells of a terminal."""
    from rich.cells import cell_len

    return text + " " * max(0, cells - cell_len(click.unstyle(text)))


def answer(text: Text | str = "") -> None:
    """One line of the answer, or several, to stdout."""
    click.echo(_fit_for_terminal(text))


_answered_json: ContextVar[bool] = ContextVar("answered_json", default=False)


_simulated: ContextVar[bool] = ContextVar("simulated", default=False)


def begin_answering() -> None:
    """Nothing has been answered yet; several commands may run in one process."""
    _answered_json.set(False)
    _simulated.set(False)


def say_simulated() -> None:
    """Say that what follows is about a demo's servers; answers as JSON have it in them."""
    _simulated.set(True)
    tell(T("cli.simulated"))


def has_answered_json() -> bool:
    """Whether a whole answer as JSON has been written, lines of a stream not counted."""
    return _answered_json.get()


def answer_json(data: object, *, one_line: bool = False) -> None:
    """The answer as JSON, to stdout: UTF-8 whatever the locale, since elsewhere all but ASCII is escaped."""
    _answered_json.set(_answered_json.get() or not one_line)
    if _simulated.get() and not one_line and isinstance(data, dict):
        data = {**data, "simulated": True}
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    indent = 2 if sys.stdout.isatty() and not one_line else None
    click.echo(to_json_text(data, indent=indent, ascii_only=not utf8))


def tell(text: Text | str) -> None:
    """One line beside the answer, or several, to stderr."""
    click.echo(_fit_for_terminal(text), err=True)


def _fit_for_terminal(text: Text | str) -> str:
    return str(text) if isinstance(text, Styled) else sanitize(str(text))


def plain_signs_needed() -> bool:
    """Whether the encoding of the terminal or the pipe lacks our signs, as GBK does."""
    return not (shows_signs(sys.stdout.encoding) and shows_signs(sys.stderr.encoding))


def tell_progress(text: Text | str) -> None:
    """As `tell`, but only where somebody watches."""
    if sys.stderr.isatty():
        tell(text)


_MARKS = {Severity.ERROR: ("✗", "x", "red"), Severity.WARNING: ("!", "!", "yellow"), Severity.INFO: ("·", "-", "cyan")}


def finding_lines(finding: Finding, *, ascii_only: bool) -> list[Styled]:
    """A finding for reading: mark, code and place; the sentence; what was seen; what to do."""
    fancy, plain, colour = _MARKS[finding.severity]
    word = str(T(f"cli.severity.{finding.severity.value}"))  # words: cli.severity.*
    head = styled(f"{plain if ascii_only else fancy} {word}", colour=colour, bold=True)
    lines = [head + f" {finding.code} {finding.place}".rstrip(), styled(f"    {finding.message}")]
    lines += evidence_lines(finding.evidence, most=EVIDENCE_LINES)
    if finding.acknowledged:
        return [*lines, styled(f"    {T('cli.check.acknowledged', reason=finding.acknowledged)}")]
    return [*lines, styled(f"    {'->' if ascii_only else '→'} {finding.remedy}")]


def evidence_lines(evidence: str, *, most: int, indent: int = 4) -> list[Styled]:
    """The first lines of what was seen, each behind a bar, so that none passes for a word of ours."""
    return [styled(f"{' ' * indent}| {line}") for line in clean_lines(evidence.rstrip("\n"), most) if evidence]


def answer_findings(findings: Iterable[Finding], *, ascii_only: bool, verbose: bool, as_json: bool = False) -> None:
    """Findings for reading, errors first, notes only when asked for; or all of them in their published form."""
    if as_json:
        answer_json(findings_json(findings))
        return
    shown = sorted(findings, key=lambda f: (f.severity.rank, f.place.node, f.place.line, f.code))
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


def hanging(head: str, text: str, *, indent: int = 4) -> list[Styled]:
    """A head and words behind it; in a terminal they go on below, indented, so that none begins a row of its own."""
    if not sys.stdout.isatty():
        return [styled(f"{head}  {text}")]
    from rich.cells import chop_cells

    room = max(20, shutil.get_terminal_size().columns - indent)
    return [styled(head), *(styled(f"{' ' * indent}{row}") for row in chop_cells(sanitize_line(text), room))]


def clean_console(*, color: bool) -> Console:
    """A console of rich on stderr whose text is cleaned as it is written; moves of the cursor are rich's own alone."""
    from rich.cells import cell_len
    from rich.console import Console
    from rich.segment import Segment

    def clean(segment: Segment) -> Segment:
        if segment.control:
            return segment
        lines = (drop_unprintable(line, cell_len) for line in segment.text.split("\n"))
        return segment._replace(text="\n".join(lines))

    class CleanConsole(Console):
        def _render_buffer(self, buffer: Iterable[Segment]) -> str:
            return super()._render_buffer(map(clean, buffer))

    return CleanConsole(stderr=True, no_color=not color, highlight=False, markup=False)


def clean_last_words() -> None:
    """Have also what Python itself says of errors that nobody caught, and of warnings that are logged, cleaned."""

    def say(kind: type[BaseException], error: BaseException | None, where: TracebackType | None) -> None:
        tell("".join(traceback.format_exception(kind, error, where)).rstrip())

    class CleanFormatter(logging.Formatter):
        def format(self, record: logging.LogRecord) -> str:
            return sanitize(super().format(record))

    sys.excepthook = say
    threading.excepthook = lambda caught: say(caught.exc_type, caught.exc_value, caught.exc_traceback)
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(CleanFormatter())
