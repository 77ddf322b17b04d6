"""What happened in a run and when, as lines to be read: ends of steps, failures, answers, moves of the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from rbdtui.engine.events import (
    Event,
    NodeQuarantined,
    Outcome,
    ProbeChanged,
    QuestionAnswered,
    QuestionAsked,
    Record,
    RunCreated,
    RunFinished,
    RunnerStarted,
    RunOutcome,
    RunPaused,
    RunResumed,
    StepFailed,
    StepFinished,
    StepInfo,
    StepLetGo,
    StepNoted,
    StepStalled,
    StepStarted,
    StepStirred,
    StopRequested,
)
from rbdtui.plan.step import StepKind
from rbdtui.probes.model import ProbeState
from rbdtui.words import T, Text
from rbdtui.workbench.health.gateway_view import says_unused


class Tone(StrEnum):
    """What a line is to whoever reads it."""

    PLAIN = "plain"
    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line."""

    count: int
    """Records up to and with it."""
    at: float
    """Unix time."""
    node: str
    """Empty when it belongs to no node."""
    title: Text | None
    """The step's; None when it belongs to none."""
    text: Text
    tone: Tone


TOGETHER_S: Final = 5.0
"""Ports of a gateway that change within so long are told together."""
_ENDS: Final = {
    RunOutcome.DONE: Tone.GOOD,
    RunOutcome.PARTIAL: Tone.WARN,
    RunOutcome.FAILED: Tone.BAD,
    RunOutcome.STOPPED: Tone.WARN,
}


@dataclass(slots=True)
class Timeline:
    """The lines of a run; grows with its journal."""

    happenings: list[TimelineEntry] = field(default_factory=list)
    longest_node: int = 0
    """Letters of the longest name that stands before a step's title, so that all titles can stand below each other."""
    _scanned: int = 0
    _steps: dict[str, StepInfo] = field(default_factory=dict)
    _asked: dict[str, str] = field(default_factory=dict)
    _probes: dict[str, str] = field(default_factory=dict)
    _ports: list[int] = field(default_factory=list)
    _ports_state: str = ""

    def take(self, records: Sequence[Record]) -> None:
        """Take in what has been added to the journal."""
        for index in range(self._scanned, len(records)):
            record = records[index]
            if isinstance(record.event, ProbeChanged):
                self._take_probe(index + 1, record.at, record.event)
            elif (said := self._said(record.event)) is not None:
                step_id, text, tone = said
                info = self._steps.get(step_id)
                node, title = (info.node, info.title) if info is not None else (step_id, None)
                self.longest_node = max(self.longest_node, len(node) if title is not None else 0)
                self.happenings.append(TimelineEntry(index + 1, record.at, node, title, text, tone))
        self._scanned = len(records)

    def _said(self, event: Event) -> tuple[str, Text, Tone] | None:
        """Step (or node), sentence and tone; None for what is no line."""
        if isinstance(event, RunCreated):
            self._steps = {info.id: info for info in event.steps}
            return "", T("timeline.created", steps=len(event.steps)), Tone.PLAIN
        return self._of_step(event) or self._of_run(event)

    def _of_step(self, event: Event) -> tuple[str, Text, Tone] | None:
        match event:
            case StepStarted(attempt=attempt) if attempt > 1:
                return event.step, T("timeline.again", attempt=attempt), Tone.PLAIN
            case StepNoted():
                return event.step, event.text, Tone.PLAIN
            case StepFinished(outcome=Outcome.CHANGED):
                return event.step, T("timeline.changed", seconds=_seconds(event.duration_s)), Tone.GOOD
            case StepFinished(outcome=Outcome.UNCHANGED) if self._is_gate(event.step):
                return event.step, T("timeline.holds"), Tone.GOOD
            case StepFinished():
                return event.step, T(f"timeline.{event.outcome.value}"), Tone.PLAIN  # words: timeline.*
            case StepFailed(retry_in_s=None):
                return event.step, T("timeline.failed", reason=event.text), Tone.BAD
            case StepFailed():
                wait = _seconds(event.retry_in_s or 0.0)
                return event.step, T("timeline.retries", reason=event.text, seconds=wait), Tone.WARN
            case StepStalled():
                text = T("timeline.stalled", seconds=_seconds(event.silent_s))
                return event.step, text, Tone.WARN
            case StepStirred() | StepLetGo():
                text = T("timeline.stirred") if isinstance(event, StepStirred) else T("timeline.let_go")
                return event.step, text, Tone.PLAIN
            case QuestionAsked():
                self._asked[event.question] = event.step
                return event.step, T("timeline.asked"), Tone.BAD
            case QuestionAnswered():
                choice = T(f"run.choice.{event.choice.value}")  # words: run.choice.*
                text = T("timeline.answered", choice=choice, by=event.by)
                return self._asked.get(event.question, ""), text, Tone.PLAIN
            case _:
                return None

    def _is_gate(self, step_id: str) -> bool:
        info = self._steps.get(step_id)
        return info is not None and info.kind == StepKind.GATE

    def _of_run(self, event: Event) -> tuple[str, Text, Tone] | None:
        match event:
            case RunnerStarted():
                return "", T("timeline.runner", pid=event.pid, user=event.user), Tone.PLAIN
            case RunPaused():
                return "", T("timeline.paused", by=event.by), Tone.WARN
            case RunResumed():
                return "", T("timeline.resumed", by=event.by), Tone.PLAIN
            case StopRequested(by=""):
                return "", T("timeline.stopping"), Tone.WARN
            case StopRequested():
                return "", T("timeline.stopping_by", by=event.by), Tone.WARN
            case NodeQuarantined():
                return event.node, T("timeline.quarantined"), Tone.WARN
            case RunFinished():
                text = T(f"timeline.end_{event.outcome.value}", changed=event.changed)  # words: timeline.*
                return "", text, _ENDS[event.outcome]
            case _:
                return None

    def _take_probe(self, count: int, at: float, event: ProbeChanged) -> None:
        """Answers that nobody expects from the start; ports of a gateway that change together are one line."""
        before = self._probes.get(event.probe)
        self._probes[event.probe] = event.state
        if event.state == ProbeState.UNKNOWN or (before is None and event.state == ProbeState.EXPECTED):
            return
        tone = Tone.BAD if event.state in (ProbeState.DOWN, ProbeState.DEGRADED) else Tone.GOOD
        if event.port and says_unused(event.detail):
            return
        if not event.port:
            self.happenings.append(TimelineEntry(count, at, "", None, event.detail, tone))
            return
        together = self._together(at, event.target, event.state)
        ports = [*(self._ports if together else []), event.port]
        if together:
            self.happenings.pop()
        self._ports, self._ports_state = ports, event.state
        text, title = T("timeline.port", port=event.port, detail=event.detail), None
        if len(ports) > 1:
            word = T(f"health.state.{event.state}")  # words: health.state.*
            text = T("timeline.ports", ports=" ".join(map(str, sorted(ports))), state=word)
            title = T("run_screen.ports.title")
        self.happenings.append(TimelineEntry(count, at, event.target, title, text, tone))

    def _together(self, at: float, target: str, state: str) -> bool:
        """Whether the last line is of another port of the same gateway that has changed in the same way just now."""
        last = self.happenings[-1] if self.happenings else None
        if last is None or last.node != target or not last.text.key.startswith("timeline.port"):
            return False
        return at - last.at <= TOGETHER_S and self._ports_state == state


def _seconds(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
