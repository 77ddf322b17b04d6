"""What happens in a run, as frozen records: the lines of the journal and of ``run --json``."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import ClassVar, Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.bounded_json import is_time
from rbdtui.redact import Redactor
from rbdtui.transport.base import UploadProgress
from rbdtui.words import Text

SCHEMA: Final = 2
"""Newest version of the journal's lines; a reader refuses a higher one."""


class Outcome(StrEnum):
    """How a step ended well."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"


class RunOutcome(StrEnum):
    """How a run ended."""

    DONE = "done"
    PARTIAL = "partial"
    """Everything is done but on nodes in quarantine."""
    FAILED = "failed"
    STOPPED = "stopped"


class Choice(StrEnum):
    """What an operator may answer when a step has failed."""

    RETRY = "retry"
    SKIP = "skip"
    QUARANTINE = "quarantine"
    STOP = "stop"


class StopCause(StrEnum):
    """Who wants a run to end early."""

    OPERATOR = "operator"
    FAILURE = "failure"
    """A step failed and the policy says to stop."""


class FailurePolicy(StrEnum):
    """What the runner does by itself when a step has failed for good."""

    ASK = "ask"
    STOP = "stop"
    QUARANTINE = "quarantine"
    """Go on without the node while quorum stays safe, else stop."""


@dataclass(frozen=True, slots=True)
class StepInfo:
    """A step as the journal and the screens know it."""

    id: str
    name: str
    node: str
    title: Text
    kind: str
    after: tuple[str, ...] = ()
    skippable: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened; ``at`` (Unix time) and ``seq`` are given by the journal."""

    type: ClassVar[str]
    durable: ClassVar[bool] = True
    """Whether the line is forced to the disk before anybody is told."""
    schema: ClassVar[int] = 1
    """The version of the journal's lines that brought the event; older ones say that a newer rbdtui wrote it."""


@dataclass(frozen=True, slots=True)
class RunCreated(Event):
    """A run was planned; always the first line."""

    type: ClassVar[str] = "run-created"
    run_id: str
    site: str
    profile: str
    steps: tuple[StepInfo, ...]
    spec_sha256: str
    version: str


@dataclass(frozen=True, slots=True)
class RunnerStarted(Event):
    """A runner process took the run up, for the first time or again."""

    type: ClassVar[str] = "runner-started"
    pid: int
    hostname: str
    user: str
    ssh_client: str
    """Where the operator sat, from SSH_CLIENT; empty when that is not known."""
    policy: FailurePolicy


@dataclass(frozen=True, slots=True)
class StepStarted(Event):
    """An attempt at a step began."""

    type: ClassVar[str] = "step-started"
    step: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StepDescribed(Event):
    """What the step is about to change; the journal has it before anything is changed."""

    type: ClassVar[str] = "step-described"
    step: str
    changes: tuple[Mapping[str, object], ...]
    """`plan.step.Change` in its JSON form."""


@dataclass(frozen=True, slots=True)
class StepNoted(Event):
    """A sentence of a step for the operator."""

    type: ClassVar[str] = "step-noted"
    durable: ClassVar[bool] = False
    step: str
    text: Text


@dataclass(frozen=True, slots=True)
class StepProgressed(Event):
    """How far a transfer is; at most twice a second for each step."""

    type: ClassVar[str] = "step-progressed"
    durable: ClassVar[bool] = False
    step: str
    sent_bytes: int
    total_bytes: int
    bytes_per_s: float

    @property
    def eta_s(self) -> float | None:
        """Seconds that remain at the present speed; None while there is no speed yet."""
        return UploadProgress(self.sent_bytes, self.total_bytes, self.bytes_per_s).eta_s


@dataclass(frozen=True, slots=True)
class StepFinished(Event):
    """A step is done and proven."""

    type: ClassVar[str] = "step-finished"
    step: str
    outcome: Outcome
    duration_s: float


@dataclass(frozen=True, slots=True)
class StepFailed(Event):
    """An attempt failed."""

    type: ClassVar[str] = "step-failed"
    step: str
    attempt: int
    code: str
    text: Text
    remedy: Text
    evidence: str
    retry_in_s: float | None
    """Seconds until it is tried again by itself; None when it is not."""


@dataclass(frozen=True, slots=True)
class StepStalled(Event):
    """A step has been silent for long."""

    type: ClassVar[str] = "step-stalled"
    step: str
    silent_s: float
    last_line: str


@dataclass(frozen=True, slots=True)
class StepStirred(Event):
    """A step that had been silent gives signs of life again."""

    type: ClassVar[str] = "step-stirred"
    durable: ClassVar[bool] = False
    step: str


@dataclass(frozen=True, slots=True)
class StepLetGo(Event):
    """The run is to stop, and the step was only waiting: it is not done, and is taken up when the run goes on."""

    type: ClassVar[str] = "step-let-go"
    schema: ClassVar[int] = 2
    step: str


@dataclass(frozen=True, slots=True)
class QuestionAsked(Event):
    """The runner waits for an answer, from whichever client; it stays open when clients come and go."""

    type: ClassVar[str] = "question-asked"
    question: str
    """Unique in the run."""
    step: str
    text: Text
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class QuestionAnswered(Event):
    """An answer settled a question for everybody."""

    type: ClassVar[str] = "question-answered"
    question: str
    choice: Choice
    by: str


@dataclass(frozen=True, slots=True)
class RunPaused(Event):
    """No further step is started."""

    type: ClassVar[str] = "run-paused"
    by: str


@dataclass(frozen=True, slots=True)
class RunResumed(Event):
    """Steps are started again."""

    type: ClassVar[str] = "run-resumed"
    by: str


@dataclass(frozen=True, slots=True)
class StopRequested(Event):
    """The run ends as soon as the steps under way have ended."""

    type: ClassVar[str] = "stop-requested"
    by: str
    """Empty when the policy wants it."""
    cause: StopCause = StopCause.OPERATOR


@dataclass(frozen=True, slots=True)
class NodeQuarantined(Event):
    """The run goes on without a node."""

    type: ClassVar[str] = "node-quarantined"
    node: str
    step: str


@dataclass(frozen=True, slots=True)
class ProbeChanged(Event):
    """A health question has another answer than before (see ``rbdtui.probes``)."""

    type: ClassVar[str] = "probe-changed"
    durable: ClassVar[bool] = False
    probe: str
    target: str
    port: int
    state: str
    detail: Text
    latency_ms: float | None


@dataclass(frozen=True, slots=True)
class RunFinished(Event):
    """The run ended; the last line, unless a runner takes a failed or stopped run up again."""

    type: ClassVar[str] = "run-finished"
    outcome: RunOutcome
    changed: int
    """Steps that changed something in this run."""
    duration_s: float
    """Time with a runner at work."""
    reason: Text | None = None
    """Why the runner itself had to give up, e.g. a full disk."""


EVENT_TYPES: Final[Mapping[str, type[Event]]] = {
    event.type: event
    for event in (
        RunCreated, RunnerStarted, StepStarted, StepDescribed, StepNoted, StepProgressed, StepFinished, StepFailed,
        StepStalled, StepStirred, StepLetGo, QuestionAsked, QuestionAnswered, RunPaused, RunResumed, StopRequested,
        NodeQuarantined, ProbeChanged, RunFinished,
    )
}  # fmt: skip


class RecordError(ValueError):
    """A line that is no record."""


class NewerSchemaError(RecordError):
    """A record that a newer rbdtui wrote."""

    def __init__(self, schema: int) -> None:
        super().__init__(schema)
        self.schema = schema


@dataclass(frozen=True, slots=True)
class Record:
    """An event with its place and time in the journal."""

    seq: int
    """From 1, without gaps."""
    at: float
    """Unix time on the jump host."""
    event: Event
    steady_s: float | None = None
    """Seconds of the jump host's clock that nobody sets, since it was started; None in journals that lack it."""

    def to_json(self) -> dict[str, object]:
        """One line of the journal, and of ``run --json``."""
        body = {name: _plain(getattr(self.event, name)) for name in _field_names(self.event.type)}
        steady = {} if self.steady_s is None else {"steady_s": self.steady_s}
        return {"schema": self.event.schema, "seq": self.seq, "at": self.at, **steady, "type": self.event.type, **body}

    @staticmethod
    def from_json(data: object) -> Record:
        """Read what `to_json` gave; raises `NewerSchemaError` or `RecordError`."""
        if not isinstance(data, Mapping):
            raise RecordError("not an object")
        schema, seq, at, steady_s = data.get("schema"), data.get("seq"), data.get("at"), data.get("steady_s")
        if isinstance(schema, int) and schema > SCHEMA:
            raise NewerSchemaError(schema)
        event_type = EVENT_TYPES.get(str(data.get("type")))
        if (
            event_type is None
            or schema != event_type.schema
            or not isinstance(seq, int)
            or not isinstance(at, int | float)
            or not is_time(at)
            or (steady_s is not None and not (isinstance(steady_s, int | float) and is_time(steady_s)))
        ):
            raise RecordError("schema, seq, at, steady_s or type")
        try:
            event = _adapter(event_type.type).validate_python(data)
        except ValidationError as error:
            raise RecordError(error.errors(include_input=False, include_url=False)[0]["msg"]) from error
        values = (getattr(event, name) for name in _field_names(event_type.type))
        if any(isinstance(value, float) and not math.isfinite(value) for value in values):
            raise RecordError("a number is not finite")
        return Record(seq, at, event, steady_s)


@cache
def _adapter(event_type: str) -> TypeAdapter[Event]:
    return TypeAdapter(EVENT_TYPES[event_type])


@cache
def _field_names(event_type: str) -> tuple[str, ...]:
    return tuple(f.name for f in dataclasses.fields(EVENT_TYPES[event_type]))


def _plain(value: object) -> object:
    if isinstance(value, Text):
        return value.to_json()
    if isinstance(value, StepInfo):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, StrEnum):
        return value.value
    return value


_REMOTE_WORDS: Final = frozenset({"evidence", "last_line", "changes"})
"""Fields that carry what hosts said; ids and names stay as they are even when a secret looks like one."""
_FIXED_WORDS: Final = frozenset({"kind", "key"})
"""Members of a change's JSON form that are our own constants."""


def without_secrets(event: Event, redactor: Redactor) -> Event:
    """The event as it may be written down."""
    if not redactor.knows_secrets:
        return event
    cleaned: dict[str, object] = {}
    for name in _field_names(event.type):
        value = getattr(event, name)
        if isinstance(value, Text):
            cleaned[name] = redactor.words(value)
        elif name in _REMOTE_WORDS:
            cleaned[name] = _clean(value, redactor)
    return dataclasses.replace(event, **cleaned) if cleaned else event


def _clean(value: object, redactor: Redactor) -> object:
    if isinstance(value, str):
        return redactor.text(value)
    if isinstance(value, tuple | list):
        return type(value)(_clean(item, redactor) for item in value)
    if isinstance(value, Mapping):
        return {name: item if name in _FIXED_WORDS else _clean(item, redactor) for name, item in value.items()}
    return value
