"""The plan as rows to be gone through: what is done, on which nodes, and what it would change there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Final

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from rbdtui.words import T
from rbdtui.workbench.review.plan_rows import PlanRow
from screens.widgets.canvas import Span, Spans, cut
from screens.widgets.event_list import LINE_KEYS, EventList
from screens.widgets.frame import signs

_TITLE_CELLS: Final = 22
_WIDE_TITLE_CELLS: Final = 34
_WIDE: Final = 90


class PlanList(EventList, inherit_bindings=False):
    """Rows of a plan with a cursor; posts `Moved` when it goes elsewhere, `Chosen` for Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *LINE_KEYS,
        Binding("enter", "choose", "key.details", id="details"),
    ]

    class Moved(Message):
        """The cursor is on another row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._rows: Sequence[PlanRow] = ()
        self._place = 0

    @property
    def row(self) -> PlanRow | None:
        """The row under the cursor."""
        return self._rows[self.place] if self._rows else None

    def show_rows(self, rows: Sequence[PlanRow]) -> None:
        """Show these rows; the cursor stays where it is."""
        self._rows = rows
        self.show(len(rows), self._line)

    def put(self, place: int) -> None:
        """Put the cursor on a row, and say so."""
        super().put(place)
        self.post_message(self.Moved())

    def _line(self, index: int, width: int) -> Spans:
        row = self._rows[index]
        mark = signs(self).cut
        title = _WIDE_TITLE_CELLS if width >= _WIDE else _TITLE_CELLS
        what = max(cell_len(what_words(other)[0]) for other in self._rows)
        slow = str(T("review.slow_word"))
        who = max(0, width - 3 - title - what - cell_len(slow) - 5)
        words, look = what_words(row)
        sign, sign_look = self._sign(row)
        x = 3 + title
        return (
            Span(1, sign, sign_look, 2),
            Span(3, cut(str(row.title), title - 1, mark), "muted" if row.is_gate else "", title),
            Span(x, cut(who_words(row, who), who, mark), "muted", who + 1),
            Span(x + who + 1, slow if row.is_slow else "", "warning", cell_len(slow) + 1),
            Span(x + who + 2 + cell_len(slow), words, look, what + 1),
        )

    def _sign(self, row: PlanRow) -> tuple[str, str]:
        glyphs = signs(self)
        if row.is_gate or not row.previewed:
            return glyphs.off, "muted"
        if row.satisfied == len(row.previewed):
            return "=", "success"
        return ("+" if row.to_change else "?"), "bold accent" if row.to_change else "muted"


def who_words(row: PlanRow, cells: int) -> str:
    """The nodes of a row by name where they fit, else how many they are."""
    if not row.nodes:
        return "" if row.is_gate else str(T("review.whole"))
    names = " ".join(row.nodes)
    return names if cell_len(names) <= cells else str(T("shell.nodes", count=len(row.nodes)))


def what_words(row: PlanRow) -> tuple[str, str]:
    """What would be changed, with its look."""
    if row.is_gate:
        return str(T("review.gate")), "muted"
    if not row.previewed:
        return "", "muted"
    if row.satisfied == len(row.previewed):
        return str(T("review.same")), "success"
    if row.to_change:
        return str(T("review.to_change", count=row.to_change)), ""
    return str(T("review.later")), "muted"
