"""What lists of servers have in common: search, order, marks; whatever is done is done to servers, never to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from textual.binding import BindingType

from rbdtui.words import T, Text
from rbdtui.workbench.draft.operations import nodes_in
from rbdtui.workbench.row_view import ListedRow, RowView
from screens.shell.base import key
from screens.shell.edit import EditScreen
from screens.shell.list_screen import CLEAR_KEY, PROBLEMS_KEY, SEARCH_KEY, SORT_KEY, ListScreen
from screens.widgets.cell_table import CellTable

LIST_KEYS: Final[tuple[BindingType, ...]] = (
    SEARCH_KEY,
    PROBLEMS_KEY,
    SORT_KEY,
    key("asterisk", "mark_all", "mark_all"),
    CLEAR_KEY,
)
"""To stand among a screen's own keys; what marks one server is the screen's."""


class RowListScreen(ListScreen[None], EditScreen):
    """A list of servers, narrowed and sorted as is wanted; the cursor stays on its server whatever moves."""

    def __init__(self) -> None:
        super().__init__()
        self._view = RowView()
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
    def view(self) -> RowView:
        """What is wanted to be seen, and what is marked."""
        return self._view

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
        marked, hidden = len(self.view.marked), len(self.view.marked - set(self.shown))
        others = []
        if marked:
            others.append(
                T("rows.marked_hidden", count=marked, hidden=hidden) if hidden else T("rows.marked", count=marked)
            )
        self.draw_view_line(len(self.shown), len(self._listed), others)

    def nothing_seen(self) -> Text | None:
        """What stands in the list while no server is seen of those that there are."""
        if self.shown or not self._listed:
            return None
        return T("rows.no_match") if self.view.query.strip() else T("rows.no_problems")

    # --- keys ------------------------------------------------------------------------------------------------

    @property
    def listed(self) -> CellTable:
        """The list."""
        return self.table

    @property
    def is_anything_listed(self) -> bool:
        """Whether there is a server."""
        return bool(nodes_in(self.workbench.draft.data))

    def move_in_list(self, by: int) -> None:
        """Move the cursor by rows."""
        self.table.action_move(by, 0)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done to a list needs one; marks are cleared as well."""
        if self.searching:
            return False
        if action in ("mark", "mark_all"):
            return self.is_anything_listed
        if action == "clear_view":
            return self.view.narrowed or bool(self.view.marked)
        return super().check_action(action, parameters)

    def narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its server is not."""
        here = self.here
        if here is None or self._is_stray(here):
            here, self.table.row = None, 0
        self.lay_out_rows(here)
        self.table.post_message(CellTable.Moved())

    def reorder(self) -> None:
        """Draw in the order that is wanted now; the cursor stays on its server."""
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
