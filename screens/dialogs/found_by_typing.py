"""A list that is narrowed by what is typed above it; the field keeps the cursor, and up and down move in the list."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.words import Text
from screens.shell.base import Dialog, key
from screens.widgets.choices import Choices
from screens.widgets.field import TextLine

R = TypeVar("R")


class FoundByTyping(Dialog[R]):
    """Whoever inherits it lists by `show`, again with every letter, and answers in ``action_choose``."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("up", "move(-1)", "move", priority=True),
        key("down", "move(1)", "move", priority=True),
    ]
    AUTO_FOCUS = "#wanted"
    HINT: ClassVar[Text]
    """What can be typed."""

    def body(self) -> Iterable[Widget]:
        """The field and the list."""
        yield TextLine(id="wanted", placeholder=str(self.HINT))
        yield Choices(id="found", compact=True, markup=False)

    @property
    def listed(self) -> OptionList:
        """The list."""
        return self.query_one("#found", OptionList)

    def on_mount(self) -> None:
        """The field alone takes keys."""
        self.listed.can_focus = False

    def show(self, options: Sequence[Option], nothing: str) -> None:
        """List what was found, or say that nothing was."""
        self.listed.clear_options()
        self.listed.add_options(options or [Option(nothing, disabled=True)])
        self.listed.highlighted = 0 if options else None

    def action_move(self, by: int) -> None:
        """Move in the list while the field keeps the cursor."""
        if by > 0:
            self.listed.action_cursor_down()
        else:
            self.listed.action_cursor_up()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """A click."""
        event.stop()
        self.action_choose()

    def action_choose(self) -> None:
        """Answer with what is under the cursor."""
        raise NotImplementedError
