"""Earlier runs of the site: when each began and how it ended; Enter opens one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import ClassVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.words import T, Text
from rbdtui.workbench.live.node_rows import Mark
from rbdtui.workbench.run.run_list import RunLine, list_runs
from screens.dialogs.list_dialog import ListDialog
from screens.run.run_words import PHASE_MARKS
from screens.shell.base import Words, key
from screens.shell.list_screen import PROBLEMS_KEY, SEARCH_KEY
from screens.terminal import clock
from screens.widgets.canvas import look_style

_WORD_CELLS = 16


class RunsDialog(ListDialog[str]):
    """Answers the id of the run that was chosen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "choose", "open"),
        SEARCH_KEY,
        PROBLEMS_KEY,
    ]

    def __init__(self, shown: str) -> None:
        super().__init__()
        self._run = shown
        self._lines: list[RunLine] = []

    def title_text(self) -> Text:
        """That these are the runs of the site."""
        return T("run_screen.runs.title")

    def body(self) -> Iterable[Widget]:
        """The list."""
        yield from self.list_widgets()
        yield Words(T("run_screen.runs.hint"), classes="below")

    def on_mount(self) -> None:
        """Read."""
        self._read()

    @work(exit_on_error=False, group="brief")
    async def _read(self) -> None:
        assert self.program.workbench is not None
        self._lines = await asyncio.to_thread(list_runs, self.program.workbench.site)
        self.lay_out(next((place for place, line in enumerate(self._lines) if line.run_id == self._run), 0))

    def refresh_view(self) -> None:
        """Say the words anew."""
        if self.redraw:
            self.narrow()

    @property
    def count(self) -> int:
        """How many runs there are."""
        return len(self._lines)

    def option(self, place: int) -> Option:
        """One of them as it is listed."""
        return Option(self._line(self._lines[place]), id=self._lines[place].run_id)

    def searched(self, place: int) -> str:
        """When it began, its id, how it ended and what it did."""
        return f"{self._lines[place].run_id} {self._line(self._lines[place]).plain}"

    def mark(self, place: int) -> Mark:
        """Whether it ended badly, or waits for somebody."""
        look = PHASE_MARKS[self._lines[place].phase].look
        return Mark.WARNING if "error" in look or "warning" in look else Mark.OK

    def _line(self, run: RunLine) -> Line:
        phase = run.phase
        mark = PHASE_MARKS[phase]
        word = str(T(f"run_screen.phase.{phase.value}"))  # words: run_screen.phase.*
        sign = mark.sign(ascii_only=self.program.settings.ascii_only)
        line = Line(f"{clock.day(run.began_at) if run.began_at is not None else '':<17} ", no_wrap=True)
        line.append(f"{run.run_id.rpartition('-')[2]:<6}", style="dim")
        said = f"{sign} {word}"
        line.append(set_cell_size(said, max(_WORD_CELLS, cell_len(said))), style=look_style(self, mark.look))
        if run.outcome is not None:
            changed, time = run.changed, clock.lapse(run.duration_s)
            line.append(str(T("run_screen.runs.figures", changed=changed, time=time)), style="dim")
        if run.other_work is not None:
            line.append(f"  {run.other_work}")
        return line

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Dismiss with the id of the run that was chosen."""
        event.stop()
        self.dismiss(event.option_id)

    def action_choose(self) -> None:
        """Answer with what is under the cursor."""
        self.listed.action_select()
