"""Signs, words and colours of states: of steps, of lanes, of answers to health questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from rbdtui.engine.state import StepState, StepStatus
from rbdtui.plan.step import StepKind
from rbdtui.probes.model import ProbeState
from rbdtui.words import T, Text
from screens.terminal.clock import Moment, lapse
from screens.widgets.canvas import cut

BAR_CELLS: Final = 5


@dataclass(frozen=True, slots=True)
class Mark:
    """One state: a sign of one cell, in Unicode and in ASCII, and a colour."""

    fancy: str
    plain: str
    look: str

    def sign(self, *, ascii_only: bool) -> str:
        """The sign."""
        return self.plain if ascii_only else self.fancy


STEP_MARKS: Final[Mapping[StepStatus, Mark]] = {
    StepStatus.WAITING: Mark("·", ".", "muted"),
    StepStatus.READY: Mark("·", ".", "muted"),
    StepStatus.RUNNING: Mark("▸", ">", "bold accent"),
    StepStatus.RETRYING: Mark("~", "~", "bold warning"),
    StepStatus.FAILED: Mark("✗", "x", "bold error"),
    StepStatus.ASKING: Mark("?", "?", "bold error"),
    StepStatus.BLOCKED: Mark("–", "-", "warning"),
    StepStatus.CHANGED: Mark("✓", "+", "success"),
    StepStatus.UNCHANGED: Mark("=", "=", "success"),
    StepStatus.SKIPPED: Mark("–", "-", "muted"),
    StepStatus.QUARANTINED: Mark("–", "-", "warning"),
}
STALLED: Final = Mark("!", "!", "bold warning")
CUT_OFF: Final = Mark("!", "!", "warning")
"""Was under way when the runner died."""
PROBE_MARKS: Final[Mapping[ProbeState, Mark]] = {
    ProbeState.OK: Mark("✓", "+", "success"),
    ProbeState.EXPECTED: Mark("–", "-", "muted"),
    ProbeState.DEGRADED: Mark("!", "!", "bold warning"),
    ProbeState.DOWN: Mark("✗", "x", "bold error"),
    ProbeState.UNKNOWN: Mark("?", "?", "warning"),
}


def status_word(status: StepStatus) -> Text:
    """The word for a step's status."""
    return T(f"run.status.{status.value}")  # words: run.status.*


def state_word(state: ProbeState) -> Text:
    """The word for an answer's worth."""
    return T(f"health.state.{state.value}")  # words: health.state.*


def step_mark(step: StepState, moment: Moment) -> Mark:
    """The mark of a step as it stands."""
    if not moment.live and step.status in (StepStatus.RUNNING, StepStatus.RETRYING):
        return CUT_OFF
    if holds(step):
        return STEP_MARKS[StepStatus.CHANGED]
    return STALLED if step.stall is not None else STEP_MARKS[step.status]


def holds(step: StepState) -> bool:
    """Whether a step is a gate whose condition holds: it changes nothing, and that says nothing of what was before."""
    return step.status is StepStatus.UNCHANGED and step.info.kind == StepKind.GATE


def step_word(step: StepState, moment: Moment) -> Text:
    """The word for how a step stands."""
    if step_mark(step, moment) is CUT_OFF:
        return T("run_screen.cut_off")
    if holds(step):
        return T("run_screen.holds")
    return status_word(step.status)


def step_cell(step: StepState, moment: Moment, cells: int, *, ascii_only: bool) -> str:
    """A step as it stands in so many cells: its sign, and the word or time that fits."""
    sign = step_mark(step, moment).sign(ascii_only=ascii_only)
    for form in _forms(step, moment, cells, ascii_only=ascii_only):
        if cell_len(form) + 2 <= cells:
            return f"{sign} {form}"
    return cut(sign, cells, "")


def _forms(step: StepState, moment: Moment, cells: int, *, ascii_only: bool) -> Sequence[str]:
    """What may stand behind the sign, the most telling first."""
    status, word = step.status, str(step_word(step, moment))
    if step_mark(step, moment) is CUT_OFF:
        return (word,)
    if step.status is StepStatus.RUNNING:
        return _running(step, moment, cells, ascii_only=ascii_only)
    if status is StepStatus.RETRYING and step.retry_at is not None:
        left = moment.until(step.retry_at)
        return (f"{word} {left}", left)
    if (status is StepStatus.CHANGED or holds(step)) and step.duration_s is not None:
        return (lapse(step.duration_s),)
    if status is StepStatus.UNCHANGED:
        return (str(T("run_screen.same")),)
    if status is StepStatus.WAITING:
        return ("",)
    return (word,)


def _running(step: StepState, moment: Moment, cells: int, *, ascii_only: bool) -> Sequence[str]:
    elapsed = moment.since(step.started_at)
    if step.stall is not None:
        return (f"{elapsed} {T('run_screen.silent')}", elapsed)
    progress = step.progress
    if progress is None or progress.sent_bytes >= progress.total_bytes:
        return (elapsed,)
    percent = f"{100 * progress.sent_bytes // progress.total_bytes}%"
    left = lapse(progress.eta_s) if progress.eta_s is not None else ""
    bar = progress_bar(progress.sent_bytes / progress.total_bytes, BAR_CELLS, ascii_only=ascii_only)
    return (f"{percent} {bar} {left}".rstrip(), f"{percent} {left}".rstrip(), percent)


def progress_bar(share: float, cells: int, *, ascii_only: bool) -> str:
    """A share of a whole as a bar; full only when it is all."""
    full = cells if share >= 1 else min(cells - 1, int(share * cells)) if share > 0 else 0
    on, off = ("#", ".") if ascii_only else ("▮", "▯")
    return on * full + off * (cells - full)
