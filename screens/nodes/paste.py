"""Takes servers from a list that is pasted or typed, and shows what is understood before anything is added."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import events, work
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static, TextArea

from rbdtui.words import T, Text
from rbdtui.workbench.pasting import MOST_CHARS, Pasted, Remark, harmless_lines, is_path, read_given
from screens.shell.base import Dialog, Words, key

READ_AFTER_S: Final = 0.2
TEXT_CELLS: Final = 24
MOST_SHOWN_CHARS: Final = 20_000
"""Of what is pasted, more is read but not shown: a text field of 10 000 lines would stand in the way of keys."""


class ListArea(TextArea):
    """Where the list is typed or pasted; a line that is left empty ends it."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "end_line", "end_list", priority=True)]

    def action_end_line(self) -> None:
        """A new line, or the end of the list where this one is empty and the key was pressed for itself.

        An empty line of a text that comes as keys, from a terminal that does not tell a paste, is part of that text.
        """
        row, _ = self.cursor_location
        assert isinstance(self.screen, PasteDialog)
        ends = self.text.strip() and not self.document.get_line(row).strip()
        if ends and not self.screen.program.key_order.at_a_stroke:
            self.screen.action_take()
        else:
            self.insert("\n")

    async def _on_paste(self, event: events.Paste) -> None:
        """A list goes through the dialog, which keeps long ones away from the field."""
        event.stop()
        event.prevent_default()
        assert isinstance(self.screen, PasteDialog)
        self.screen.take_in(event.text)


class PasteDialog(Dialog[Pasted]):
    """Answers what is to be added."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("f2", "take", "add"),
        key("f3", "look_on", "page"),
        key("ctrl+l", "clear", "clear_list"),
    ]
    AUTO_FOCUS = "#list"

    def __init__(self, text: str) -> None:
        super().__init__()
        self._beyond = ""
        """What was pasted and is not shown in the field."""
        self._first = text
        self._read = Pasted()

    def title_text(self) -> Text:
        """That servers are added from a list."""
        return T("paste.title")

    def body(self) -> Iterable[Widget]:
        """What is understood, the field, and what came of it."""
        yield Words(T("paste.explain"), classes="paragraph")
        yield ListArea(id="list", soft_wrap=False, compact=True, highlight_cursor_line=False, tab_behavior="focus")
        yield Words(self._beyond_words, id="beyond")
        yield VerticalScroll(Static(id="read"), id="result", can_focus=False)

    def on_mount(self) -> None:
        """Take in what was pasted before."""
        self.watch(self._result, "virtual_size", self.refresh_bindings, init=False)
        if self._first:
            self.take_in(self._first)
        self._read_list()

    def take_in(self, text: str) -> None:
        """Take a pasted text in: into the field what it can hold, the rest beside it."""
        area = self.query_one(ListArea)
        text = harmless_lines(text)
        room = max(0, MOST_SHOWN_CHARS - len(area.text))
        if len(text) <= room and not self._beyond:
            area.insert(text)
        else:
            cut = text.rfind("\n", 0, room) + 1
            area.insert(text[:cut])
            self._beyond = f"{self._beyond}{text[cut:]}"[:MOST_CHARS]
            self.query_one("#beyond", Words).refresh(layout=True)
            self._read_list()

    def _beyond_words(self) -> Line:
        lines = self._beyond.count("\n") + 1 if self._beyond else 0
        return Line(str(T("paste.beyond", lines=lines)) if lines else "", style=self.style("muted"))

    def action_clear(self) -> None:
        """Begin anew."""
        self._beyond = ""
        self.query_one(ListArea).clear()
        self.query_one("#beyond", Words).refresh(layout=True)
        self._read_list()

    def on_text_area_changed(self) -> None:
        """Something else stands in the field."""
        self._read_list()

    @property
    def _list_text(self) -> str:
        return f"{self.query_one(ListArea).text}\n{self._beyond}"

    @work(group="brief", exclusive=True, exit_on_error=False)
    async def _read_list(self) -> None:
        """Understand the text away from the keys, a moment after the last letter."""
        text = self._list_text
        await asyncio.sleep(READ_AFTER_S if len(text) > MOST_SHOWN_CHARS else 0)
        workbench = self.program.workbench
        if workbench is not None:
            data = workbench.draft.data
            self._read = await asyncio.to_thread(read_given, text, data)
            self._draw()

    def refresh_view(self) -> None:
        """Say what was understood anew."""
        if self.redraw:
            self._draw()

    def _draw(self) -> None:
        read, page = self._read, Line()
        if not read.nodes and not read.refused and not read.settings:
            page.append(str(T("paste.nothing_yet")), style="dim")
        counts = [
            (len(read.nodes), "taken", self.glyphs.ok, "success"),
            (read.refused, "refused", self.glyphs.warn, "warning"),
            (read.remarked, "remarked", self.glyphs.warn, "secondary"),
        ]
        for count, key_, sign, colour in counts:
            if count:
                words = T(f"paste.{key_}", count=count)  # words: paste.*
                page.append(f"{sign} {words}\n", style=self.style(colour, bold=True))
        self._draw_remarks(page, read.refusals, read.refused, "warning")
        self._draw_remarks(page, read.remarks, read.remarked, "secondary")
        for node in read.nodes:
            page.append(f"  {node.name}  {node.address or T('nodes.no_address')}")
            if node.renamed_from:
                page.append(f"  {T('paste.renamed', before=node.renamed_from)}", style="dim")
            if (known := read.updated.get(node.name)) is not None:
                page.append(f"  {T('cli.import.updates', node=known)}", style="dim")
            page.append("\n")
        for path, value in read.settings.items():
            page.append(f"  {path}: {value}\n")
        page.rstrip()
        self.query_one("#read", Static).update(page)
        self.call_after_refresh(self.refresh_bindings)

    def _draw_remarks(self, page: Line, remarks: Sequence[Remark], count: int, colour: str) -> None:
        """Lines that were not taken, or not wholly, and why."""
        for remark in remarks:
            page.append(f"  {T('paste.line', line=remark.line)} ", style="dim")
            page.append(f"{remark.text[:TEXT_CELLS].expandtabs(1)}  ")
            page.append(f"{remark.why}\n", style=self.style(colour))
        if count > len(remarks):
            page.append(f"  {T('paste.more_lines', count=count - len(remarks))}\n", style="dim")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something further only where not all is in sight."""
        return action != "look_on" or (self.is_mounted and self._result.max_scroll_y > 0)

    @property
    def _result(self) -> VerticalScroll:
        return self.query_one("#result", VerticalScroll)

    def action_look_on(self) -> None:
        """See what stands further down, and at the end the beginning again."""
        result = self._result
        at_end = result.scroll_offset.y >= result.max_scroll_y
        result.scroll_to(y=0 if at_end else result.scroll_offset.y + max(1, result.size.height - 1), animate=False)

    def action_take(self) -> None:
        """Answer what was understood of all that stands there now."""
        workbench = self.program.workbench
        if workbench is None:
            return
        if is_path(self._list_text):
            self._take_file()
        else:
            self._take(read_given(self._list_text, workbench.draft.data))

    @work(group="brief", exclusive=True, exit_on_error=False)
    async def _take_file(self) -> None:
        """Read the file away from the keys, since its disk may be slow."""
        workbench = self.program.workbench
        if workbench is not None:
            self._take(await asyncio.to_thread(read_given, self._list_text, workbench.draft.data))

    def _take(self, read: Pasted) -> None:
        self._read = read
        if read.nodes or read.settings:
            self.dismiss(read)
        else:
            self._draw()
            self.tell(T("paste.nothing_taken"), bad=True)
