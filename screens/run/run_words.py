"""What the run screen says in words: how the run stands, what to do about it, and what is known of one step."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.cells import cell_len

from rbdtui.engine.client import ANSWER_LIMIT_S
from rbdtui.engine.events import Record
from rbdtui.engine.state import RunState, StepState, StepStatus
from rbdtui.log_words import log_message
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.health.gateway_view import GatewayView
from rbdtui.workbench.run.matrix import Matrix
from rbdtui.workbench.run.replay import Replay
from rbdtui.workbench.run.run_phase import RunPhase
from rbdtui.workbench.run.run_view import RunFollower
from screens.terminal.clock import Moment, lapse
from screens.terminal.clock import moment as time_of_day
from screens.widgets.canvas import Span, Spans
from screens.widgets.marks import Mark, holds, progress_bar, step_mark, step_word

PHASE_MARKS: Final = {
    RunPhase.READING: Mark("…", "~", "muted"),
    RunPhase.BROKEN: Mark("✗", "x", "bold error"),
    RunPhase.RUNNING: Mark("▸", ">", "bold accent"),
    RunPhase.ASKING: Mark("?", "?", "bold error"),
    RunPhase.PAUSED: Mark("‖", "=", "bold warning"),
    RunPhase.STOPPING: Mark("■", "#", "bold warning"),
    RunPhase.HALTED: Mark("✗", "x", "bold error"),
    RunPhase.GONE: Mark("✗", "x", "bold error"),
    RunPhase.GIVEN_UP: Mark("–", "-", "muted"),
    RunPhase.DONE: Mark("✓", "+", "bold success"),
    RunPhase.PARTIAL: Mark("!", "!", "bold warning"),
    RunPhase.FAILED: Mark("✗", "x", "bold error"),
    RunPhase.STOPPED: Mark("■", "#", "bold warning"),
}
_NAMED_NEEDS: Final = 3
_LAST_LINE_CHARS: Final = 120


def status_line(
    state: RunState, phase: RunPhase, moment: Moment, gateways: GatewayView, *, width: int, ascii_only: bool
) -> Spans:
    """The line above the picture: how the run stands, how far it is, how long it took, who holds the address."""
    mark = PHASE_MARKS[phase]
    word = str(T(f"run_screen.phase.{phase.value}"))  # words: run_screen.phase.*
    settled = sum(count for status, count in state.counts().items() if status.settled)
    total = len(state.steps)
    spans = [Span(0, f"{mark.sign(ascii_only=ascii_only)} {word}", mark.look)]
    x = spans[0].width + 2
    right = str(T("run_screen.vip_on", node=gateways.holder_node)) if gateways.holder_node else ""
    live = moment.at if phase.live else None
    passed = lapse(state.active_s(live))
    counted = str(T("run_screen.steps_done", done=settled, steps=total))
    bar_cells = min(20, width - x - cell_len(counted) - cell_len(passed) - cell_len(right) - 8)
    if total and bar_cells >= 5:
        bar = progress_bar(settled / total, bar_cells, ascii_only=ascii_only)
        spans.append(Span(x, bar, mark.look.replace("bold ", "")))
        x += bar_cells + 2
    if total:
        spans.append(Span(x, counted))
        x += cell_len(counted) + 2
        spans.append(Span(x, passed, "muted"))
        x += cell_len(passed) + 2
    if right and x + cell_len(right) <= width:
        spans.append(Span(width - cell_len(right), right))
    return tuple(spans)


def banner_of(run: RunFollower, state: RunState, phase: RunPhase, matrix: Matrix) -> tuple[Text | None, str]:
    """The one sentence that matters most now, with its colour; None when all goes its way."""
    if phase is RunPhase.GIVEN_UP:
        return T("run_screen.banner.given_up"), "warning"
    if phase is RunPhase.BROKEN and run.error is not None:
        return T("run_screen.banner.broken", reason=run.error), "error"
    if phase is RunPhase.HALTED:
        return T("run_screen.banner.halted", pid=run.halted_pid or 0), "error"
    if phase.live and run.silent_pid is not None:
        return T("run_screen.banner.no_answer", pid=run.silent_pid, seconds=round(ANSWER_LIMIT_S)), "error"
    if phase is RunPhase.ASKING:
        asked = next(iter(state.questions.values()))
        step = state.steps.get(asked.step)
        name = name_of(step) if step is not None else asked.step
        return T("run_screen.banner.asking", step=name, count=len(state.questions)), "error"
    if phase is RunPhase.PAUSED:
        return T("run_screen.banner.paused", by=state.paused_by or ""), "warning"
    if phase is RunPhase.STOPPING:
        return T("run_screen.banner.stopping"), "warning"
    if phase.live:
        silent = next((step for step in matrix.steps.values() if step.stall is not None), None)
        return (_stall(silent), "warning") if silent is not None else (None, "")
    return _end(state, phase, "banner" if run.installs else "other_work")


def _stall(step: StepState) -> Text:
    assert step.stall is not None
    begun = step.started_at or 0.0
    line = clean_line(log_message(step.stall.last_line), _LAST_LINE_CHARS)
    name = name_of(step)
    key = "run_screen.banner.silent_after" if line else "run_screen.banner.silent"
    return Text(
        key, {"step": name, "silent": lapse(step.stall.silent_s), "since": time_of_day(begun), "line": line}
    )  # words: run_screen.banner.*


def _end(state: RunState, phase: RunPhase, kind: str) -> tuple[Text | None, str]:
    """What there is to know and to do after the end; other work than an installation is never gone on with."""
    if phase is RunPhase.READING:
        return None, ""
    if phase is RunPhase.GONE:
        return Text(f"run_screen.{kind}.gone"), "error"  # words: run_screen.other_work.*
    assert state.finished is not None
    changed = state.finished.changed
    if phase is RunPhase.DONE:
        nothing = "nothing_changed" if changed == 0 else "done"
        return Text(f"run_screen.{kind}.{nothing}", {"changed": changed}), "success"
    if state.finished.reason is not None:
        return Text(f"run_screen.{kind}.gave_up", {"reason": state.finished.reason}), "error"
    look = "error" if phase is RunPhase.FAILED else "warning"
    nodes = ", ".join(sorted(state.quarantined))
    return Text(f"run_screen.{kind}.{phase.value}", {"nodes": nodes}), look


def name_of(step: StepState) -> Text:
    """A step in a sentence."""
    info = step.info
    return T("run_screen.step_on", step=info.title, node=info.node) if info.node else info.title


def step_title(step: StepState | None, row_title: Text | None, node: str, moment: Moment, *, ascii_only: bool) -> Spans:
    """The line above the log: which step it is of, how it stands, for how long."""
    if step is None:
        text = T("run_screen.no_such_step", step=row_title, node=node) if row_title is not None else ""
        return (Span(1, str(text), "muted"),)
    mark = step_mark(step, moment)
    where = step.info.node or str(T("run_screen.all_nodes"))
    spans = [Span(1, where, "bold accent")]
    x = 1 + spans[0].width + 2
    for text, look in (
        (str(step.info.title), "bold"),
        (f"{mark.sign(ascii_only=ascii_only)} {_how_it_stands(step, moment)}", mark.look),
    ):
        spans.append(Span(x, text, look))
        x += cell_len(text) + 2
    if step.attempts > 1:
        spans.append(Span(x, str(T("run_screen.attempt", attempt=step.attempts)), "muted"))
    return tuple(spans)


def _how_it_stands(step: StepState, moment: Moment) -> str:
    word = str(step_word(step, moment))
    if step.status is StepStatus.RUNNING and moment.live:
        return f"{word} {moment.since(step.started_at)}{_transfer(step)}"
    if (step.status is StepStatus.CHANGED or holds(step)) and step.duration_s is not None:
        return f"{word} {lapse(step.duration_s)}"
    if step.status is StepStatus.RETRYING and step.retry_at is not None:
        return f"{word} {moment.until(step.retry_at)}"
    return word


def _transfer(step: StepState) -> str:
    progress = step.progress
    if progress is None or progress.total_bytes <= 0 or progress.sent_bytes >= progress.total_bytes:
        return ""
    percent = 100 * progress.sent_bytes // progress.total_bytes
    rate = f"{progress.bytes_per_s / 2**20:.1f}"
    if progress.eta_s is None:
        return f"  {percent} %"
    return f"  {T('run_screen.transfer', percent=percent, rate=rate, eta=lapse(progress.eta_s))}"


def step_facts(step: StepState | None, matrix: Matrix) -> Iterable[tuple[Text, str]]:
    """What is to be known of a step beside its log: why it failed and what to do, what it waits for, what it notes."""
    if step is None:
        return
    if step.failure is not None and (step.status.failed or step.status is StepStatus.RETRYING):
        yield step.failure.text, "error"
        yield step.failure.remedy, ""
    elif step.status in (StepStatus.WAITING, StepStatus.BLOCKED):
        waits = matrix.waits_for(step)
        if waits:
            yield _needs(waits), "muted"
    elif step.note is not None:
        yield step.note, ""


def _needs(waits: list[StepState]) -> Text:
    named = [name_of(step) for step in waits[:_NAMED_NEEDS]]
    listed: Text = named[0]
    for name in named[1:]:
        listed = T("run_screen.and", first=listed, second=name)
    more = len(waits) - len(named)
    return T("run_screen.waits_for_more", steps=listed, more=more) if more else T("run_screen.waits_for", steps=listed)


def slider_line(replay: Replay, records: Sequence[Record], end: float, *, width: int, ascii_only: bool) -> Spans:
    """The line that says that an earlier moment is shown, and which."""
    if not replay.looks_back or not records:
        return ()
    at, begin = replay.at(end), records[0].at
    left = f" {T('run_screen.looking_back', time=time_of_day(at))} "
    right = str(T("run_screen.into_run", passed=lapse(at - begin), total=lapse(end - begin)))
    begins = cell_len(left) + 2
    cells = max(3, width - begins - cell_len(right) - 4)
    place = round(replay.share(records, end) * (cells - 1))
    rule, knob = ("-", "O") if ascii_only else ("─", "●")
    return (
        Span(0, left, "bold reverse"),
        Span(begins - 1, "[", "bold accent"),
        Span(begins, rule * place, "accent"),
        Span(begins + place, knob, "bold accent"),
        Span(begins + 1 + place, rule * (cells - place - 1), "muted"),
        Span(begins + cells, "]", "bold accent"),
        Span(width - cell_len(right), right),
    )
