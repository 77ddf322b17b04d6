"""A question with yes and no; where much is at stake, a name has to be typed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import TextLine


class ConfirmDialog(Dialog[bool]):
    """Answers True when confirmed, False or None when not."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("y", "answer(True)", "yes"),
        key("n", "answer(False)", "no"),
        key("enter", "compare", "yes"),
    ]

    def __init__(self, title: Text, question: Text, *, type_name: str = "") -> None:
        super().__init__()
        self._title = title
        self._question = question
        self._wanted = type_name
        """What has to be typed; empty when a key is enough."""

    def title_text(self) -> Text:
        """The title that it was made with."""
        return self._title

    def body(self) -> Iterable[Widget]:
        """The question, and the field where there is one."""
        yield Words(self._question, classes="paragraph")
        if self._wanted:
            yield Words(T("dialog.type_name", name=self._wanted), classes="paragraph")
            yield TextLine()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """With a name to be typed, single keys confirm nothing."""
        return bool(self._wanted) if action == "compare" else not (action == "answer" and self._wanted)

    def action_answer(self, answer: bool) -> None:
        """Dismiss with whether it is agreed to."""
        self.dismiss(answer)

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_compare()

    def action_compare(self) -> None:
        """Compare what was typed."""
        if self.query_one(TextLine).value.strip() == self._wanted:
            self.dismiss(True)
        else:
            self.tell(T("dialog.name_differs", name=self._wanted), bad=True)
