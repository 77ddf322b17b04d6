"""The last gate before the terminal: whatever a widget draws, nothing in it acts on the terminal."""

from __future__ import annotations

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from rbdtui.terminal_text import drop_unprintable


class TerminalGate(LineFilter):
    """Cleans every piece of every line that Textual draws; what widgets clean themselves passes as it is.

    A line is laid out by the time it comes here, so it keeps its width.
    """

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same line without what acts."""
        if all(segment.text.isprintable() for segment in segments):
            return segments
        return [
            Segment(drop_unprintable(segment.text, cell_len), segment.style, segment.control) for segment in segments
        ]
