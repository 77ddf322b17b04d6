"""What a run looks like after some records of its journal: a pure fold, the same for runner, screens and reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import singledispatchmethod
from typing import Final

from rbdtui.engine.events import (
    Choice,
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
    StepDescribed,
    StepFailed,
    StepFinished,
    StepInfo,
    StepLetGo,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStarted,
    StepStirred,
    StopRequested,
)
from rbdtui.words import Text


class StepStatus(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    """Something that it needs is not done yet."""
    READY = "ready"
    """Nothing is missing but a free place."""
    RUNNING = "running"
    RETRYING = "retrying"
    """It failed and is tried again by itself after a while."""
    FAILED = "failed"
    ASKING = "asking"
    """It failed, and the operator is asked what to do."""
    BLOCKED = "blocked"
    """Something that it needs has failed, or another step of its node has."""
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    QUARANTINED = "quarantined"
    """The run goes on without its node."""

    @property
    def settled(self) -> bool:
        """Whether nothing more happens to the step in this run."""
        return self in _SETTLED

    @property
    def failed(self) -> bool:
        """Whether the step failed and nobody has decided yet."""
        return self in _FAILED


_SETTLED: Final = frozenset({StepStatus.CHANGED, StepStatus.UNCHANGED, StepStatus.SKIPPED, StepStatus.QUARANTINED})
_FAILED: Final = frozenset({StepStatus.FAILED, StepStatus.ASKING})
_CLOCK_SET_S: Final = 2.0
"""More than this between two clocks is somebody who sets one, not one that is a little fast."""
_UNDER_WAY: Final = frozenset({StepStatus.RUNNING, StepStatus.RETRYING})
_OUTSTANDING: Final = frozenset({StepStatus.WAITING, StepStatus.READY, StepStatus.BLOCKED})
_BY_OUTCOME: Final[Mapping[Outcome, StepStatus]] = {
    Outcome.CHANGED: StepStatus.CHANGED,
    Outcome.UNCHANGED: StepStatus.UNCHANGED,
    Outcome.SKIPPED: StepStatus.SKIPPED,
}


@dataclass(slots=True)
class StepState:
    """One step as it stands."""

    info: StepInfo
    status: StepStatus = StepStatus.WAITING
    attempts: int = 0
    """Attempts begun, over all runners."""
    tries: int = 0
    """Attempts begun since a runner or the operator last set the step going."""
    started_at: float | None = None
    """When the latest attempt began."""
    finished_at: float | None = None
    duration_s: float | None = None
    """Of the attempt that succeeded."""
    failure: StepFailed | None = None
    """The latest failed attempt, kept after a later one succeeded."""
    retry_at: float | None = None
    """When it is tried again by itself, while it is retrying."""
    changes: tuple[Mapping[str, object], ...] = ()
    """What the latest attempt was about to change."""
    note: Text | None = None
    """The last sentence of the latest attempt."""
    progress: StepProgressed | None = None
    """The last figures of the latest attempt."""
    stall: StepStalled | None = None
    """The alarm, while the step is silent."""
    needs: int = 0
    """How many steps it still waits for."""


@dataclass(frozen=True, slots=True)
class RunnerInfo:
    """The process that has, or had, the run in its hands."""

    pid: int
    hostname: str
    user: str
    ssh_client: str
    started_at: float


@dataclass(frozen=True, slots=True)
class ProbeSeen:
    """The latest answer to a health question during the run."""

    event: ProbeChanged
    since: float


@dataclass(slots=True)
class RunState:
    """A run after the records applied so far; `apply` is the only thing that changes it."""

    run_id: str = ""
    site: str = ""
    profile: str = ""
    spec_sha256: str = ""
    version: str = ""
    """Of the rbdtui that planned the run."""
    seq: int = 0
    """Of the last record applied."""
    created_at: float = 0.0
    at: float = 0.0
    """Time of the last record applied."""
    steps: dict[str, StepState] = field(default_factory=dict)
    """By id, in the order of the plan."""
    questions: dict[str, QuestionAsked] = field(default_factory=dict)
    """Open questions, oldest first."""
    answers: dict[str, QuestionAnswered] = field(default_factory=dict)
    """By question: what settled it."""
    quarantined: set[str] = field(default_factory=set)
    """Nodes that the run goes on without."""
    probes: dict[str, ProbeSeen] = field(default_factory=dict)
    """Latest health answers by probe id."""
    runner: RunnerInfo | None = None
    paused_by: str | None = None
    """Who paused the run; None while it is not paused."""
    stop: StopRequested | None = None
    """The wish to end early, while the steps under way end."""
    finished: RunFinished | None = None
    """How the run ended; None while it has not, or is going on again."""
    _dependants: dict[str, list[str]] = field(default_factory=dict)
    _failed_nodes: Counter[str] = field(default_factory=Counter)
    steady_s: float | None = None
    """The last record's stamp of the clock that nobody sets; None in a journal that lacks it."""
    _session_at: float | None = None
    _session_steady_s: float | None = None
    _earlier_s: float = 0.0

    @classmethod
    def of(cls, records: Iterable[Record]) -> RunState:
        """The state after these records."""
        state = cls()
        for record in records:
            state.apply(record)
        return state

    def apply(self, record: Record) -> None:
        """Take one more record in; what it says about unknown steps is ignored."""
        if isinstance(record.event, RunnerStarted):
            self._end_session()
            self._session_steady_s = record.steady_s
        else:
            self._follow_clock(record)
        self.seq, self.at, self.steady_s = record.seq, record.at, record.steady_s
        self._on(record.event, record.at)

    def _follow_clock(self, record: Record) -> None:
        """Carry what is under way along when somebody has set the clock, so that its time is what has passed."""
        if self.steady_s is None or record.steady_s is None:
            return
        set_by_s = (record.at - self.at) - (record.steady_s - self.steady_s)
        if abs(set_by_s) < _CLOCK_SET_S:
            return
        for step in self.steps.values():
            if step.status in _UNDER_WAY:
                step.started_at = step.started_at + set_by_s if step.started_at is not None else None
                step.retry_at = step.retry_at + set_by_s if step.retry_at is not None else None

    @property
    def outcome(self) -> RunOutcome | None:
        """How the run ended; None while it has not."""
        return self.finished.outcome if self.finished is not None else None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Nodes with a lane, in the order of the plan; the jump host's lane is not among them."""
        return tuple(dict.fromkeys(step.info.node for step in self.steps.values() if step.info.node))

    @property
    def step_names(self) -> tuple[str, ...]:
        """Kinds of steps in the order of the plan: the rows of the picture."""
        return tuple(dict.fromkeys(step.info.name for step in self.steps.values()))

    def lane(self, node: str) -> list[StepState]:
        """The steps of one node, in the order of the plan."""
        return [step for step in self.steps.values() if step.info.node == node]

    def counts(self, node: str | None = None) -> Counter[StepStatus]:
        """How many steps have each status, of the whole run or of one lane."""
        return Counter(step.status for step in self.steps.values() if node is None or step.info.node == node)

    @property
    def all_settled(self) -> bool:
        """Whether nothing is left to do."""
        return all(step.status in _SETTLED for step in self.steps.values())

    @property
    def changed_count(self) -> int:
        """Steps that changed something in this run."""
        return sum(step.status is StepStatus.CHANGED for step in self.steps.values())

    def active_s(self, now: float | None = None) -> float:
        """Time with a runner at work, up to now (default: up to the last record).

        Up to the last record nobody who sets the clock changes it, where the journal has what says so.
        """
        if self._session_at is None:
            return self._earlier_s
        return self._earlier_s + self._session_s() + (max(0.0, now - self.at) if now is not None else 0.0)

    def present(self, wall_s: float, steady_s: float) -> float:
        """What time it is now, as the stamps of a run that is under way on this machine go on from the last record.

        ``wall_s`` is Unix time, ``steady_s`` of `time.monotonic`, which all processes of a machine share.
        """
        if self.steady_s is None or steady_s < self.steady_s:
            return wall_s
        return self.at + steady_s - self.steady_s

    def _session_s(self) -> float:
        """How long the runner that has the run has been at work, up to the last record."""
        assert self._session_at is not None
        if self._session_steady_s is not None and self.steady_s is not None:
            return max(0.0, self.steady_s - self._session_steady_s)
        return max(0.0, self.at - self._session_at)

    def _end_session(self) -> None:
        if self._session_at is not None:
            self._earlier_s += self._session_s()
            self._session_at = None

    @singledispatchmethod
    def _on(self, event: Event, at: float) -> None:
        """An event that changes nothing here."""

    @_on.register
    def _(self, event: RunCreated, at: float) -> None:
        self.run_id, self.site, self.profile = event.run_id, event.site, event.profile
        self.spec_sha256, self.version, self.created_at = event.spec_sha256, event.version, at
        self.steps = {info.id: StepState(info) for info in event.steps}
        self._dependants = {info.id: [] for info in event.steps}
        for info in event.steps:
            for needed in set(info.after) & self.steps.keys():
                self._dependants[needed].append(info.id)
                self.steps[info.id].needs += 1
        self._sort_out()

    @_on.register
    def _(self, event: RunnerStarted, at: float) -> None:
        self.runner = RunnerInfo(event.pid, event.hostname, event.user, event.ssh_client, at)
        self.paused_by = self.stop = self.finished = None
        self._session_at = at
        for step in self.steps.values():
            step.tries = 0
            if step.status in _UNDER_WAY or step.status is StepStatus.FAILED:
                self._put_back(step)
        self._sort_out()

    @_on.register
    def _(self, event: StepStarted, at: float) -> None:
        if step := self._unsettled(event.step):
            self._enter(step, StepStatus.RUNNING)
            step.attempts, step.started_at = event.attempt, at
            step.tries += 1
            step.retry_at = step.note = step.progress = step.stall = None
            step.changes = ()

    @_on.register
    def _(self, event: StepDescribed, at: float) -> None:
        if step := self.steps.get(event.step):
            step.changes = event.changes

    @_on.register
    def _(self, event: StepNoted, at: float) -> None:
        if step := self.steps.get(event.step):
            step.note, step.stall = event.text, None

    @_on.register
    def _(self, event: StepProgressed, at: float) -> None:
        if step := self.steps.get(event.step):
            step.progress, step.stall = event, None

    @_on.register
    def _(self, event: StepStalled, at: float) -> None:
        if step := self.steps.get(event.step):
            step.stall = event

    @_on.register
    def _(self, event: StepStirred, at: float) -> None:
        if step := self.steps.get(event.step):
            step.stall = None

    @_on.register
    def _(self, event: StepFinished, at: float) -> None:
        if step := self._unsettled(event.step):
            had_failed = step.status.failed
            step.finished_at, step.duration_s = at, event.duration_s
            self._settle(step, _BY_OUTCOME[event.outcome])
            if had_failed:
                self._sort_out()

    @_on.register
    def _(self, event: StepFailed, at: float) -> None:
        if step := self._unsettled(event.step):
            step.failure, step.stall = event, None
            if event.retry_in_s is None:
                self._enter(step, StepStatus.FAILED)
                self._sort_out()
            else:
                step.retry_at = at + event.retry_in_s
                self._enter(step, StepStatus.RETRYING)

    @_on.register
    def _(self, event: StepLetGo, at: float) -> None:
        if step := self._unsettled(event.step):
            self._put_back(step)
            self._sort_out()

    @_on.register
    def _(self, event: QuestionAsked, at: float) -> None:
        if step := self._unsettled(event.step):
            self.questions[event.question] = event
            self._enter(step, StepStatus.ASKING)
            self._sort_out()

    @_on.register
    def _(self, event: QuestionAnswered, at: float) -> None:
        self.answers[event.question] = event
        asked = self.questions.pop(event.question, None)
        step = self.steps.get(asked.step) if asked is not None else None
        if step is None or step.status is not StepStatus.ASKING:
            return
        if event.choice is Choice.RETRY:
            step.tries = 0
            self._put_back(step)
        else:
            self._enter(step, StepStatus.FAILED)
        self._sort_out()

    @_on.register
    def _(self, event: RunPaused, at: float) -> None:
        self.paused_by = event.by

    @_on.register
    def _(self, event: RunResumed, at: float) -> None:
        self.paused_by = None

    @_on.register
    def _(self, event: StopRequested, at: float) -> None:
        self.stop = event
        self._drop_questions(self.steps.values())

    @_on.register
    def _(self, event: NodeQuarantined, at: float) -> None:
        self.quarantined.add(event.node)
        lane = self.lane(event.node)
        self._drop_questions(lane)
        for step in lane:
            if not step.status.settled:
                self._settle(step, StepStatus.QUARANTINED)
        self._sort_out()

    @_on.register
    def _(self, event: ProbeChanged, at: float) -> None:
        self.probes[event.probe] = ProbeSeen(event, at)

    @_on.register
    def _(self, event: RunFinished, at: float) -> None:
        self.finished, self.stop, self.paused_by = event, None, None
        self._end_session()
        self._drop_questions(self.steps.values())
        for step in self.steps.values():
            if step.status in _UNDER_WAY:
                self._put_back(step)
        self._sort_out()

    def _unsettled(self, step_id: str) -> StepState | None:
        """The step, unless nothing can happen to it any more."""
        step = self.steps.get(step_id)
        return None if step is None or step.status.settled else step

    def _drop_questions(self, steps: Iterable[StepState]) -> None:
        ids = {step.info.id for step in steps}
        self.questions = {key: asked for key, asked in self.questions.items() if asked.step not in ids}
        for step in steps:
            if step.status is StepStatus.ASKING:
                self._enter(step, StepStatus.FAILED)

    def _put_back(self, step: StepState) -> None:
        step.retry_at = step.stall = None
        self._enter(step, StepStatus.WAITING)

    def _enter(self, step: StepState, status: StepStatus) -> None:
        """Change a status and keep count of what failed on each node."""
        if step.info.node:
            self._failed_nodes[step.info.node] += status.failed - step.status.failed
        step.status = status

    def _settle(self, step: StepState, status: StepStatus) -> None:
        self._enter(step, status)
        step.stall = step.retry_at = None
        for name in self._dependants.get(step.info.id, ()):
            dependant = self.steps[name]
            dependant.needs -= 1
            if dependant.needs == 0 and dependant.status is StepStatus.WAITING:
                dependant.status = StepStatus.READY

    def _sort_out(self) -> None:
        """Work out anew which outstanding steps wait, are ready, or are blocked by a failure."""
        stuck: set[str] = set()
        for step in self.steps.values():
            info = step.info
            if step.status in _OUTSTANDING:
                if self._failed_nodes[info.node] > 0 or not stuck.isdisjoint(info.after):
                    step.status = StepStatus.BLOCKED
                else:
                    step.status = StepStatus.WAITING if step.needs else StepStatus.READY
            if step.status.failed or step.status is StepStatus.BLOCKED:
                stuck.add(info.id)
