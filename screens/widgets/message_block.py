"""Sentences one below the other, each in its colour; drawn again only when they are others."""

from __future__ import annotations

from rich.text import Text as Line
from textual.reactive import reactive

from rbdtui.terminal_text import sanitize
from rbdtui.words import Text
from screens.widgets.canvas import look_style
from screens.widgets.hanging import Sentence


class MessageBlock(Sentence, can_focus=False):
    """Sentences; there only while there are any."""

    DEFAULT_CSS = "MessageBlock { height: auto; width: 1fr; }"
    lines: reactive[tuple[tuple[Text, str], ...]] = reactive((), layout=True)
    """Sentences with their looks."""

    def sentence(self) -> Line:
        """The sentences in the language of now."""
        page = Line()
        for index, (text, look) in enumerate(self.lines):
            page.append("\n" if index else "")
            page.append(sanitize(str(text)), style=look_style(self, look))
        return page

    def watch_lines(self, lines: tuple[tuple[Text, str], ...]) -> None:
        """Take no room when there is nothing to say."""
        self.display = bool(lines)
