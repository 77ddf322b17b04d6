"""What a list is narrowed to and sorted by, and the line in which it is searched."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text as Line
from textual import events
from textual.app import ComposeResult, RenderResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget
from textual.widgets import Input, Static

from rbdtui.words import Text
from screens.shell.base import key
from screens.terminal.theme import rich_colour
from screens.widgets.field import TextLine
from screens.widgets.frame import signs


class ViewLine(Widget, can_focus=False):
    """Stands above a list while that is not simply all of it as in the file, so that this is never overlooked."""

    DEFAULT_CSS = "ViewLine { height: auto; width: 100%; padding: 0 1; display: none; }"
    parts: reactive[tuple[Text | str, ...]] = reactive((), layout=True)

    def render(self) -> RenderResult:
        """The parts, with a sign between them."""
        between = f" {signs(self).separator} "
        return Line(between.join(str(part) for part in self.parts), style=f"bold {rich_colour(self.app, 'accent')}")

    def watch_parts(self) -> None:
        """Take no room when there is nothing to say."""
        self.display = bool(self.parts)


class SearchLine(TextLine):
    """Takes the words to search for; every letter of them at once."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "keep", "keep_search"),
        key("escape", "give_up", "clear_search"),
        key("up", "leave(-1)", "move", show=False),
        key("down", "leave(1)", "move", show=False),
    ]

    def action_keep(self) -> None:
        """Go back to the list, narrowed as it is."""
        self.post_message(SearchBar.Done(self.value, 0))

    def action_leave(self, by: int) -> None:
        """As above, and on to the row above or below."""
        self.post_message(SearchBar.Done(self.value, by))

    def action_give_up(self) -> None:
        """Go back to all of the list."""
        self.post_message(SearchBar.Done("", 0))

    def _on_blur(self, event: events.Blur) -> None:
        """Something else was clicked; a terminal that somebody only looked away from still takes the words."""
        super()._on_blur(event)
        if self.app.app_focus:
            self.post_message(SearchBar.Done(self.value, 0))


class SearchBar(Horizontal):
    """A line below a list; there only while words are typed into it."""

    DEFAULT_CSS = """
    SearchBar { height: 1; width: 100%; display: none; }
    SearchBar Static { width: 2; padding: 0 0 0 1; }
    SearchBar SearchLine { width: 1fr; padding: 0; }
    """

    class Typed(Message):
        """Other words stand there."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Done(Message):
        """No more is typed; ``by`` says how many rows the cursor is to go on."""

        def __init__(self, text: str, by: int) -> None:
            super().__init__()
            self.text, self.by = text, by

    def compose(self) -> ComposeResult:
        """The key that led here, and the words."""
        yield from self._parts()

    def _parts(self) -> Iterable[Widget]:
        yield Static("/")
        yield SearchLine()

    @property
    def line(self) -> SearchLine:
        """The words."""
        return self.query_one(SearchLine)

    def open(self, text: str) -> None:
        """Begin to take letters; the first takes the place of what was searched for before."""
        self.display = True
        with self.prevent(Input.Changed):
            self.line.value = text
        self.line.focus()
        self.line.cursor_position = len(text)
        self.line.action_select_all()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Tell what is typed."""
        event.stop()
        self.post_message(self.Typed(event.value))
