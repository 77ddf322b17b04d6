"""What is about to be written into cluster.yaml, as a difference, before it is written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.dialogs.changes import detail_text
from screens.shell.base import Dialog, Words, key


class SaveDialog(Dialog[bool]):
    """Answers True to have it written."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "write", "write", priority=True)]
    AUTO_FOCUS = "#page"

    def __init__(self, difference: str) -> None:
        super().__init__()
        self._difference = difference

    def title_text(self) -> Text:
        """That cluster.yaml would be written."""
        return T("review.save.title")

    def body(self) -> Iterable[Widget]:
        """Why, and the difference."""
        yield Words(T("review.save.explain"), classes="paragraph")
        with VerticalScroll(id="page"):
            yield Words(self._page)

    def _page(self) -> Line:
        return detail_text(self, "\n".join(self._difference.splitlines()[2:]))

    def action_write(self) -> None:
        """Have it written."""
        self.dismiss(True)
