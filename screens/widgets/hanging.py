"""Sentences that go on below themselves when they do not fit, not below their sign."""

from __future__ import annotations

import re
from typing import Final

from rich.cells import cell_len, chop_cells
from rich.text import Text as Line
from textual.widget import Widget

_PIECES: Final = re.compile(r"[（「]*(?:[⺀-￯]|[^\s⺀-￯]+)[，。：；！？、）」]*|\s+")
"""What is never broken: a word, or one wide letter; with the signs that must not end a line before it, or begin one
behind it."""
_WIDE: Final = re.compile("[⺀-￯]")
LEAST_CELLS: Final = 10


def hanging(widget: Widget, sign: str, text: str, *, indent: int = 3) -> str:
    """A sign and a sentence, broken into lines for the width of a widget; without a break at its end."""
    lead = f"{sign}{' ' * (indent - cell_len(sign))}"
    cells = widget.content_size.width - indent
    if cells < LEAST_CELLS:
        return f"{lead}{text}"
    return lead + f"\n{' ' * indent}".join(broken(text, cells))


def broken_line(line: Line, cells: int) -> list[Line]:
    """A styled sentence in lines of at most so many cells, where wide letters are broken at; else as it is."""
    if line.no_wrap or cells < LEAST_CELLS or cell_len(line.plain) <= cells or not _WIDE.search(line.plain):
        return [line]
    lines, at = [], 0
    for part in broken(line.plain, cells):
        at = line.plain.index(part, at)
        lines.append(line[at : at + len(part)])
        at += len(part)
    return lines


def broken(text: str, cells: int) -> list[str]:
    """A sentence in lines of at most so many cells; at least one line. A word that is longer is broken, too."""
    lines = [""]
    for piece in (part for word in _PIECES.findall(text) for part in chop_cells(word, cells)):
        if cell_len(lines[-1]) + cell_len(piece.rstrip()) <= cells:
            lines[-1] += piece
        elif not piece.isspace():
            lines.append(piece)
    return [line.rstrip() for line in lines if line.strip()] or [""]
