"""Steering a run: pause, go on, retry, stop, answer, leave; each only where it has a meaning."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import ClassVar, Final

from textual import work
from textual.binding import BindingType

from rbdtui.engine.client import RunClient
from rbdtui.engine.journal import JournalError
from rbdtui.engine.state import RunState, StepState, StepStatus
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.run.run_phase import RunPhase, phase_of
from rbdtui.workbench.run.run_view import RunFollower
from screens.dialogs.confirm import ConfirmDialog
from screens.dialogs.question import QuestionDialog
from screens.shell.base import SectionScreen, key
from screens.shell.questions import waits_for_answer

_WHILE: Final[Mapping[str, Callable[[RunPhase], bool]]] = {
    "pause": lambda phase: phase in (RunPhase.RUNNING, RunPhase.ASKING),
    "resume": lambda phase: phase is RunPhase.PAUSED,
    "go_on": lambda phase: phase.can_go_on,
    "begin_anew": lambda phase: phase.can_be_given_up,
    "stop": lambda phase: phase.live and phase is not RunPhase.STOPPING,
    "detach": lambda phase: phase.live,
}
"""In which phases an action has a meaning."""
_INSTALLING: Final = ("go_on", "begin_anew")
"""What has a meaning for an installation only: other work is asked for again."""
_RETRIED: Final = (StepStatus.ASKING, StepStatus.RETRYING)


class RunSteering(SectionScreen):
    """What an operator can have a run do; it shows nothing itself."""

    STEERING: ClassVar[tuple[BindingType, ...]] = (
        key("a", "answer", "answer"),
        key("p", "pause", "pause"),
        key("p", "resume", "resume"),
        key("p", "go_on", "go_on"),
        key("b", "begin_anew", "begin_anew"),
        key("r", "retry", "retry"),
        key("s", "stop", "stop"),
        key("d", "detach", "detach"),
    )

    @property
    def run(self) -> RunFollower | None:
        """The run that is looked at."""
        return self.workbench.run

    @property
    def selected_step(self) -> StepState | None:
        """The step under the cursor."""
        raise NotImplementedError

    def may_steer(self, action: str) -> bool | None:
        """Whether an action of steering has a meaning now; None for an action that is none."""
        run = self.run
        if action in _WHILE:
            return run is not None and _WHILE[action](phase_of(run)) and (run.installs or action not in _INSTALLING)
        if action == "answer":
            return waits_for_answer(self.program.workbench) is not None
        if action == "retry":
            return run is not None and phase_of(run).live and _can_retry(run.state())
        return None

    @work(exit_on_error=False)
    async def _send(self, command: Callable[[RunClient], Awaitable[None]], done: Text | None = None) -> None:
        run = self.run
        if run is not None and await self.done(run.send(command)) and done is not None:
            self.tell(done)

    def action_pause(self) -> None:
        """Have no further step started."""
        self._send(RunClient.pause)

    def action_resume(self) -> None:
        """Have steps started again."""
        self._send(RunClient.resume, T("run_screen.told.resumed"))

    def action_retry(self) -> None:
        """Have the step under the cursor tried again, else all that failed."""
        step = self.selected_step
        run = self.run
        if run is None:
            return
        known = run.state().steps.get(step.info.id) if step is not None else None
        step_id = known.info.id if known is not None and known.status in _RETRIED else None
        self._send(lambda client: client.retry(step_id), T("run_screen.told.retried"))

    @work(exit_on_error=False)
    async def action_stop(self) -> None:
        """End the run at a safe point, after having said what that means."""
        run = self.run
        if run is None:
            return
        counts = run.state().counts()
        question = T("run_screen.stop.question", running=counts[StepStatus.RUNNING])
        if await self.program.ask(ConfirmDialog(T("run_screen.stop.title"), question)):
            self._send(RunClient.stop)

    @work(exit_on_error=False)
    async def action_go_on(self) -> None:
        """Take up a run that was left unfinished."""
        run = self.run
        if run is None or not await self.program.ensure_unlocked(T("run_screen.why_unlock")):
            return
        try:
            interrupted = await asyncio.to_thread(self.workbench.session.interrupted_run)
        except JournalError as error:
            self.tell(error.text, bad=True)
            return
        if interrupted is None or interrupted.run_id != run.run_id:
            self.tell(T("run_screen.told.cannot_go_on"), bad=True)
            return
        self.tell(T("run_screen.told.taking_up"))
        if await self.done(self.workbench.start_run()):
            self.tell(T("run_screen.told.goes_on"))

    @work(exit_on_error=False)
    async def action_begin_anew(self) -> None:
        """Give a run up that was left unfinished, and go where a new one is started."""
        run = self.run
        if run is None:
            return
        question = T("run_screen.anew.question", run=run.run_id)
        if not await self.program.ask(ConfirmDialog(T("run_screen.anew.title"), question)):
            return
        if await self.done(run.give_up()):
            self.program.show_section(sections.REVIEW)
            self.app.call_after_refresh(self.program.tell, T("run_screen.told.given_up", run=run.run_id))

    def action_answer(self) -> None:
        """Bring back the question that waits."""
        asked = waits_for_answer(self.program.workbench)
        if asked is not None:
            self.app.push_screen(QuestionDialog(asked))

    def action_detach(self) -> None:
        """Leave the run alone and go."""
        self.program.action_leave()


def _can_retry(state: RunState) -> bool:
    return any(step.status in _RETRIED for step in state.steps.values())
