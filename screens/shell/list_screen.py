"""What every list has in common that is searched, narrowed and sorted: its keys, their words, and the lines around it.

A screen that inherits `ListScreen` puts `FIND_KEYS` among its keys, a `ViewLine` above its list and a `SearchBar`
below; it says what is seen by a `ListView`, and draws anew in `narrow`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from rbdtui.workbench.row_view import ListView, Order
from screens.shell.base import BaseScreen, key
from screens.widgets.view_line import SearchBar, ViewLine

R = TypeVar("R")

SEARCH_KEY: Final[BindingType] = key("slash", "search", "search")
PROBLEMS_KEY: Final[BindingType] = key("exclamation_mark", "problems", "problems")
SORT_KEY: Final[BindingType] = key("o", "sort", "sort")
CLEAR_KEY: Final[BindingType] = key("escape", "clear_view", "clear_view")
FIND_KEYS: Final[tuple[BindingType, ...]] = (SEARCH_KEY, PROBLEMS_KEY, CLEAR_KEY)
"""To stand among a screen's own keys; one that uses Escape itself has its own binding of it behind these."""


class ListScreen(BaseScreen[R]):
    """A screen whose list is narrowed and sorted as is wanted; nothing else is done while words are typed for it."""

    # --- what a screen has to say ----------------------------------------------------------------------------

    @property
    def view(self) -> ListView:
        """What is wanted to be seen."""
        raise NotImplementedError

    @property
    def listed(self) -> Widget:
        """The list, which has the focus again once the words are typed."""
        raise NotImplementedError

    @property
    def is_anything_listed(self) -> bool:
        """Whether there is anything to look through, seen or not."""
        raise NotImplementedError

    def move_in_list(self, by: int) -> None:
        """Move the cursor by rows."""
        raise NotImplementedError

    def narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its own is not."""
        raise NotImplementedError

    def reorder(self) -> None:
        """Draw in the order that is wanted now; the cursor stays on its row."""
        self.narrow()

    def up_to_date(self) -> None:
        """Draw before anything is done if there is something new: a key means the row that it is on."""

    @property
    def usual_order(self) -> Order:
        """The order of which nothing need be said."""
        return Order.FILE

    # --- what is said of it ----------------------------------------------------------------------------------

    def draw_view_line(self, shown: int, count: int, others: Iterable[Text | str] = ()) -> None:
        """Say what the list is narrowed to and sorted by; ``others`` is what else is to be cleared."""
        view, more = self.view, tuple(others)
        parts: list[Text | str] = []
        if query := view.query.strip():
            parts.append(T("rows.found", query=query, shown=shown, count=count))
        elif view.narrowed:
            parts.append(T("rows.shown", shown=shown, count=count))
        if view.problems_only:
            parts.append(T("rows.problems_only"))
        if view.order is not self.usual_order:
            parts.append(T(f"rows.order.{view.order}"))  # words: rows.order.*
        parts.extend(more)
        if view.narrowed or more:
            parts.append(T("rows.clear"))
        self.query_one(ViewLine).parts = tuple(parts)

    # --- keys ------------------------------------------------------------------------------------------------

    @property
    def searching(self) -> bool:
        """Whether letters go into the search."""
        return self.is_mounted and bool(self.query(SearchBar)) and self.query_one(SearchBar).display

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What is done to a list needs one, and waits while words are typed."""
        if self.searching:
            return False
        if action in ("search", "problems", "sort"):
            return self.is_mounted and self.is_anything_listed
        if action == "clear_view":
            return self.is_mounted and self.view.narrowed
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
        self.set_focus(self.listed)
        if event.by:
            self.move_in_list(event.by)
        self.refresh_bindings()

    def _search(self, text: str) -> None:
        if text == self.view.query:
            return
        self.up_to_date()
        self.view.query = text
        self.narrow()

    def action_problems(self) -> None:
        """See only rows with something wrong, or all again."""
        self.up_to_date()
        self.view.problems_only = not self.view.problems_only
        self.narrow()
        self.refresh_bindings()

    def action_sort(self) -> None:
        """Sort by the next thing."""
        self.up_to_date()
        self.view.next_order()
        self.reorder()

    def action_clear_view(self) -> None:
        """See all rows again."""
        self.up_to_date()
        self.view.show_all()
        self.narrow()
        self.refresh_bindings()
