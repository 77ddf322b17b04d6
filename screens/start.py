"""The start screen: sites of late, a new site, or one to be opened; what is wrong with a damaged one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual.widget import Widget

from rbdtui.site import SiteError
from rbdtui.words import T, Text
from screens.base import OurScreen, Words


class StartScreen(OurScreen[None]):
    """Where everybody begins who names no site."""

    def __init__(self, path: Path | None = None, error: SiteError | None = None) -> None:
        super().__init__()
        self._path, self._error = path, error

    @property
    def help_text(self) -> Text:
        """The page behind ``?``."""
        return T("help.start")

    def content(self) -> Iterable[Widget]:
        """The list."""
        yield Words(T("section.start"))
