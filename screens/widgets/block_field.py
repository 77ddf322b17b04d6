"""A field that holds more than a line: what stands in it; Enter opens it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.text import Text as Line
from textual.app import RenderResult
from textual.binding import BindingType
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from rbdtui.findings import Finding
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from screens.shell.base import key
from screens.terminal.theme import rich_colour
from screens.widgets.canvas import cut
from screens.widgets.field import Label, Verdict
from screens.widgets.frame import signs


class BlockLine(Widget, can_focus=True):
    """The names of what is in it; Enter opens it."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "open", "edit")]
    names: reactive[tuple[str, ...]] = reactive(())

    class Wanted(Message):
        """The operator wishes to edit it."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    def __init__(self, path: str) -> None:
        super().__init__(classes="field-line")
        self.path = path

    def render(self) -> RenderResult:
        """The names, one after the other; how many there are where not all have room."""
        if not self.names:
            return Line(str(T("form.no_block")), style="dim")
        text = clean_line(", ".join(self.names))
        if cell_len(text) > self.size.width:
            count = str(T("form.block_count", count=len(self.names)))
            text = cut(text, max(1, self.size.width - cell_len(count)), signs(self).cut) + count
        return Line(text, style=rich_colour(self.app, "foreground"), no_wrap=True)

    def action_open(self) -> None:
        """Ask for it to be opened."""
        self.post_message(self.Wanted(self.path))


class BlockField(Widget):
    """A labelled `BlockLine` with its verdict."""

    def __init__(self, label: Text, path: str) -> None:
        super().__init__()
        self._label, self.path = label, path

    def compose(self) -> Iterable[Widget]:
        """Label, names and verdict."""
        yield Label(self._label)
        yield BlockLine(self.path)
        yield Verdict()

    def show(self, names: Sequence[str], findings: Sequence[Finding]) -> None:
        """Show what stands in it, and what is wrong with it."""
        self.query_one(BlockLine).names = tuple(names)
        self.query_one(Verdict).findings = tuple(findings)

    def advise(self, hint: Text | None, *, good: bool = False) -> None:
        """Say something beneath it, as long as nothing is wrong."""
        verdict = self.query_one(Verdict)
        verdict.hint, verdict.good = hint, good
