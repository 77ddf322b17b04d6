"""Findings to be gone through: grouped by place, the worst first; Enter leads to where one can be put right."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from rbdtui.findings import Finding, Severity
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.review.finding_groups import FindingGroup, FindingPlace, places_of
from rbdtui.workbench.review.plan_words import names_words
from rbdtui.workbench.sections import REVIEW
from screens.terminal.theme import Glyphs
from screens.widgets.canvas import Span, Spans, cut
from screens.widgets.event_list import LINE_KEYS, EventList
from screens.widgets.frame import signs

_LOOKS: Final = {Severity.ERROR: "bold error", Severity.WARNING: "bold warning", Severity.INFO: "muted"}
_CODE_CELLS: Final = 14
_WIDE: Final = 84


class FindingList(EventList, inherit_bindings=False):
    """One line for each finding below the name of its place; posts `Moved`, and `Chosen` for Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *LINE_KEYS,
        Binding("enter", "choose", "key.put_right", id="put_right"),
    ]

    class Moved(Message):
        """The cursor is on another finding."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._rows: tuple[FindingGroup | str, ...] = ()
        """A word is the name of a place, with its findings behind it."""
        self._place = 0

    @property
    def group(self) -> FindingGroup | None:
        """What is under the cursor."""
        row = self._rows[self.place] if self._rows else None
        return row if isinstance(row, FindingGroup) else None

    @property
    def finding(self) -> Finding | None:
        """The finding under the cursor, the first of those that are the same."""
        return self.group.first if self.group is not None else None

    def show_findings(self, findings: Iterable[Finding], faded: Collection[Finding] = ()) -> None:
        """Show these, and those that held earlier; the cursor stays on the finding that it is on."""
        here = _identity(self._rows[self.place]) if self._rows else ""
        self._rows = tuple(rows_of(places_of(findings, faded)))
        places = [index for index, row in enumerate(self._rows) if isinstance(row, FindingGroup)]
        same = (index for index in places if _identity(self._rows[index]) == here)
        self._place = next(same, places[0] if places else 0)
        self.show(len(self._rows), self._line)

    def action_move(self, by: int) -> None:
        """Move the cursor to a finding; the name of a place is passed over, and comes into sight with its first."""
        places = [index for index, row in enumerate(self._rows) if isinstance(row, FindingGroup)]
        if not places:
            return
        wanted = min(max(places[0], self.place + by), places[-1])
        if wanted not in places:
            wanted += 1 if by > 0 else -1
        self.put(wanted)
        if places.index(wanted) == 0:
            self._sight.begin()
            self._draw_all()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Where there is nothing to do, nothing leads to where it would be done."""
        return action != "choose" or (self.finding is not None and self.finding.severity is not Severity.INFO)

    def put(self, place: int) -> None:
        """Put the cursor on a finding, and say so."""
        super().put(place)
        self.post_message(self.Moved())

    def _line(self, index: int, width: int) -> Spans:
        row = self._rows[index]
        glyphs = signs(self)
        mark = glyphs.cut
        if isinstance(row, str):
            return (Span(1, cut(row, width - 2, mark), "bold accent", width - 2),)
        code = row.first.code if width >= _WIDE else ""
        cells = width - 5 - (_CODE_CELLS if code else 0)
        return (
            Span(1, "", "", 1),
            Span(2, severity_sign(row.severity, glyphs), "muted" if row.faded else _LOOKS[row.severity], 3),
            Span(5, cut(row.words, cells - 1, mark), "muted" if row.faded else "", cells),
            *([Span(5 + cells, code, "muted", _CODE_CELLS)] if code else []),
        )


def severity_sign(severity: Severity, glyphs: Glyphs) -> str:
    """The sign of a severity."""
    return {Severity.ERROR: glyphs.bad, Severity.WARNING: glyphs.warn, Severity.INFO: glyphs.off}[severity]


def rows_of(places: Iterable[FindingPlace]) -> list[FindingGroup | str]:
    """Names of places, each with its findings behind it."""
    rows: list[FindingGroup | str] = []
    for place in places:
        rows += [place_words(place), *place.groups]
    return rows


def place_words(place: FindingPlace) -> str:
    """Where findings belong, for a heading: the section, and the nodes where there are any."""
    if place.section == REVIEW and not place.nodes:
        return str(T("review.in_general"))
    name = str(Text(f"section.{place.section}"))  # words: section.*
    return f"{name}  {clean_line(names_words(place.nodes))}" if place.nodes else name


def _identity(row: FindingGroup | str) -> Hashable:
    return row if isinstance(row, str) else row.first.identity


__all__ = ["FindingList", "place_words", "rows_of", "severity_sign"]
