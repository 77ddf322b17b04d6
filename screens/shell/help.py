"""Help: what the screen is for, and every key that does something on it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from rich.cells import cell_len
from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import BaseScreen, Dialog, SectionScreen, Words, key


class HelpScreen(Dialog[None]):
    """The page on one screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("question_mark", "dismiss_none", "close", show=False),
        key("q", "dismiss_none", "close", show=False),
    ]
    AUTO_FOCUS = "#help-page"

    def __init__(self, about: BaseScreen[Any]) -> None:
        super().__init__()
        self._about = about

    def title_text(self) -> Text:
        """Which screen it is on."""
        if isinstance(self._about, SectionScreen):
            return T("help.title", section=Text(f"section.{self._about.SECTION}"))
        return T("help.title", section=T("section.start"))

    def body(self) -> Iterable[Widget]:
        """Text and keys, to be scrolled."""
        with VerticalScroll(id="help-page"):
            yield Words(self._text, classes="paragraph")
            yield Words(self._keys)
            yield Words(T("help.everywhere"), classes="paragraph below")

    def _text(self) -> Text:
        return self._about.help_text

    def _keys(self) -> Line:
        pairs = self.program.key_words(self._about, everything=True)
        width = max((cell_len(sign) for sign, _ in pairs), default=0)
        page = Line()
        for sign, word in pairs:
            page.append(f" {sign}{' ' * (width - cell_len(sign))}", style=self.style("accent", bold=True))
            page.append(f"  {word}\n")
        return page
