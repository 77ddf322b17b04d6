"""Everything that can be done, to be found by typing."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget
from textual.widgets import Input

from rbdtui.words import T, Text
from screens.base import Dialog


class PaletteDialog(Dialog[None]):
    """Type, choose, Enter."""

    def title_text(self) -> Text:
        """What it is."""
        return T("key.palette")

    def body(self) -> Iterable[Widget]:
        """The field and the list."""
        yield Input(compact=True)
