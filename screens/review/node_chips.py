"""How each server has come out of a check, side by side in as few lines as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from rich.cells import cell_len

from rbdtui.findings import Finding, Severity
from rbdtui.workbench.review.preflight_view import Preflight
from rbdtui.workbench.survey import SurveyStatus
from screens.widgets.canvas import Canvas, Span, Spans, cut_name
from screens.widgets.frame import signs

_LEAST_CELLS = 8


class Verdict(IntEnum):
    """How a server has come out, the most urgent first."""

    BAD = 0
    WARNED = 1
    ASKED = 2
    """Its answer is awaited."""
    GOOD = 3
    UNKNOWN = 4
    """Nobody has asked it."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One server."""

    name: str
    verdict: Verdict


def chips_of(names: Iterable[str], seen: Preflight) -> tuple[Chip, ...]:
    """Every server with its verdict, as far as the check has come."""
    worst = _worst(seen.findings)
    return tuple(Chip(name, _verdict(name, seen, worst)) for name in names)


def _worst(findings: Iterable[Finding]) -> dict[str, Severity]:
    worst: dict[str, Severity] = {}
    for finding in findings:
        name = finding.place.node
        if name not in worst or finding.severity.rank < worst[name].rank:
            worst[name] = finding.severity
    return worst


def _verdict(name: str, seen: Preflight, worst: Mapping[str, Severity]) -> Verdict:
    match worst.get(name):
        case Severity.ERROR:
            return Verdict.BAD
        case Severity.WARNING:
            return Verdict.WARNED
    if name in seen.facts:
        return Verdict.GOOD
    return Verdict.ASKED if seen.state is SurveyStatus.LOOKING else Verdict.UNKNOWN


class NodeChips(Canvas):
    """Signs and names; where there are too many the most urgent, and how many more."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._shown: tuple[tuple[Chip, ...], int, int, bool] = ((), 0, 0, False)

    def show(self, chips: tuple[Chip, ...], most_lines: int) -> None:
        """Show these in at most so many lines."""
        ascii_only = signs(self).dash == "-"
        width = self.content_size.width
        if width and (chips, most_lines, width, ascii_only) != self._shown:
            self._shown = (chips, most_lines, width, ascii_only)
            self.draw(self._lines(chips, most_lines, width))

    def on_resize(self) -> None:
        """Use the room."""
        self.show(self._shown[0], self._shown[1])

    def _lines(self, chips: tuple[Chip, ...], most_lines: int, width: int) -> Iterable[Spans]:
        cells = min(max(_LEAST_CELLS, *(cell_len(chip.name) + 5 for chip in chips)) if chips else width, width)
        columns = max(1, width // cells)
        if len(chips) > columns * most_lines:
            left = columns * most_lines - 1
            ordered = sorted(chips, key=lambda chip: chip.verdict)
            rest = Span(1 + (left % columns) * cells, f"+{len(chips) - left}", "muted", cells - 1)
            chips = tuple(ordered[:left])
        else:
            rest = None
        spans = [self._chip(chip, 1 + (index % columns) * cells, cells - 1) for index, chip in enumerate(chips)]
        flat = [*spans, *([(rest,)] if rest is not None else [])]
        for start in range(0, len(flat), columns):
            yield tuple(span for chip in flat[start : start + columns] for span in chip)

    def _chip(self, chip: Chip, x: int, cells: int) -> Spans:
        glyphs = signs(self)
        sign, look = {
            Verdict.BAD: (glyphs.bad, "bold error"),
            Verdict.WARNED: (glyphs.warn, "bold warning"),
            Verdict.ASKED: (glyphs.busy, "accent"),
            Verdict.GOOD: (glyphs.ok, "success"),
            Verdict.UNKNOWN: (glyphs.off, "muted"),
        }[chip.verdict]
        mark = glyphs.cut
        name_look = "" if chip.verdict in (Verdict.BAD, Verdict.WARNED, Verdict.GOOD) else "muted"
        room = cell_len(glyphs.ok) + 1
        name = cut_name(chip.name, cells - room - 1, mark)
        return (Span(x, sign, look, room), Span(x + room, name, name_look, cells - room))
