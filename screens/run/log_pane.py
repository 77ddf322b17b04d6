"""The log of a step: follows its end, or stands still where it is read; searched, cut or wrapped, never held whole."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from rbdtui.log_words import log_message
from rbdtui.words import T, Text
from rbdtui.workbench.run.log_view import LogFile, LogLine
from screens.widgets.canvas import look_style

SIDEWAYS_CELLS: Final = 20
_STAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)(?:[+-]\d{4})? ")
_HEADING: Final = re.compile(r"--- .* ---$")


@dataclass(frozen=True, slots=True)
class _Row:
    """One line of the screen."""

    offset: int
    """Where its line begins in the file."""
    part: int
    """Which part of a wrapped line it is."""
    stamp: str
    text: str


class LogPane(Widget, can_focus=True):
    """Lines of a log file; posts `Moved` when what it shows of the file is another part."""

    DEFAULT_CSS = "LogPane { width: 1fr; height: 1fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "scroll(-1)", "key.scroll", id="scroll"),
        Binding("down", "scroll(1)", "key.scroll", id="scroll"),
        Binding("pageup", "page(-1)", "key.page", id="page", show=False),
        Binding("pagedown", "page(1)", "key.page", id="page", show=False),
        Binding("home", "top", "key.log_top", id="log_top", show=False),
        Binding("end", "follow", "key.follow", id="follow"),
        Binding("left", "sideways(-1)", "key.sideways", id="sideways", show=False),
        Binding("right", "sideways(1)", "key.sideways", id="sideways", show=False),
        Binding("n", "again(False)", "key.newer", id="newer"),
        Binding("N", "again(True)", "key.older", id="older"),
        Binding("w", "wrap", "key.wrap", id="wrap"),
        Binding("m", "whole_lines", "key.whole_lines", id="whole_lines"),
    ]

    class Moved(Message):
        """It shows another part of the file, or in another way."""

    class NotFound(Message):
        """What was looked for is not there."""

        def __init__(self, text: Text) -> None:
            super().__init__()
            self.text = text

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._file: LogFile | None = None
        self._until = ""
        self._end = self._seen = 0
        self._top: int | None = None
        self._top_part = 0
        self._cut_cells = 0
        self._wraps = self._whole_lines = False
        self._wanted = ""
        self._found: int | None = None
        self._rows: list[_Row] = []
        self._empty = T("run_screen.log.empty")

    # --- what is shown ---------------------------------------------------------------------------------------

    @property
    def follows(self) -> bool:
        """Whether the end of the log is kept in sight."""
        return self._top is None

    @property
    def wraps(self) -> bool:
        """Whether long lines go on in the next one instead of being cut."""
        return self._wraps

    @property
    def whole_lines(self) -> bool:
        """Whether lines are shown as they were written, and not their messages alone."""
        return self._whole_lines

    @property
    def wanted(self) -> str:
        """What is looked for."""
        return self._wanted

    @property
    def share(self) -> float:
        """How far down in the file the last line in sight is."""
        return self._rows[-1].offset / self._end if self._rows and self._end else 1.0

    @property
    def text_rows(self) -> list[str]:
        """What is drawn, as plain text."""
        return [f"{row.stamp}{row.text}" for row in self._rows]

    def show(self, file: LogFile | None, until: str = "", *, empty: Text | None = None) -> None:
        """Show a log, or one as it was at a moment (as its lines are stamped); another one is shown from its end.

        ``empty`` stands in place of a log without lines.
        """
        self._empty = empty or T("run_screen.log.empty")
        if file != self._file:
            self._file, self._top, self._top_part, self._cut_cells, self._found = file, None, 0, 0, None
        elif until == self._until:
            return
        self._until = until
        self._measure()
        self._load()

    def poll(self) -> None:
        """Look whether the file has grown; nothing is read or drawn when it has not."""
        if self._file is None or self._until:
            return
        if self._file.size_bytes() != self._seen:
            self._measure()
            self._load()

    def _measure(self) -> None:
        file = self._file
        self._seen = file.size_bytes() if file is not None else 0
        self._end = file.end_at(self._until) if file is not None and self._until else self._seen

    def on_resize(self, _: events.Resize) -> None:
        """Use the room."""
        self._load()

    # --- lines of the screen ---------------------------------------------------------------------------------

    def _load(self) -> None:
        """Read what is in sight and draw the lines that differ."""
        before, height = self._rows, self.size.height
        if self._file is None or height == 0 or self.size.width == 0:
            self._rows = []
        elif self._top is None:
            lines = self._file.before(self._end, height)
            self._rows = [row for line in lines for row in self._parts(line)][-height:]
        else:
            lines = self._file.after(min(self._top, self._end), height)
            rows = [row for line in lines if line.offset < self._end for row in self._parts(line)]
            self._rows = rows[self._top_part : self._top_part + height]
        self._redraw(before)

    def _redraw(self, before: list[_Row]) -> None:
        count = max(len(before), len(self._rows))
        changed = {y for y in range(count) if before[y : y + 1] != self._rows[y : y + 1]}
        if changed:
            # Below headings alone it is said that nothing follows.
            changed |= {len(before), len(self._rows)}
            self.refresh(*(Region(0, y, self.size.width, 1) for y in sorted(changed)))

    def _parts(self, line: LogLine) -> Iterable[_Row]:
        match = _STAMP.match(line.text)
        stamp = f"{match[1]} " if match else ""
        text = line.text[match.end() :] if match else line.text
        text = text if self._whole_lines else log_message(text)
        if not self._wraps:
            yield _Row(line.offset, 0, stamp, text)
            return
        room = max(1, self.size.width - len(stamp))
        for part, piece in enumerate(chop_cells(text, room) or [""]):
            yield _Row(line.offset, part, stamp if part == 0 else " " * len(stamp), piece)

    def render_line(self, y: int) -> Strip:
        """One line."""
        plain, width = self.rich_style, self.size.width
        if y >= len(self._rows):
            nothing = all(_HEADING.fullmatch(row.text) for row in self._rows)
            said = str(self._empty) if nothing and y == len(self._rows) and self._file is not None else ""
            return Strip([Segment(said, plain + look_style(self, "muted"))]).adjust_cell_length(width, plain)
        row = self._rows[y]
        muted = plain + look_style(self, "muted")
        style = muted if _HEADING.fullmatch(row.text) else plain
        strip = Strip(list(self._marked(row.text, style)))
        if self._cut_cells:
            strip = strip.crop(self._cut_cells, max(self._cut_cells, strip.cell_length))
        stamp = muted + Style(reverse=True) if row.offset == self._found and row.part == 0 else muted
        whole = Strip([Segment(row.stamp, stamp), *strip])
        return whole.adjust_cell_length(width, plain)

    def _marked(self, text: str, style: Style) -> Iterable[Segment]:
        """A text with what is looked for set apart."""
        begin = 0
        if self._wanted:
            for match in re.finditer(re.escape(self._wanted), text, re.IGNORECASE):
                if match.start() > begin:
                    yield Segment(text[begin : match.start()], style)
                yield Segment(match[0], style + Style(reverse=True))
                begin = match.end()
        if begin < len(text) or not text:
            yield Segment(text[begin:], style)

    # --- moving ----------------------------------------------------------------------------------------------

    def _moved(self) -> None:
        self._load()
        self.post_message(self.Moved())

    def action_scroll(self, by: int) -> None:
        """Go up or down by a line of the screen."""
        if self._file is None or not self._rows or (by > 0 and self._top is None):
            return
        if self._top is None:
            self._top, self._top_part = self._rows[0].offset, self._rows[0].part
        for _ in range(abs(by)):
            moved = self._down() if by > 0 else self._up()
            if not moved:
                break
        if by > 0 and self._at_end():
            self._top = None
        self._moved()

    def action_page(self, by: int) -> None:
        """Go up or down by a screen."""
        self.action_scroll(by * max(1, self.size.height - 1))

    def _up(self) -> bool:
        assert self._file is not None
        assert self._top is not None
        if self._top_part > 0:
            self._top_part -= 1
            return True
        lines = self._file.before(self._top, 1)
        if not lines:
            return False
        self._top, self._top_part = lines[0].offset, len(list(self._parts(lines[0]))) - 1
        return True

    def _down(self) -> bool:
        assert self._file is not None
        assert self._top is not None
        lines = self._file.after(self._top, 2)
        if lines and self._top_part + 1 < len(list(self._parts(lines[0]))):
            self._top_part += 1
            return True
        if len(lines) < 2:
            return False
        self._top, self._top_part = lines[1].offset, 0
        return True

    def _at_end(self) -> bool:
        """Whether nothing is below what would be in sight."""
        assert self._file is not None
        assert self._top is not None
        lines = self._file.after(self._top, self.size.height + 1)
        rows = sum(len(list(self._parts(line))) for line in lines if line.offset < self._end)
        return rows - self._top_part <= self.size.height

    def action_top(self) -> None:
        """Go to the beginning."""
        if self._file is not None:
            self._top = self._top_part = 0
            self._moved()

    def action_follow(self) -> None:
        """Go to the end and keep it in sight."""
        self._top, self._top_part, self._found = None, 0, None
        self._moved()
        self.refresh()

    def action_sideways(self, by: int) -> None:
        """Show what is cut off at the right, or go back."""
        longest = max((cell_len(row.text) for row in self._rows), default=0)
        if not self._wraps:
            most = max(0, longest - self.size.width // 2)
            self._cut_cells = min(max(0, self._cut_cells + by * SIDEWAYS_CELLS), most)
            self._moved()
            self.refresh()

    def action_wrap(self) -> None:
        """Wrap long lines, or cut them."""
        self._wraps, self._cut_cells, self._top_part = not self._wraps, 0, 0
        self._moved()
        self.refresh()

    def action_whole_lines(self) -> None:
        """Show lines as they were written, or their messages."""
        self._whole_lines, self._cut_cells, self._top_part = not self._whole_lines, 0, 0
        self._moved()
        self.refresh()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """There is something to go on with once something was looked for."""
        return action != "again" or bool(self._wanted)

    # --- searching -------------------------------------------------------------------------------------------

    def search(self, wanted: str) -> None:
        """Look for a text from what is in sight towards older lines; nothing ends the search."""
        self._wanted, self._found = wanted, None
        self._moved()
        self.refresh()
        if wanted:
            self._look(older=True)

    def action_again(self, older: bool) -> None:
        """Go to the next place where the text is."""
        if self._wanted:
            self._look(older=older)

    @work(exclusive=True, group="search", exit_on_error=False)
    async def _look(self, *, older: bool) -> None:
        file, found = self._file, self._found
        if file is None:
            return
        if older:
            offset = found if found is not None else self._end
            at = await asyncio.to_thread(file.find_before, self._wanted, offset)
        else:
            line = file.after(found, 1) if found is not None else []
            at = await asyncio.to_thread(file.find_after, self._wanted, line[0].end if line else 0)
        if at is None or at >= self._end:
            which = "not_found" if found is None else "no_older" if older else "no_newer"
            self.post_message(self.NotFound(T(f"run_screen.log.{which}", text=self._wanted)))  # words: run_screen.log.*
            return
        self._found = at
        self.call_after_refresh(self._show_found, file, at)

    def _show_found(self, file: LogFile, at: int) -> None:
        """Bring a place into sight with some lines above it, once it is known how many lines there are room for."""
        if file != self._file or at != self._found:
            return
        above = file.before(at, self.size.height // 3) or file.after(at, 1)
        page = file.before(self._end, self.size.height)
        if above and page:
            self._top, self._top_part = min(above[0].offset, page[0].offset), 0
        self._moved()
        self.refresh()
