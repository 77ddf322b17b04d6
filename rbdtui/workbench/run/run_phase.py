"""How a run stands as a whole, in one word: what its state, its runner and its journal say together."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from rbdtui.engine.events import RunOutcome
from rbdtui.engine.state import RunState
from rbdtui.workbench.run.run_view import RunFollower


class RunPhase(StrEnum):
    """One word for a run."""

    READING = "reading"
    """The journal has not been read to its end yet."""
    BROKEN = "broken"
    """The journal cannot be read on."""
    RUNNING = "running"
    ASKING = "asking"
    """A question is open."""
    PAUSED = "paused"
    STOPPING = "stopping"
    """It ends as soon as the steps under way have ended."""
    HALTED = "halted"
    """Its runner was halted from outside: it is there, and does nothing."""
    GONE = "gone"
    """Its runner is gone without an end."""
    GIVEN_UP = "given_up"
    """It was left unfinished for good."""
    DONE = "done"
    PARTIAL = "partial"
    FAILED = "failed"
    STOPPED = "stopped"

    @property
    def live(self) -> bool:
        """Whether a runner is at work."""
        return self in _LIVE

    @property
    def can_go_on(self) -> bool:
        """Whether it can be taken up again."""
        return self in (RunPhase.GONE, RunPhase.FAILED, RunPhase.STOPPED)

    @property
    def can_be_given_up(self) -> bool:
        """Whether it was left unfinished, so that a new run may be begun in its stead."""
        return self.can_go_on or self is RunPhase.BROKEN


_LIVE: Final = frozenset({RunPhase.RUNNING, RunPhase.ASKING, RunPhase.PAUSED, RunPhase.STOPPING})
_ENDED: Final = {
    RunOutcome.DONE: RunPhase.DONE,
    RunOutcome.PARTIAL: RunPhase.PARTIAL,
    RunOutcome.FAILED: RunPhase.FAILED,
    RunOutcome.STOPPED: RunPhase.STOPPED,
}


def phase_of(run: RunFollower) -> RunPhase:
    """How a run stands now."""
    if run.given_up and not run.alive:
        return RunPhase.GIVEN_UP
    if run.error is not None:
        return RunPhase.BROKEN
    if not run.caught_up:
        return RunPhase.READING
    state = run.state()
    if run.halted_pid is not None and state.outcome is None:
        return RunPhase.HALTED
    return _phase(state, alive=run.alive)


def phase_then(state: RunState) -> RunPhase:
    """How a run stood at an earlier moment, when its runner was at work."""
    return _phase(state, alive=True)


def _phase(state: RunState, *, alive: bool) -> RunPhase:
    if state.outcome is not None:
        return _ENDED[state.outcome]
    if not alive:
        return RunPhase.GONE
    if state.questions:
        return RunPhase.ASKING
    if state.stop is not None:
        return RunPhase.STOPPING
    return RunPhase.PAUSED if state.paused_by is not None else RunPhase.RUNNING
