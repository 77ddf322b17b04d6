"""What failed in a run, or, once something is typed, every step in whose log it stands."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.widgets import Input
from textual.widgets.option_list import Option

from rbdtui.engine.state import StepState
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.run.log_search import search_logs
from rbdtui.workbench.run.run_view import RunFollower
from screens.dialogs.found_by_typing import FoundByTyping
from screens.shell.base import key
from screens.terminal import clock
from screens.widgets.canvas import look_style
from screens.widgets.marks import step_mark

NAME_CELLS: Final = 30


@dataclass(frozen=True, slots=True)
class Place:
    """A step to go to, and the text to look for in its log; empty for none."""

    step: str
    wanted: str


class RunLogsDialog(FoundByTyping[Place]):
    """Answers where to go."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "choose", "open", priority=True)]
    HINT = T("run_screen.all_logs.hint")

    def __init__(self, run: RunFollower, failed: Sequence[StepState]) -> None:
        super().__init__()
        self._run, self._failed = run, failed
        self._wanted = ""

    def title_text(self) -> Text:
        """That the logs of all steps are searched."""
        return T("run_screen.all_logs.title")

    def on_mount(self) -> None:
        """Begin with what failed."""
        self._list_failed()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Look for what is typed so far."""
        event.stop()
        self._wanted = event.value.strip()
        if self._wanted:
            self._look(self._wanted)
        else:
            self._list_failed()

    def _list_failed(self) -> None:
        said = [(step, step.failure.text if step.failure is not None else "") for step in self._failed]
        self._list([(step, str(text)) for step, text in said], T("run_screen.all_logs.none_failed"))

    @work(exclusive=True, group="brief", exit_on_error=False)
    async def _look(self, wanted: str) -> None:
        steps = self._run.state().steps
        logs = [(name, self._run.log(name)) for name in steps]
        hits = await asyncio.to_thread(search_logs, logs, wanted)
        if wanted == self._wanted:
            found = [(steps[hit.step], hit.message) for hit in hits]
            self._list(found, T("run_screen.all_logs.nothing", wanted=clean_line(wanted)))

    def _list(self, places: Sequence[tuple[StepState, str]], nothing: Text) -> None:
        self.show([Option(self._line(step, said), id=step.info.id) for step, said in places], str(nothing))

    def _line(self, step: StepState, said: str) -> Line:
        mark = step_mark(step, clock.Moment(clock.now()))
        sign = mark.sign(ascii_only=self.program.settings.ascii_only)
        name = f"{step.info.node or T('run_screen.this_machine')}  {step.info.title}"
        line = Line(f"{sign} ", style=look_style(self, mark.look), no_wrap=True, overflow="ellipsis")
        line.append(set_cell_size(name, max(NAME_CELLS, cell_len(name) + 1)), style="default not bold")
        line.append(clean_line(said), style="dim not bold")
        return line

    def action_choose(self) -> None:
        """Dismiss with the step under the cursor, and the text that was looked for."""
        option = self.listed.highlighted_option
        if option is not None and option.id is not None:
            self.dismiss(Place(option.id, self._wanted))
