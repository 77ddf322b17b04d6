"""Findings to be gone through: grouped by place, the worst first; Enter leads to where one can be put right."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from typing import ClassVar, Final

from textual.binding import Binding, BindingType
from textual.message import Message

from rbdtui.findings import Finding, Severity
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.sections import REVIEW, SECTIONS, section_of
from screens.theme import Glyphs
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
        self._rows: tuple[Finding | str, ...] = ()
        """A word is the name of a place, with its findings behind it."""
        self._faded: frozenset[Hashable] = frozenset()
        self._place = 0

    @property
    def finding(self) -> Finding | None:
        """The finding under the cursor."""
        row = self._rows[self.place] if self._rows else None
        return row if isinstance(row, Finding) else None

    def show_findings(self, findings: Iterable[Finding], faded: Iterable[Finding] = ()) -> None:
        """Show these, and those that held earlier; the cursor stays on the finding that it is on."""
        now, before = list(findings), list(faded)
        rows = tuple(rows_of([*now, *before]))
        old = frozenset(_identity(finding) for finding in before)
        here = _identity(self.finding) if self.finding is not None else ""
        self._rows, self._faded = rows, old
        places = [index for index, row in enumerate(rows) if isinstance(row, Finding)]
        same = (index for index in places if _identity(rows[index]) == here)
        self._place = next(same, places[0] if places else 0)
        self.show(len(rows), self._line)

    def action_move(self, by: int) -> None:
        """Move the cursor to a finding; the name of a place is passed over, and comes into sight with its first."""
        places = [index for index, row in enumerate(self._rows) if isinstance(row, Finding)]
        if not places:
            return
        wanted = min(max(places[0], self.place + by), places[-1])
        if wanted not in places:
            wanted += 1 if by > 0 else -1
        self.put(wanted)
        if places.index(wanted) == 0:
            self._top = 0
            self._draw_all()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a finding there is nothing to be put right."""
        return action != "choose" or self.finding is not None

    def put(self, place: int) -> None:
        """Put the cursor on a finding, and say so."""
        super().put(place)
        self.post_message(self.Moved())

    def _line(self, index: int, width: int) -> Spans:
        row = self._rows[index]
        glyphs = signs(self)
        mark = "~" if glyphs.dash == "-" else "…"
        if isinstance(row, str):
            return (Span(1, cut(row, width - 2, mark), "bold accent", width - 2),)
        old = _identity(row) in self._faded
        code = row.code if width >= _WIDE else ""
        cells = width - 5 - (_CODE_CELLS if code else 0)
        return (
            Span(1, "", "", 1),
            Span(2, severity_sign(row.severity, glyphs), "muted" if old else _LOOKS[row.severity], 3),
            Span(5, cut(short_words(row), cells - 1, mark), "muted" if old else "", cells),
            *([Span(5 + cells, code, "muted", _CODE_CELLS)] if code else []),
        )


def severity_sign(severity: Severity, glyphs: Glyphs) -> str:
    """The sign of a severity."""
    return {Severity.ERROR: glyphs.bad, Severity.WARNING: glyphs.warn, Severity.INFO: glyphs.off}[severity]


def short_words(finding: Finding) -> str:
    """The sentence of a finding below the name of its place, which need not be said again."""
    words = clean_line(str(finding.message))
    for sign in (": ", "："):
        words = words.removeprefix(f"{finding.place.node}{sign}") if finding.place.node else words
    return words


def rows_of(findings: Collection[Finding]) -> list[Finding | str]:
    """Places with their findings: the place with the worst first, then in the order of the rail."""
    places: dict[str, list[Finding]] = {}
    for finding in sorted(findings, key=lambda finding: finding.severity.rank):
        places.setdefault(place_words(finding), []).append(finding)
    ordered = sorted(
        places.items(),
        key=lambda item: (item[1][0].severity.rank, SECTIONS.index(section_of(item[1][0]))),
    )
    rows: list[Finding | str] = []
    for place, found in ordered:
        rows += [place, *found]
    return rows


def place_words(finding: Finding) -> str:
    """Where a finding belongs, for a heading: the section, and the node where there is one."""
    section = section_of(finding)
    if section == REVIEW and not finding.place.node:
        return str(T("review.in_general"))
    name = str(Text(f"section.{section}"))  # words: section.*
    return f"{name}  {clean_line(finding.place.node)}" if finding.place.node else name


def _identity(row: Finding | str) -> Hashable:
    return row if isinstance(row, str) else row.identity


__all__ = ["FindingList", "place_words", "rows_of", "severity_sign", "short_words"]
