"""Where Rainbond's storage is to go: one of the cluster's classes, or for 5.17 one of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text, say
from rbdtui.workbench.upkeep.storage_move import Destination
from screens.shell.base import Dialog, Words, key
from screens.widgets.choices import Choices


class WhereToDialog(Dialog[Destination]):
    """Answers the place that is chosen; what a move there would do is shown after that."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "choose", "choose")]
    AUTO_FOCUS = "#places"

    def __init__(self, places: Sequence[Destination]) -> None:
        super().__init__()
        self._places = places

    def title_text(self) -> Text:
        """What it is about."""
        return T("upkeep.where_title")

    def body(self) -> Iterable[Widget]:
        """What is chosen, and the places."""
        of_nodes = any(place.is_node for place in self._places)
        yield Words(T("upkeep.where_node") if of_nodes else T("upkeep.where_class"), classes="paragraph")
        yield Choices(id="places", compact=True, markup=False)

    def on_mount(self) -> None:
        """List them."""
        width = max(len(place.name) for place in self._places) + 2
        listed = self.query_one("#places", OptionList)
        listed.add_options([Option(f"{place.name:{width}}{self._told(place)}".rstrip()) for place in self._places])
        listed.highlighted = next((at for at, place in enumerate(self._places) if not place.is_here), 0)

    @staticmethod
    def _told(place: Destination) -> str:
        note = clean_line(place.note)
        return f"{note}  {say(T('upkeep.where_here'))}" if place.is_here else note

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with it."""
        event.stop()
        self.dismiss(self._places[event.option_index])

    def action_choose(self) -> None:
        """Answer with what is under the cursor."""
        self.query_one("#places", OptionList).action_select()
