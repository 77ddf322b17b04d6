"""When a run needs somebody or has ended, the terminal rings once, so that nobody has to keep looking at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rbdtui.workbench.run.run_phase import RunPhase
    from rbdtui.workbench.run.run_view import RunFollower


class Attention:
    """Compares how a run stood when it was last looked at with how it stands now."""

    def __init__(self) -> None:
        self._run_id = ""
        self._phase: RunPhase | None = None
        self._questions: frozenset[str] = frozenset()

    def calls(self, run: RunFollower | None) -> bool:
        """Whether the run has come to ask, or to its end, since the last call; never for how it was found."""
        if run is None:
            self._run_id = ""
            return False
        from rbdtui.workbench.run.run_phase import phase_of  # a start without a run needs nothing of it

        phase, questions = phase_of(run), frozenset(run.state().questions)
        known, before = self._run_id == run.run_id and self._phase is not None and self._phase.live, self._questions
        self._run_id, self._phase, self._questions = run.run_id, phase, questions
        return known and (bool(questions - before) or not phase.live)
