"""The runs of a site out of their journals: who did what when on which node, and what went wrong on the way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.engine.events import (
    Event,
    Outcome,
    Record,
    RunCreated,
    RunFinished,
    RunnerStarted,
    StepDescribed,
    StepFailed,
    StepFinished,
    StepInfo,
    StepLetGo,
    StepStarted,
)
from rbdtui.engine.state import RunState
from rbdtui.plan.step import ChangeKind, StepKind
from rbdtui.report.model import Ending, Lane, RunPart, Span
from rbdtui.workbench.run.run_phase import RunPhase
from rbdtui.workbench.run.timeline import Timeline, TimelineEntry, Tone

_INCIDENT_KEYS: Final = ("timeline.answered", "timeline.resumed", "timeline.paused")
_DIGEST: Final = re.compile(r"^sha256 ([0-9a-f]{64})$", re.MULTILINE)
_MIB: Final = 1 << 20
_PHASES: Final = {"done": RunPhase.DONE, "partial": RunPhase.PARTIAL, "failed": RunPhase.FAILED}


@dataclass(slots=True)
class _Attempts:
    """The attempts at steps, told apart by beginning and end."""

    steps: Mapping[str, StepInfo] = field(default_factory=dict)
    spans: dict[str, list[Span]] = field(default_factory=dict)
    sessions: list[tuple[float, float]] = field(default_factory=list)
    _open: dict[str, float] = field(default_factory=dict)
    _session_from: float | None = None
    _last_at: float = 0.0

    def take(self, at: float, event: Event) -> None:
        match event:
            case RunCreated():
                self.steps = {info.id: info for info in event.steps}
            case RunnerStarted():
                self._end_session(self._last_at)
                self._session_from = at
            case RunFinished():
                self._end_session(at)
            case StepStarted():
                self._open[event.step] = at
            case StepFinished():
                self._close(event.step, at, _ENDINGS[event.outcome])
            case StepFailed():
                self._close(event.step, at, Ending.FAILED)
            case StepLetGo():
                self._close(event.step, at, Ending.OPEN)
            case _:
                pass
        self._last_at = at

    def finish(self) -> None:
        """The journal is at its end."""
        self._end_session(self._last_at)

    def _end_session(self, at: float) -> None:
        for step in list(self._open):
            self._close(step, at, Ending.OPEN)
        if self._session_from is not None:
            self.sessions.append((self._session_from, max(at, self._session_from)))
            self._session_from = None

    def _close(self, step: str, at: float, ending: Ending) -> None:
        start, info = self._open.pop(step, at), self.steps.get(step)
        if info is not None:
            waits = info.kind == StepKind.GATE
            span = Span(info.name, info.title, start, max(start, at), ending, waits)
            self.spans.setdefault(info.node, []).append(span)


_ENDINGS: Final = {
    Outcome.CHANGED: Ending.CHANGED,
    Outcome.UNCHANGED: Ending.UNCHANGED,
    Outcome.SKIPPED: Ending.SKIPPED,
}


def run_part(records: Sequence[Record], *, given_up: bool, alive: bool) -> RunPart:
    """One run; whatever clocks did, no span ends before it begins."""
    state = RunState.of(records)
    attempts, timeline = _Attempts(), Timeline()
    for record in records:
        attempts.take(record.at, record.event)
    attempts.finish()
    timeline.take(records)
    order = (*state.nodes, *(node for node in attempts.spans if node not in state.nodes))
    runner = state.runner
    return RunPart(
        run_id=state.run_id,
        phase=_phase(state, given_up=given_up, alive=alive),
        by=f"{runner.user}@{runner.hostname}" if runner is not None else "",
        version=state.version,
        began_at=state.created_at,
        ended_at=state.at,
        changed=state.changed_count,
        steps=len(state.steps),
        active_s=state.active_s(),
        sessions=tuple(attempts.sessions),
        lanes=tuple(Lane(node, tuple(attempts.spans[node])) for node in order if node in attempts.spans),
        incidents=tuple(filter(_is_incident, timeline.happenings)),
    )


def _phase(state: RunState, *, given_up: bool, alive: bool) -> RunPhase:
    if state.outcome is not None:
        return RunPhase(state.outcome.value)
    if alive:
        return RunPhase.RUNNING
    return RunPhase.GIVEN_UP if given_up else RunPhase.GONE


def _is_incident(happening: TimelineEntry) -> bool:
    """What went otherwise than planned; how the ports of gateways came up is no such thing."""
    if happening.text.key.startswith("timeline.port") or not happening.text.key.startswith("timeline."):
        return False
    return happening.tone in (Tone.WARN, Tone.BAD) or happening.text.key in _INCIDENT_KEYS


@dataclass(frozen=True, slots=True)
class Sent:
    """A file that a run sent to nodes."""

    name: str
    sha256: str
    size_bytes: int
    nodes: tuple[str, ...]


def sent_files(journals: Iterable[Sequence[Record]]) -> list[Sent]:
    """What runs have sent, by digest; the journal has it before anything is sent."""
    found: dict[str, Sent] = {}
    for records in journals:
        nodes: dict[str, str] = {}
        for event in (record.event for record in records):
            if isinstance(event, RunCreated):
                nodes = {info.id: info.node for info in event.steps}
            elif isinstance(event, StepDescribed):
                for name, sha256, size_bytes in _uploads(event):
                    before = found.get(sha256, Sent(name, sha256, size_bytes, ()))
                    where = dict.fromkeys((*before.nodes, nodes.get(event.step, "")))
                    found[sha256] = Sent(before.name, sha256, before.size_bytes, tuple(filter(None, where)))
    return list(found.values())


def _uploads(event: StepDescribed) -> Iterable[tuple[str, str, int]]:
    for change in event.changes:
        detail = str(change.get("detail", ""))
        digest = _DIGEST.search(detail)
        if change.get("kind") == ChangeKind.UPLOAD.value and digest is not None:
            title = change.get("title")
            params = title.get("params", {}) if isinstance(title, Mapping) else {}
            mib = params.get("size_mib", 0) if isinstance(params, Mapping) else 0
            size = int(mib * _MIB) if isinstance(mib, int | float) else 0
            yield detail.splitlines()[0], digest[1], size
