"""Looking back in a run: which moment of it is shown, and the keys that go through its time."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.binding import BindingType

from rbdtui.engine.state import RunState
from rbdtui.workbench.run.replay import Replay
from rbdtui.workbench.run.run_phase import RunPhase, phase_of, phase_then
from rbdtui.workbench.run.run_view import RunFollower
from screens.run.run_steering import RunSteering
from screens.shell.base import key
from screens.terminal import clock

TICK_S: Final = 1.0
SLOW_TICK_S: Final = 5.0
LEAP: Final = 0.05
"""How much of a run's time is passed at once."""


class RunPast(RunSteering):
    """A run at a moment, its present as long as nobody looks back."""

    IN_THE_PAST: ClassVar[tuple[BindingType, ...]] = (
        key("right_curly_bracket", "present", "to_present"),
        key("right_square_bracket", "step_on", "look_on"),
    )
    """Before other keys: they matter most while an earlier moment is shown, and are there only then."""
    TO_THE_PAST: ClassVar[tuple[BindingType, ...]] = (
        key("left_square_bracket", "step_back", "look_back"),
        key("shift+left", "leap(-1)", "leap_back", show=False),
        key("shift+right", "leap(1)", "leap_on", show=False),
        key("left_curly_bracket", "begin", "to_begin", show=False),
    )

    def __init__(self) -> None:
        super().__init__()
        self.replay = Replay()

    def after_move(self) -> None:
        """Draw what is shown now, and the keys that have a meaning there."""
        raise NotImplementedError

    @property
    def tick_s(self) -> float:
        """How often running clocks are drawn."""
        return SLOW_TICK_S if self.program.settings.slow_link else TICK_S

    @property
    def moment(self) -> clock.Moment:
        """When it is on the picture."""
        run = self.run
        if run is not None and self.replay.looks_back:
            return clock.Moment(self.replay.at(self.end_of(run)))
        if run is not None and not (phase := phase_of(run)).live:
            return clock.Moment(run.state().at, live=phase is RunPhase.HALTED)
        at = run.state().present(clock.now(), clock.steady()) if run is not None else clock.now()
        return clock.Moment(at, self.tick_s)

    @staticmethod
    def end_of(run: RunFollower) -> float:
        """Up to when there is something to look back at."""
        last = run.records[-1].at if run.records else 0.0
        return max(last, run.state().present(clock.now(), clock.steady())) if phase_of(run).live else last

    def state_of(self, run: RunFollower) -> RunState:
        """The run as it was at that moment."""
        return run.state_at(self.replay.count) if self.replay.count is not None else run.state()

    def shown_phase(self, run: RunFollower) -> RunPhase:
        """How it stood then."""
        return phase_then(self.state_of(run)) if self.replay.looks_back else phase_of(run)

    def may_go(self, action: str) -> bool | None:
        """Whether an action of looking back has a meaning now; None for an action that is none."""
        if action in ("present", "step_on"):
            return self.run is not None and self.replay.looks_back
        return self.run is not None if action in ("step_back", "leap", "begin") else None

    def action_step_back(self) -> None:
        """Go to what happened before."""
        self._step(-1)

    def action_step_on(self) -> None:
        """Go to what happened after."""
        self._step(1)

    def _step(self, by: int) -> None:
        if self.run is not None:
            self.replay.step(self.run.records, by)
            self.after_move()

    def action_leap(self, by: int) -> None:
        """Go back or on by a share of the run's time."""
        if self.run is not None:
            self.replay.leap(self.run.records, by * LEAP, self.end_of(self.run))
            self.after_move()

    def action_begin(self) -> None:
        """Go to where the run begins."""
        if self.run is not None:
            self.replay.begin(self.run.records)
            self.after_move()

    def action_present(self) -> None:
        """Go to how it is now."""
        self.replay.now()
        self.after_move()
