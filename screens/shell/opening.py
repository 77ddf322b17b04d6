"""What is seen while a site is being opened, or the demo's servers start."""

from __future__ import annotations

from collections.abc import Iterable

from textual.containers import Vertical
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import BaseScreen, Words
from screens.widgets.frame import HeadLine, KeyLine, MessageLine


class OpeningScreen(BaseScreen[None]):
    """A sentence; it is there for a moment only."""

    def __init__(self, sentence: Text) -> None:
        super().__init__()
        self._sentence = sentence

    @property
    def help_text(self) -> Text:
        """The page behind ``?``."""
        return T("help.start")

    def content(self) -> Iterable[Widget]:
        """The sentence, where the body will be."""
        yield HeadLine()
        with Vertical(id="opening"):
            yield Words(self._sentence)
        yield MessageLine()
        yield KeyLine()

    def on_mount(self) -> None:
        """Have it opened once this has been drawn."""
        self.query_one(HeadLine).left = "rbdtui"
        self.query_one(KeyLine).keys = self.program.key_words(self)
        self.call_after_refresh(self.program.open_first)
