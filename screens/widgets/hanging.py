"""Sentences that go on below themselves when they do not fit, not below their sign."""

from __future__ import annotations

from rich.text import Text as Line
from textual.widget import Widget


def hanging(widget: Widget, sign: str, text: str, *, indent: int = 3) -> str:
    """A sign and a sentence, broken into lines for the width of a widget, ending with the last of them."""
    width = widget.content_size.width - indent
    if width < 10:
        return f"{sign}{' ' * (indent - len(sign))}{text}"
    lines = [line.plain.rstrip() for line in Line(text).wrap(widget.app.console, width)]
    return f"\n{' ' * indent}".join([f"{sign}{' ' * (indent - len(sign))}{lines[0] if lines else ''}", *lines[1:]])
