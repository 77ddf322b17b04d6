"""Widgets drawn line by line from spans, which repaint no more than the spans that have changed."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.strip import Strip
from textual.widget import Widget

from rbdtui.terminal_text import clean_line
from screens.terminal.theme import rich_colour


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    x: int
    """Where it begins, in cells."""
    text: str
    look: str = ""
    """A colour of the theme and attributes, e.g. ``bold success``, ``muted``; empty for plain text."""
    cells: int = 0
    """How wide it is: text is cut or filled up to that; 0 for as wide as the text."""
    key: Hashable = None
    """What it stands for, when a cursor can be put on it."""

    @property
    def width(self) -> int:
        """How wide it is."""
        return self.cells or cell_len(self.text)


Spans = tuple[Span, ...]


class Canvas(Widget):
    """Lines of spans; `draw` shows others and repaints only what differs."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"canvas--cursor", "canvas--cursor-away"}
    DEFAULT_CSS = """
    Canvas {
        height: auto;
        width: 1fr;
        &> .canvas--cursor { background: $block-cursor-background; color: $block-cursor-foreground; text-style: bold; }
        &> .canvas--cursor-away { background: $block-cursor-blurred-background; }
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes)
        self._drawn: tuple[Spans, ...] = ()
        self._on: Hashable = None
        self._styles_known: dict[str, Style] = {}

    # --- what is shown ---------------------------------------------------------------------------------------

    @property
    def text_lines(self) -> list[str]:
        """What is drawn, as plain text."""
        return [strip_of(line, self.content_size.width, _unstyled).text.rstrip() for line in self._drawn]

    def draw(self, lines: Iterable[Spans], *, cursor: Hashable = None) -> None:
        """Show these lines, with the cursor on the spans of that key."""
        before, self._drawn = self._drawn, tuple(lines)
        regions = list(_differences(before, self._drawn, self.size.width))
        if cursor != self._on:
            regions += self._regions_of(before, self._on)
            regions += self._regions_of(self._drawn, cursor)
            self._on = cursor
        if len(before) != len(self._drawn) and self.styles.is_auto_height:
            self.refresh(layout=True)
        elif regions:
            self.refresh(*(region.translate(self.content_offset_in_widget) for region in regions))

    @property
    def content_offset_in_widget(self) -> tuple[int, int]:
        """Where the content begins."""
        gutter = self.gutter
        return gutter.left, gutter.top

    @staticmethod
    def _regions_of(lines: Sequence[Spans], key: Hashable) -> list[Region]:
        if key is None:
            return []
        return [Region(span.x, y, span.width, 1) for y, line in enumerate(lines) for span in line if span.key == key]

    # --- how it is drawn -------------------------------------------------------------------------------------

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """As many lines as there are."""
        return len(self._drawn)

    def render_line(self, y: int) -> Strip:
        """One line."""
        line = self._drawn[y] if y < len(self._drawn) else ()
        return strip_of(line, self.content_size.width, self._style_of)

    def _style_of(self, span: Span | None) -> Style:
        if span is None:
            return self._look("")
        style = self._look(span.look)
        if span.key is not None and span.key == self._on:
            name = "canvas--cursor" if self.has_focus else "canvas--cursor-away"
            partial = self.get_component_rich_style(name, partial=True)
            style = style + (partial if self.has_focus else Style(bgcolor=partial.bgcolor))
        return style

    def _look(self, look: str) -> Style:
        known = self._styles_known.get(look)
        if known is None:
            known = self._styles_known[look] = self.rich_style + look_style(self, look)
        return known

    def notify_style_update(self) -> None:
        """Colours are another theme's."""
        self._styles_known = {}
        super().notify_style_update()

    def refresh_cursor(self) -> None:
        """Draw the cursor as one that has the keys, or not."""
        if regions := self._regions_of(self._drawn, self._on):
            self.refresh(*(region.translate(self.content_offset_in_widget) for region in regions))

    def on_focus(self, _: events.Focus) -> None:
        """Show that keys go here."""
        self.refresh_cursor()

    def on_blur(self, _: events.Blur) -> None:
        """Show that keys go elsewhere."""
        self.refresh_cursor()


def look_style(widget: Widget, look: str) -> Style:
    """A rich style for words such as ``bold success``."""
    words = [word if word in _ATTRIBUTES else rich_colour(widget.app, word) for word in look.split()]
    return Style.parse(" ".join(words)) if words else Style.null()


_ATTRIBUTES: Final = frozenset({"bold", "dim", "italic", "underline", "reverse", "default", "not"})


def _unstyled(_: Span | None) -> Style:
    return Style.null()


def strip_of(line: Spans, width: int, style_of: Callable[[Span | None], Style]) -> Strip:
    """A line of a given width; what does not fit is cut, and what lies over another span is left out."""
    plain = style_of(None)
    segments: list[Segment] = []
    x = 0
    for span in line:
        if span.x < x or span.x >= width:
            continue
        if span.x > x:
            segments.append(Segment(" " * (span.x - x), plain))
        cells = min(span.width, width - span.x)
        text = span.text if span.text.isprintable() else clean_line(span.text)
        text = text if cell_len(text) == cells else set_cell_size(text, cells)
        segments.append(Segment(text, style_of(span)))
        x = span.x + cells
    if x < width:
        segments.append(Segment(" " * (width - x), plain))
    return Strip(segments, width)


def cut(text: str, cells: int, mark: str = "…") -> str:
    """A text cut to a width, with a mark where something is missing."""
    if cell_len(text) <= cells:
        return text
    return set_cell_size(text, max(0, cells - cell_len(mark))) + mark if cells > cell_len(mark) else mark[:cells]


def cut_name(name: str, cells: int, mark: str = "…") -> str:
    """A name cut to a width at its beginning: names of servers differ in their ends."""
    if cell_len(name) <= cells:
        return name
    kept = name
    while kept and cell_len(kept) > cells - cell_len(mark):
        kept = kept[1:]
    return mark + kept if cells >= cell_len(mark) else ""


def _differences(before: Sequence[Spans], after: Sequence[Spans], width: int) -> Iterable[Region]:
    for y in range(max(len(before), len(after))):
        old = before[y] if y < len(before) else ()
        new = after[y] if y < len(after) else ()
        if old == new:
            continue
        if [(span.x, span.width) for span in old] == [(span.x, span.width) for span in new]:
            yield from (Region(two.x, y, two.width, 1) for one, two in zip(old, new, strict=True) if one != two)
        else:
            yield Region(0, y, width, 1)
