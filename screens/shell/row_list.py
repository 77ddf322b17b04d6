"""What lists of servers have in common: search, order, marks; whatever is done is done to servers, never to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from textual.binding import BindingType

from rbdtui.words import T, Text
from rbdtui.workbench.draft.operations import nodes_in
from rbdtui.workbench.row_view import ListedRow, Order, RowView
from screens.shell.base import key
from screens.shell.edit import EditScreen
from screens.widgets.cell_table import CellTable
from screens.widgets.view_line import SearchBar, ViewLine

LIST_KEYS: Final[tuple[BindingType, ...]] = (
    key("slash", "search", "search"),
    key("exclamation_mark", "problems", "problems"),
    key("o", "sort", "sort"),
    key("asterisk", "mark_all", "mark_all"),
    key("escape", "clear_view", "clear_view"),
)
"""To stand among a screen's own keys; what marks one server is the screen's."""
_ON_ROWS: Final = ("search", "problems", "sort", "mark", "mark_all", "clear_view", "undo", "redo")
"""What waits while words are typed that the list is searched for."""


class RowListScreen(EditScreen):
    """A list of servers, narrowed and sorted as is wanted; the cursor stays on its server whatever moves."""

    def __init__(self) -> None:
        super().__init__()
        self.view = RowView()
        self.shown: list[int] = []
        """Places in the list of cluster.yaml, row by row."""
        self._listed: Sequence[ListedRow] = ()
        self._searched: dict[int, str] = {}
        """All that is searched of a server, by its place."""
        self._drawn_version = -1
        self._stray: int | None = None
        """A server that is seen only because the cursor is on it."""

    # --- what a screen has to say ----------------------------------------------------------------------------

    @property
    def table(self) -> CellTable:
        """The list."""
        return self.query_one(CellTable)

    def read_rows(self) -> Sequence[ListedRow]:
        """All servers as they are now."""
        raise NotImplementedError

    def searched(self, index: int) -> str:
        """All of a server that is searched."""
        raise NotImplementedError

    def show_rows(self) -> None:
        """Draw the servers of ``self.shown``, row by row."""
        raise NotImplementedError

    def places_moved(self, places: Mapping[int, int]) -> None:
        """Servers have come, gone or moved: new places by old ones."""

    # --- what is seen ----------------------------------------------------------------------------------------

    def refresh_view(self) -> None:
        """Draw what is new; the cursor and the marks stay on their servers."""
        here = self.here
        places = self.view.follow(self.workbench.draft.data)
        self._drawn_version = self.workbench.draft.version
        self.places_moved(places)
        self._listed, self._searched = self.read_rows(), {}
        self.lay_out_rows(places.get(here) if here is not None else None)

    def lay_out_rows(self, keep: int | None) -> None:
        """Narrow and sort anew; the server at ``keep`` is seen and has the cursor."""
        self.shown = self.view.seen(self._listed, self._text_of, keep)
        stays = keep is not None and keep in self.shown
        if stays:
            self.table.row = self.shown.index(keep)  # type: ignore[arg-type]
        self._stray = keep if stays and self._is_stray(keep) else None
        self.show_rows()
        self._draw_view_line()

    def _is_stray(self, index: int | None) -> bool:
        row = next((row for row in self._listed if row.index == index), None)
        return row is not None and not self.view.matches(row, self._text_of)

    def _text_of(self, index: int) -> str:
        if index not in self._searched:
            self._searched[index] = self.searched(index)
        return self._searched[index]

    @property
    def here(self) -> int | None:
        """The place of the server under the cursor."""
        return self.shown[self.table.row] if self.table.row < len(self.shown) else None

    def go_to(self, index: int, column: str = "") -> None:
        """Put the cursor on a server, and have it be seen whatever the list is narrowed to."""
        self.up_to_date()
        self.lay_out_rows(index)
        if index in self.shown:
            self.table.put_cursor(self.shown.index(index), column)

    def up_to_date(self) -> None:
        """Draw before anything is done if the draft has become another: a key means the server that it is on."""
        if self._drawn_version != self.workbench.draft.version:
            self.refresh_view()

    def targets(self) -> list[int]:
        """The servers that a key is meant for: all that are marked, else the one under the cursor."""
        self.up_to_date()
        if self.view.marked:
            return sorted(self.view.marked)
        return [self.here] if self.here is not None else []

    def note_move(self) -> None:
        """The cursor was moved: a server that was seen only because of it goes."""
        if self._stray is not None and self.here != self._stray:
            self.lay_out_rows(self.here)

    def _draw_view_line(self) -> None:
        view, count = self.view, len(self._listed)
        parts: list[Text | str] = []
        if query := view.query.strip():
            parts.append(T("rows.found", query=query, shown=len(self.shown), count=count))
        elif view.narrowed:
            parts.append(T("rows.shown", shown=len(self.shown), count=count))
        if view.problems_only:
            parts.append(T("rows.problems_only"))
        if view.order is not Order.FILE:
            parts.append(T(f"rows.order.{view.order}"))  # words: rows.order.*
        if view.marked:
            hidden = len(view.marked - set(self.shown))
            marked = len(view.marked)
            parts.append(
                T("rows.marked_hidden", count=marked, hidden=hidden) if hidden else T("rows.marked", count=marked)
            )
        if view.narrowed or view.marked:
            parts.append(T("rows.clear"))
        self.query_one(ViewLine).parts = tuple(parts)

    def nothing_seen(self) -> Text | None:
        """What stands in the list while no server is seen of those that there are."""
        if self.shown or not self._listed:
            return None
        return T("rows.no_match") if self.view.query.strip() else T("rows.no_problems")

    # --- keys ------------------------------------------------------------------------------------------------

    @property
    def searching(self) -> bool:
        """Whether letters go into the search."""
        return self.is_mounted and self.query_one(SearchBar).display

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done to a list needs one."""
        if self.searching and action in _ON_ROWS:
            return False
        if action in ("search", "problems", "sort", "mark", "mark_all"):
            return bool(nodes_in(self.workbench.draft.data))
        if action == "clear_view":
            return self.view.narrowed or bool(self.view.marked)
        return super().check_action(action, parameters)

    def action_search(self) -> None:
        """Take words to search for."""
        self.query_one(SearchBar).open(self.view.query)
        self.refresh_bindings()

    def on_search_bar_typed(self, event: SearchBar.Typed) -> None:
        """Narrow the list at once."""
        if self.query_one(SearchBar).display:
            self._search(event.text)

    def on_search_bar_done(self, event: SearchBar.Done) -> None:
        """Go on in the list."""
        bar = self.query_one(SearchBar)
        if not bar.display:
            return
        bar.display = False
        self._search(event.text)
        self.table.focus()
        if event.by:
            self.table.action_move(event.by, 0)
        self.refresh_bindings()

    def _search(self, text: str) -> None:
        if text == self.view.query:
            return
        self.up_to_date()
        self.view.query = text
        self._narrow()

    def action_problems(self) -> None:
        """See only servers with something wrong, or all again."""
        self.up_to_date()
        self.view.problems_only = not self.view.problems_only
        self._narrow()
        self.refresh_bindings()

    def _narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its server is not."""
        here = self.here
        if here is None or self._is_stray(here):
            here, self.table.row = None, 0
        self.lay_out_rows(here)
        self.table.post_message(CellTable.Moved())

    def action_sort(self) -> None:
        """Sort by the next thing."""
        self.up_to_date()
        self.view.next_order()
        self.lay_out_rows(self.here)

    def action_mark(self) -> None:
        """Mark the server under the cursor, or mark it no more, and go on to the next."""
        self.up_to_date()
        if self.here is not None:
            self.view.toggle(self.here)
            self.lay_out_rows(self.here)
            self.table.action_move(1, 0)
            self.refresh_bindings()

    def action_mark_all(self) -> None:
        """Mark all servers that are seen, or none of them."""
        self.up_to_date()
        self.view.toggle_all(self.shown)
        self.lay_out_rows(self.here)
        self.refresh_bindings()

    def action_clear_view(self) -> None:
        """See all servers again; when they are seen already, mark none."""
        self.up_to_date()
        if self.view.narrowed:
            self.view.show_all()
        else:
            self.view.marked.clear()
        self.lay_out_rows(self.here)
        self.refresh_bindings()
