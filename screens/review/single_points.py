"""What is highly available in this plan, and what is not: everything that exists only once, and what changes that."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby
from typing import ClassVar

from rich.console import Group
from rich.padding import Padding
from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.single_points import SinglePoint, single_points
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.sections import section_of_field
from screens.shell.base import Dialog, key


class SinglePointsDialog(Dialog[None]):
    """A page to read."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("up,down", "scroll", "move"),
        key("pageup,pagedown", "scroll", "move", show=False),
    ]
    AUTO_FOCUS = "VerticalScroll"

    def __init__(self, spec: ClusterSpec) -> None:
        super().__init__()
        self._points = single_points(spec)

    def title_text(self) -> Text:
        """That this is what exists only once, and what does not."""
        return T("single_points.title")

    def body(self) -> Iterable[Widget]:
        """Everything, by what happens to it."""
        with VerticalScroll():
            yield Static(id="points")

    def refresh_view(self) -> None:
        """Say it."""
        parts: list[Padding | Line] = []
        if not self._points:
            parts.append(Line(str(T("single_points.none"))))
        for loss, points in groupby(self._points, lambda point: point.loss):
            heading = str(Text(f"single_points.{loss.value}"))  # words: single_points.*
            parts += [*([Line()] if parts else []), Line(heading, style=self.style("accent", bold=True))]
            parts += [Padding(self._line(point), (0, 0, 0, 2)) for point in points]
        self.query_one("#points", Static).update(Group(*parts))

    def _line(self, point: SinglePoint) -> Line:
        line = Line(f"{self.glyphs.dash} {clean_line(str(point.text))}")
        if point.choice:
            section = str(Text(f"section.{section_of_field(point.choice)}"))  # words: section.*
            line.append(f"  {T('single_points.choice', section=section)}", style="dim")
        return line

    def action_scroll(self) -> None:
        """Named for the line of keys; the list itself scrolls."""
