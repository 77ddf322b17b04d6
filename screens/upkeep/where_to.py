"""Where Rainbond's storage is to go: one of the cluster's classes, or for 5.17 one of its nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.words import T, Text
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
        listed.add_options([Option(f"{place.name:{width}}{place.note}".rstrip()) for place in self._places])
        listed.highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with it."""
        event.stop()
        self.dismiss(self._places[event.option_index])

    def action_choose(self) -> None:
        """Answer with what is under the cursor."""
        self.query_one("#places", OptionList).action_select()
