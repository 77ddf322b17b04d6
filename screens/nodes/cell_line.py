"""The field that lies over a cell of a table while it is being edited."""

from __future__ import annotations

from typing import ClassVar, Final

from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message
from textual.widgets import Input

from rbdtui.terminal_text import clean_line
from screens.shell.base import key
from screens.widgets.field import TextLine

LEAST_CELLS: Final = 22


class CellLine(TextLine):
    """Edits one cell; says what is typed, when it is done, and when several lines were pasted."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "finish('stay')", "accept"),
        key("tab", "finish('next')", "next_cell"),
        key("shift+tab", "finish('previous')", "next_cell", show=False),
        key("up", "finish('up')", "move", show=False),
        key("down", "finish('down')", "move", show=False),
        key("escape", "give_up", "undo_cell"),
    ]

    class Typed(Message):
        """Another text stands in the cell."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Finished(Message):
        """The cell is accepted as it stands; ``onward`` says where the cursor goes."""

        def __init__(self, text: str, onward: str) -> None:
            super().__init__()
            self.text, self.onward = text, onward

    class GivenUp(Message):
        """The cell is to be as it was before."""

    class PastedLines(Message):
        """More than one line was pasted: that is a list, not the text of a cell."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.display = False

    def lie_over(self, cell: Region) -> None:
        """Lie over a part of a table, with a blank at both ends."""
        self.styles.offset = (cell.x - 1, cell.y)
        self.styles.width = cell.width + 2

    def open(self, text: str, *, placeholder: str = "", replace: bool = False) -> None:
        """Begin to edit; with ``replace`` the first letter takes the place of the text."""
        self.placeholder = placeholder
        with self.prevent(Input.Changed):
            self.value = text
        self.display = True
        self.focus()
        self.cursor_position = len(text)
        if replace:
            self.action_select_all()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed."""
        event.stop()
        self.post_message(self.Typed(event.value))

    def action_finish(self, onward: str) -> None:
        """Done with this cell."""
        self.post_message(self.Finished(self.value, onward))

    def action_give_up(self) -> None:
        """Undo this cell."""
        self.post_message(self.GivenUp())

    def _on_paste(self, event: events.Paste) -> None:
        """One line goes in place of what is selected; a list goes elsewhere."""
        event.prevent_default()
        event.stop()
        lines = [line for line in event.text.splitlines() if line.strip()]
        if len(lines) > 1:
            self.post_message(self.PastedLines(event.text))
        elif lines:
            self.replace(clean_line(lines[0]).strip(), *self.selection)
