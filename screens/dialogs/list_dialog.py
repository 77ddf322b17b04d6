"""What dialogs have in common whose list may be long: it is searched; Escape shows all of it before it leaves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets.option_list import Option

from rbdtui.words import T
from rbdtui.workbench.live.node_rows import Mark
from rbdtui.workbench.row_view import ListedRow, ListView
from screens.shell.base import Dialog, key
from screens.shell.list_screen import ListScreen
from screens.widgets.choices import Choices
from screens.widgets.view_line import SearchBar, ViewLine

R = TypeVar("R")


class SearchedDialog(Dialog[R], ListScreen[R]):
    """A dialog with a list that is searched; whoever inherits it has what `ListScreen` asks for.

    `Dialog` comes first, as Textual's style sheets know a class by the first of its bases alone.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key("escape", "clear_view", "clear_view", priority=True),
        key("escape", "dismiss_none", "close", priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._view = ListView()

    @property
    def view(self) -> ListView:
        """What is wanted to be seen."""
        return self._view

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Nothing is left while the list is narrowed: Escape shows all of it first."""
        if action == "dismiss_none" and self.is_mounted and self.view.narrowed:
            return False
        return super().check_action(action, parameters)


class ListDialog(SearchedDialog[R]):
    """One line for each thing there is; the cursor stays on its own."""

    AUTO_FOCUS = "#choices"

    def __init__(self) -> None:
        super().__init__()
        self._shown: list[int] = []
        """Places of what is seen, line by line."""

    @property
    def count(self) -> int:
        """How many things there are."""
        raise NotImplementedError

    def option(self, place: int) -> Option:
        """One of them as it is listed."""
        raise NotImplementedError

    def searched(self, place: int) -> str:
        """All of it that is searched."""
        raise NotImplementedError

    def mark(self, place: int) -> Mark:
        """Whether something is wrong with it."""
        return Mark.OK

    def list_widgets(self) -> Iterable[Widget]:
        """The list and the lines around it."""
        yield ViewLine()
        yield Choices(id="choices", compact=True, markup=False)
        yield SearchBar()

    @property
    def listed(self) -> Choices:
        """The list."""
        return self.query_one("#choices", Choices)

    @property
    def is_anything_listed(self) -> bool:
        """Whether there is anything."""
        return self.count > 0

    @property
    def here(self) -> int | None:
        """The place of what is under the cursor."""
        at = self.listed.highlighted
        return self._shown[at] if at is not None and at < len(self._shown) else None

    def move_in_list(self, by: int) -> None:
        """Move the cursor by a row."""
        if by > 0:
            self.listed.action_cursor_down()
        else:
            self.listed.action_cursor_up()

    def narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its own is not."""
        self.lay_out(self.here)

    def lay_out(self, here: int | None) -> None:
        """Draw what is wanted, with the cursor on one of it."""
        rows = [ListedRow(place, "", "", self.mark(place)) for place in range(self.count)]
        self._shown = self.view.seen(rows, self.searched)
        listed = self.listed
        listed.clear_options()
        listed.add_options([self.option(place) for place in self._shown])
        if self.count and not self._shown:
            nothing = T("rows.nothing_matches") if self.view.query.strip() else T("rows.nothing_wrong")
            listed.add_option(Option(str(nothing), disabled=True))
        listed.highlighted = (self._shown.index(here) if here in self._shown else 0) if self._shown else None
        self.draw_view_line(len(self._shown), self.count)
        self.refresh_bindings()
