"""A run as the command line shows it: live lanes in a terminal, plain lines in a pipe."""

from __future__ import annotations

import time
from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text as Line

from rbdtui.engine.events import (
    Event,
    NodeQuarantined,
    QuestionAnswered,
    QuestionAsked,
    Record,
    RunFinished,
    RunnerStarted,
    RunOutcome,
    RunPaused,
    RunResumed,
    StepFailed,
    StepFinished,
    StepLetGo,
    StepNoted,
    StepStalled,
    StepStarted,
    StopRequested,
)
from rbdtui.engine.state import RunState, StepState, StepStatus
from rbdtui.words import T, Text

_ORDER = (
    StepStatus.ASKING, StepStatus.FAILED, StepStatus.RETRYING, StepStatus.RUNNING, StepStatus.READY,
    StepStatus.BLOCKED, StepStatus.WAITING,
)  # fmt: skip
"""What of a lane is shown first."""
_STYLES = {
    StepStatus.ASKING: "bold red", StepStatus.FAILED: "bold red", StepStatus.RETRYING: "yellow",
    StepStatus.RUNNING: "cyan", StepStatus.BLOCKED: "yellow",
}  # fmt: skip


def clock(seconds: float) -> str:
    """A duration as ``mm:ss`` or ``h:mm:ss``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


def status_word(status: StepStatus) -> Text:
    """The word for a step's status."""
    return T(f"run.status.{status.value}")  # words: run.status.*


def record_lines(record: Record, state: RunState, *, installs: bool = True) -> Iterator[str]:
    """What a pipe gets of one record: nothing, or a line or more."""
    stamp = time.strftime("%H:%M:%S", time.localtime(record.at))
    for text in _record_texts(record, state, installs=installs):
        yield f"{stamp} {text}"


def _record_texts(record: Record, state: RunState, *, installs: bool) -> Iterator[Text]:
    yield from _step_texts(record.event)
    yield from _run_texts(record.event, state, installs=installs)


def _step_texts(event: Event) -> Iterator[Text]:
    match event:
        case StepStarted() if event.attempt > 1:
            yield T("run.line.again", step=event.step, attempt=event.attempt)
        case StepNoted():
            yield T("run.line.note", step=event.step, text=event.text)
        case StepFinished():
            word = T(f"run.outcome.{event.outcome.value}")  # words: run.outcome.*
            yield T("run.line.finished", step=event.step, outcome=word, seconds=f"{event.duration_s:.1f}")
        case StepFailed():
            yield T("run.line.failed", step=event.step, code=event.code, text=event.text)
            yield T("run.line.remedy", step=event.step, text=event.remedy)
            if event.retry_in_s is not None:
                yield T("run.line.retry", step=event.step, seconds=f"{event.retry_in_s:.0f}")
        case StepStalled():
            yield T("run.line.stalled", step=event.step, seconds=f"{event.silent_s:.0f}", line=event.last_line)
        case StepLetGo():
            yield T("run.line.let_go", step=event.step)
        case _:
            return


def _run_texts(event: Event, state: RunState, *, installs: bool) -> Iterator[Text]:
    match event:
        case RunnerStarted():
            yield T("run.line.runner_started", run=state.run_id, pid=event.pid)
        case QuestionAsked():
            yield T("run.line.question", step=event.step, text=event.text)
        case QuestionAnswered():
            yield T("run.line.answered", choice=event.choice.value, by=event.by)
        case NodeQuarantined():
            yield T("run.line.quarantined", node=event.node)
        case RunPaused():
            yield T("run.line.paused", by=event.by)
        case RunResumed():
            yield T("run.line.resumed", by=event.by)
        case StopRequested():
            yield T("run.line.stopping")
        case RunFinished():
            yield finish_text(event, state, installs=installs)
        case _:
            return


def finish_text(event: RunFinished, state: RunState, *, installs: bool) -> Text:
    """The last word on a run; only one that installs can be taken up where it ended."""
    steps = len(state.steps)
    params: dict[str, str | int | float | Text] = {
        "run": state.run_id, "steps": steps, "changed": event.changed, "time": clock(event.duration_s)
    }  # fmt: skip
    if event.outcome.value == "done" and event.changed == 0:
        return Text("run.end.nothing_changed", params)  # words: run.end.*
    if not installs and event.outcome in (RunOutcome.FAILED, RunOutcome.STOPPED):
        return Text(f"run.end.{event.outcome.value}_other", params)
    return Text(f"run.end.{event.outcome.value}", params)


class LiveLanes:
    """One line for each node, redrawn as the run goes on; a context manager around the drawing."""

    def __init__(self, console: Console, *, installs: bool, ascii_only: bool, slow_link: bool) -> None:
        self._console = console
        self._installs, self._ascii = installs, ascii_only
        self._state = RunState()
        self._live = Live(
            get_renderable=self.picture, console=console, refresh_per_second=0.5 if slow_link else 4, transient=True
        )

    def __enter__(self) -> LiveLanes:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def pause(self) -> None:
        """Clear the picture, so that something else can be written."""
        self._live.stop()

    def go_on(self) -> None:
        """Draw again."""
        self._live.start()

    def show(self, record: Record, state: RunState) -> None:
        """Take in one more record; lines that must stay readable are printed above the lanes."""
        self._state = state
        if isinstance(record.event, StepFailed | StepStalled | NodeQuarantined | QuestionAnswered):
            for line in record_lines(record, state, installs=self._installs):
                self._console.print(Line(line))

    def picture(self) -> RenderableType:
        """The lanes as they are now."""
        state = self._state
        now = state.present(time.time(), time.monotonic())
        counts = state.counts()
        done = sum(count for status, count in counts.items() if status.settled)
        head = T(
            "run.head",
            site=state.site,
            run=state.run_id,
            done=done,
            steps=len(state.steps),
            time=clock(state.active_s(now)),
        )
        table = Table.grid(padding=(0, 1), expand=True)
        for ratio in (None, None, 1):
            table.add_column(ratio=ratio, no_wrap=True, overflow="ellipsis")
        room = max(3, self._console.height - 6)
        lanes = sorted(("", *state.nodes), key=lambda node: self._urgency(state, node))
        for node in lanes[:room]:
            table.add_row(*self._lane(state, node, now))
        lines: list[RenderableType] = [Line(str(head), style="bold"), table]
        if len(lanes) > room:
            lines.append(Line(str(T("run.more_lanes", count=len(lanes) - room)), style="dim"))
        if state.paused_by is not None:
            lines.append(Line(str(T("run.line.paused", by=state.paused_by)), style="yellow"))
        lines.append(Line(str(T("run.keys")), style="dim"))
        return Group(*lines)

    @staticmethod
    def _urgency(state: RunState, node: str) -> int:
        current = current_step(state, node)
        return 0 if current is not None and current.status.failed else 1

    def _lane(self, state: RunState, node: str, now: float) -> tuple[Line, Line, Line]:
        steps = state.lane(node)
        settled = sum(step.status.settled for step in steps)
        name = Line(node or str(T("run.jump_lane")), style="bold")
        count = Line(f"{settled:>2}/{len(steps)}", style="dim")
        current = current_step(state, node)
        if current is None:
            word = T("run.lane_quarantined") if node in state.quarantined else T("run.lane_done")
            return name, count, Line(f"{'ok' if self._ascii else '✓'} {word}", style="green")
        return name, count, Line(self._doing(current, now), style=_STYLES.get(current.status, "dim"))

    def _doing(self, step: StepState, now: float) -> str:
        parts = [str(status_word(step.status)), step.info.name]
        if step.status is StepStatus.RUNNING and step.started_at is not None:
            parts.append(clock(now - step.started_at))
        if step.progress is not None and step.progress.total_bytes and step.status is StepStatus.RUNNING:
            percent = 100 * step.progress.sent_bytes // step.progress.total_bytes
            eta = clock(step.progress.eta_s) if step.progress.eta_s is not None else "--:--"
            parts.append(
                str(T("run.transfer", percent=percent, rate=f"{step.progress.bytes_per_s / 2**20:.1f}", eta=eta))
            )
        elif step.stall is not None:
            parts.append(str(T("run.silent", seconds=f"{step.stall.silent_s:.0f}")))
        elif step.note is not None:
            parts.append(str(step.note))
        return ("  " if self._ascii else " · ").join(parts)


def current_step(state: RunState, node: str) -> StepState | None:
    """The step of a lane that matters most now; None when the lane is through."""
    open_steps = [step for step in state.lane(node) if not step.status.settled]
    return min(open_steps, key=lambda step: _ORDER.index(step.status), default=None)
