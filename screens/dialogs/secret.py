"""Takes a secret for the vault; what is typed is neither shown nor kept anywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import Field


class SecretDialog(Dialog[str]):
    """Answers the value."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "take", "save")]

    def __init__(self, name: str, what: Text) -> None:
        super().__init__()
        self._secret_name, self._what = name, what

    def title_text(self) -> Text:
        """Which secret is asked for."""
        return self._what

    def body(self) -> Iterable[Widget]:
        """One field, masked."""
        yield Words(T("secret.where", name=self._secret_name), classes="paragraph")
        yield Field(T("secret.value"), password=True)

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_take()

    def action_take(self) -> None:
        """Dismiss with what was typed; say so where nothing was."""
        value = self.query_one(Field).value
        if value:
            self.dismiss(value)
        else:
            self.tell(T("secret.empty"), bad=True)
