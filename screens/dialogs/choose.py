"""What dialogs have in common in which one of a few things is chosen: each is a line, and Enter answers it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from screens.shell.base import Dialog, key
from screens.widgets.choices import Choices

C = TypeVar("C")


class ChooseDialog(Dialog[C]):
    """Answers what is chosen; the cursor begins on the first that is not done with."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "choose", "choose")]
    AUTO_FOCUS = "#choices"

    def __init__(self, choices: Sequence[C]) -> None:
        super().__init__()
        self.choices = choices

    def line_of(self, choice: C) -> str:
        """How a choice is listed."""
        raise NotImplementedError

    def is_done_with(self, choice: C) -> bool:
        """Whether there is no reason to choose it now."""
        raise NotImplementedError

    def body(self) -> Iterable[Widget]:
        """The list."""
        yield Choices(id="choices", compact=True, markup=False)

    def on_mount(self) -> None:
        """List them."""
        listed = self.query_one("#choices", OptionList)
        listed.add_options([Option(self.line_of(choice)) for choice in self.choices])
        listed.highlighted = next((at for at, each in enumerate(self.choices) if not self.is_done_with(each)), 0)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with it."""
        event.stop()
        self.dismiss(self.choices[event.option_index])

    def action_choose(self) -> None:
        """Answer with what is under the cursor."""
        self.query_one("#choices", OptionList).action_select()
