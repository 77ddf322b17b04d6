"""Where Rainbond's storage is to go: one of the cluster's classes, or for 5.17 one of its nodes."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text, say
from rbdtui.workbench.upkeep.storage_move import Destination
from screens.dialogs.choose import ChooseDialog
from screens.shell.base import Words


class WhereToDialog(ChooseDialog[Destination]):
    """Answers the place that is chosen; what a move there would do is shown after that."""

    def title_text(self) -> Text:
        """What it is about."""
        return T("upkeep.where_title")

    def body(self) -> Iterable[Widget]:
        """What is chosen, and the places."""
        of_nodes = any(place.is_node for place in self.choices)
        yield Words(T("upkeep.where_node") if of_nodes else T("upkeep.where_class"), classes="paragraph")
        yield from super().body()

    def line_of(self, choice: Destination) -> str:
        """Its name, what makes it, and whether all is there already."""
        width = max(len(place.name) for place in self.choices) + 2
        note = clean_line(choice.note)
        told = f"{note}  {say(T('upkeep.where_here'))}" if choice.is_here else note
        return f"{choice.name:{width}}{told}".rstrip()

    def is_done_with(self, choice: Destination) -> bool:
        """Whether all is there already."""
        return choice.is_here
