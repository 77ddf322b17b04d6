"""The audit of a site that stands: its rows by state, and below them all about the one under the cursor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final

from rich.text import Text as Line
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.audit.audit import AFTER, Audit
from rbdtui.audit.row import Row, RowState
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.live.node_rows import Mark
from rbdtui.workbench.row_view import ListedRow
from screens.dialogs.list_dialog import SearchedDialog
from screens.review.review_pages import Part, drawn
from screens.shell.base import BaseScreen, Words, key
from screens.shell.list_screen import PROBLEMS_KEY, SEARCH_KEY
from screens.widgets.canvas import Span, Spans, cut
from screens.widgets.event_list import LINE_KEYS, EventList
from screens.widgets.frame import signs
from screens.widgets.view_line import SearchBar, ViewLine

_LOOKS: Final = {
    RowState.BROKEN: ("x", "error"),
    RowState.DIFFERS: ("x", "error"),
    RowState.UNKNOWN: ("?", "warning"),
    RowState.WEAK: ("!", "warning"),
    RowState.OK: ("+", "success"),
    RowState.NOTE: ("-", "muted"),
}
"""Signs that every terminal has; the state stands beside them in words."""
_ORDER: Final = tuple(RowState)
_STATE_CELLS: Final = 16
_ID_CELLS: Final = 5


class AuditList(EventList, inherit_bindings=False):
    """One line for each row, the worst first; posts `Moved`, and `Chosen` for Enter."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *LINE_KEYS,
        Binding("enter", "choose", "key.details", id="details"),
    ]

    class Moved(Message):
        """The cursor is on another row."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._rows: Sequence[Row] = ()

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.place] if self._rows else None

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Draw these rows, in the language of now; the cursor stays on its own, else it goes to the first."""
        here = self.row
        self._rows = rows
        self.show(len(rows), self._line)
        place = next((place for place, row in enumerate(rows) if row is here), 0)
        if self._place != place:
            self.put(place)

    def put(self, place: int) -> None:
        """Put the cursor on a row, and say so."""
        super().put(place)
        self.post_message(self.Moved())

    def _line(self, index: int, width: int) -> Spans:
        row = self._rows[index]
        sign, look = _LOOKS[row.state]
        mark = signs(self).cut
        state = str(T(f"audit.state.{row.state.value}"))  # words: audit.state.*
        x = 3 + _STATE_CELLS
        return (
            Span(1, sign, look, 2),
            Span(3, cut(state, _STATE_CELLS - 1, mark), look, _STATE_CELLS),
            Span(x, row.id, "muted", _ID_CELLS),
            Span(x + _ID_CELLS, cut(str(row.text("title")), max(0, width - x - _ID_CELLS), mark), "", width),
        )


class AuditDialog(SearchedDialog[bool]):
    """A page to go through; Enter gives the row under the cursor all the room.

    Answers True when the site is to be converted.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key("x", "convert", "convert"),
        SEARCH_KEY,
        PROBLEMS_KEY,
        key("tab", "read", "details", show=False),
    ]
    AUTO_FOCUS = "#rows"

    def __init__(self, audit: Audit) -> None:
        super().__init__()
        self._audit = audit
        self._rows = sorted(audit.rows, key=lambda row: _ORDER.index(row.state))
        self._reading = False

    def title_text(self) -> Text:
        """The level."""
        now = self._audit.now
        certain = "certain" if now.certain else "uncertain"
        return T(f"audit.level.{certain}", now=now.number, after=AFTER)  # words: audit.level.*

    def body(self) -> Iterable[Widget]:
        """What it means, the rows, and the one under the cursor."""
        yield Words(self._lost, id="lost")
        yield ViewLine()
        yield AuditList(id="rows")
        yield Words(self._none_text, id="none")
        with VerticalScroll(id="row"):
            yield Static(id="row-text")
        yield SearchBar()

    def _lost(self) -> Line:
        line = Line(str(T(f"audit.means.level{self._audit.now.number}")))  # words: audit.means.*
        line.append(f"\n{T('audit.counts', **self._audit.counts)}", style="dim")
        return line

    def refresh_view(self) -> None:
        """Draw everything."""
        self.query_one("#lost").display = not self._reading
        seen = self._seen_rows()
        self.listed.display = not self._reading and bool(seen)
        self.query_one("#none").display = not seen
        self.query_one("#none", Words).refresh(layout=True)
        self.listed.show_rows(seen)
        self.draw_view_line(len(seen), len(self._rows))
        line = self.query_one(ViewLine)
        line.display = bool(line.parts) and not self._reading
        self._draw_row()

    # --- what is seen ----------------------------------------------------------------------------------------

    @property
    def listed(self) -> AuditList:
        """The rows."""
        return self.query_one(AuditList)

    @property
    def is_anything_listed(self) -> bool:
        """Whether the list is what is looked at."""
        return bool(self._rows) and not self._reading

    def move_in_list(self, by: int) -> None:
        """Move the cursor by rows."""
        self.listed.action_move(by)

    def narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its own is not."""
        self.refresh_view()
        self.refresh_bindings()
        if self.focused is None and self.listed.display:
            self.set_focus(self.listed)

    def _seen_rows(self) -> Sequence[Row]:
        rows = self._rows
        listed = [ListedRow(place, "", "", _mark_of(row)) for place, row in enumerate(rows)]
        return [rows[place] for place in self.view.seen(listed, lambda place: _searched(rows[place]))]

    def _none_text(self) -> Text | str:
        if not self._rows:
            return ""
        return T("rows.nothing_matches") if self.view.query.strip() else T("rows.nothing_wrong")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A row is read where there is one; Escape leaves that first."""
        if action in ("dismiss_none", "clear_view") and self._reading:
            return action == "dismiss_none"
        if action == "read" and self.is_mounted and self.listed.row is None:
            return False
        return super().check_action(action, parameters)

    # --- keys ------------------------------------------------------------------------------------------------

    def on_resize(self) -> None:
        """Use the room."""
        super().on_resize()
        self.call_after_refresh(self._draw_row)

    def on_audit_list_moved(self) -> None:
        """Say all about the row that the cursor has come to."""
        self._draw_row()
        self.query_one("#row", VerticalScroll).scroll_home(animate=False)

    def on_event_list_chosen(self) -> None:
        """Read it."""
        self.action_read()

    def action_convert(self) -> None:
        """Have the site carried to the next level."""
        self.dismiss(True)

    def action_read(self) -> None:
        """Give the row all the room, or go back to the list."""
        self._reading = not self._reading
        self.refresh_view()
        self.set_focus(self.query_one("#row") if self._reading else self.listed)
        self.call_after_refresh(self._draw_row)

    def action_dismiss_none(self) -> None:
        """Back to the list, and from there away."""
        if self._reading:
            self.action_read()
        else:
            super().action_dismiss_none()

    def _draw_row(self) -> None:
        row, text = self.listed.row, self.query_one("#row-text", Static)
        text.update(drawn(audit_page(self, row) if row is not None else [], text.content_size.width))


def _mark_of(row: Row) -> Mark:
    return Mark.OK if row.state in (RowState.OK, RowState.NOTE) else Mark.WARNING


def _searched(row: Row) -> str:
    """Its id, title and state, and what was seen on which servers."""
    parts = [f"{part.node} {part.text}" for part in row.parts]
    state = str(T(f"audit.state.{row.state.value}"))  # words: audit.state.*
    return " ".join([row.id, str(row.text("title")), state, *parts])


def audit_page(screen: BaseScreen[Any], row: Row) -> list[Part]:
    """What is there, what is wanted, why, and what to type by hand."""
    sign, look = _LOOKS[row.state]
    head = Line.assemble((f"{sign} ", screen.style(look, bold=True)), (f"{row.id}  ", "dim"))
    head.append(clean_line(str(row.text("title"))), style="bold")
    parts: list[Part] = [(0, head)]
    for part in row.parts:
        own, own_look = _LOOKS[part.state]
        place = f"{part.node}: " if part.node else ""
        parts.append((2, Line.assemble((f"{own} ", screen.style(own_look)), clean_line(f"{place}{part.text}"))))
    parts.append((2, Line(clean_line(str(T("audit.target", text=row.text("target")))))))
    parts.append((2, Line(clean_line(str(T("audit.why", text=row.text("why")))), style="dim")))
    for step in row.by_hand:
        parts.append((2, Line(clean_line(str(T("audit.by_hand", node=step.node))))))
        parts += [(4, Line(clean_line(line))) for line in step.text.split("\n")]
    return parts
