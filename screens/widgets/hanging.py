"""Sentences that go on below themselves when they do not fit, not below their sign."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from rich.cells import cell_len, chop_cells
from rich.text import Text as Line
from textual.app import RenderResult
from textual.geometry import Size
from textual.visual import visualize
from textual.widget import Widget

_PIECES: Final = re.compile(r"[（「《“]*(?:[⺀-￯]|[^\s⺀-￯“”]+)[，。：；！？、）」》”]*|\s+|[“”]+")
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


def broken_page(page: Line, cells: int) -> Line:
    """Every line of a page broken as by `broken_line`; those that are broken at blanks are left to the terminal."""
    lines = page.split("\n", allow_blank=True)
    if page.no_wrap or cells < LEAST_CELLS or not _WIDE.search(page.plain):
        return page
    return Line("\n").join(part for line in lines for part in broken_line(line, cells))


class Sentence(Widget):
    """A widget that says sentences, broken where their language allows it."""

    def sentence(self) -> Line:
        """What it says, unbroken."""
        raise NotImplementedError

    def render(self) -> RenderResult:
        """The sentence, in as many lines as it takes."""
        return self._broken(self.content_size.width)

    def get_content_width(self, container: Size, viewport: Size) -> int:
        """The width of the sentence in one line, as far as there is room."""
        whole = visualize(self, self.sentence(), markup=False)
        return min(whole.get_optimal_width(cast(Any, self.styles), container.width), container.width)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as it takes at this width."""
        page = visualize(self, self._broken(width), markup=False)
        return page.get_height(cast(Any, self.styles), width) if width else 0

    def _broken(self, cells: int) -> Line:
        said = self.sentence()
        return said if self.styles.text_wrap == "nowrap" else broken_page(said, cells)


def broken(text: str, cells: int) -> list[str]:
    """A sentence in lines of at most so many cells; at least one line. A word that is longer is broken, too."""
    lines = [""]
    for piece in (part for word in _PIECES.findall(text) for part in chop_cells(word, cells)):
        if cell_len(lines[-1]) + cell_len(piece.rstrip()) <= cells:
            lines[-1] += piece
        elif not piece.isspace():
            lines.append(piece)
    return [line.rstrip() for line in lines if line.strip()] or [""]
