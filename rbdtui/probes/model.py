"""What a health question is, what may come back, and the picture that all answers make together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from rbdtui.words import Text

VIP: Final = "VIP"
"""Target of what is asked through the virtual address; capitals, so that no node can have this name."""
BALANCER: Final = "LB"
"""Target of what is asked through an external balancer."""
CLUSTER: Final = "CLUSTER"
"""Target of what belongs to no single host."""


@dataclass(frozen=True, slots=True, order=True)
class ProbeKind:
    """What is asked; each stands in the file of its probe."""

    value: str
    """Its name in ids of probes, in JSON and in words."""
    rank: int
    """Where it is shown among the others, from the top."""
    column: str = ""
    """In which column of a table of hosts; of several kinds in one column the worst answer is shown."""
    by_port: bool = False
    """Whether every port is a column of its own."""
    is_shared: bool = False
    """Whether it belongs to all hosts together and is told in a line of its own."""
    is_measured: bool = False
    """Whether an answer is a value that was read, such as a date, which no lost packet makes worse: one is enough."""
    is_brought: bool = False
    """Whether only an installation brings about what is asked for: during the first one it is not missed."""

    def __str__(self) -> str:
        return self.value


class ProbeState(StrEnum):
    """What an answer is worth."""

    OK = "ok"
    EXPECTED = "expected"
    """Not there, and that is right so far: nothing that would answer has been installed. Published as ``ok``."""
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    """Could not be asked."""

    @property
    def good(self) -> bool:
        """Whether nothing needs to be done about it."""
        return self in (ProbeState.OK, ProbeState.EXPECTED)

    @property
    def published(self) -> str:
        """The word of the JSON contract, which knows four states."""
        return ProbeState.OK.value if self is ProbeState.EXPECTED else self.value


class Health(StrEnum):
    """The verdict over everything."""

    OK = "ok"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, order=True)
class ProbeKey:
    """Which question of which target."""

    kind: ProbeKind
    target: str
    """A node's name, `VIP`, `BALANCER` or `CLUSTER`."""
    port: int = 0
    """TCP port; 0 where the question has none."""
    part: str = ""
    """Which of several things of the kind, where each is asked for itself, such as the name of a component."""

    @property
    def id(self) -> str:
        """Unique among probes, stable, e.g. ``gateway-443@node1``, ``api@VIP``, ``vip-holder``."""
        name = f"{self.kind.value}-{self.port}" if self.kind.by_port else self.kind.value
        name = f"{name}-{self.part}" if self.part else name
        return name if self.target == CLUSTER else f"{name}@{self.target}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back once."""

    key: ProbeKey
    state: ProbeState
    detail: Text
    """One sentence: what was found and, where it was not asked straight from here, which way."""
    latency_ms: float | None = None
    """How long the target took; None when it did not answer or time says nothing."""
    asked: str = ""
    """What was asked, raw: a URL, a script."""
    evidence: str = ""
    """What came back, raw; it may hold control characters."""
    fact: str = ""
    """A value whose change is worth an event though the state stays, such as who holds the virtual address."""
    remedy: Text | None = None
    """What to do about this very answer; None where what holds for its kind is all."""
    notice: bool = False
    """Whether it is worth telling although it is good."""


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """A question has another answer than before: another state, or with the same state another fact."""

    key: ProbeKey
    old: ProbeState
    new: ProbeState
    detail: Text
    latency_ms: float | None
    at: float
    """Unix time on the jump host."""
    first: bool = False
    """Whether nothing was known before."""


@dataclass(frozen=True, slots=True)
class ProbeStatus:
    """How one question stands."""

    key: ProbeKey
    state: ProbeState
    detail: Text
    since: float
    """Unix time from which it has been so."""
    latency_ms: float | None = None
    """Of the newest answer."""
    latencies_ms: tuple[float | None, ...] = ()
    """Of the last answers, oldest first; None for one without a latency."""
    newest: Answer | None = None
    """The newest answer, also while it does not count yet; None before the first."""
    answered_at: float | None = None
    """Unix time of the newest answer."""

    def to_json(self) -> dict[str, object]:
        """One element of ``probes`` in ``health --json``, in the current language."""
        return {
            "id": self.key.id,
            "target": self.key.target,
            "port": self.key.port or None,
            "state": self.state.published,
            "detail": str(self.detail),
            "latency_ms": None if self.latency_ms is None else round(self.latency_ms, 1),
            "since": datetime.fromtimestamp(self.since, UTC).isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """The whole picture at one moment."""

    health: Health
    headline: Text
    """The verdict in one sentence."""
    probes: tuple[ProbeStatus, ...]
    changes: tuple[HealthEvent, ...] = ()
    """Latest changes of state, oldest first; first answers are no changes."""
    at: float = 0.0
    """Unix time on the jump host."""
    by_id: Mapping[str, ProbeStatus] = field(init=False, repr=False, compare=False)
    """The same probes by id."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {status.key.id: status for status in self.probes})

    def to_json(self) -> dict[str, object]:
        """The answer of ``health --json`` (``assets/schemas/health.schema.json``), in the current language."""
        return {"state": self.health.value, "probes": [status.to_json() for status in self.probes]}


class Expectation(StrEnum):
    """What should be behind the gateway ports at present."""

    OPEN = "open"
    """Rainbond is installed."""
    CLOSED = "closed"
    """Nothing that would answer has been installed yet."""
    UNUSED = "unused"
    """The profile has no gateway: whatever is there is not ours to judge."""
    UNSURE = "unsure"
    """Whether Rainbond is installed could not be asked."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A host's clock against ours, with the round trip taken out."""

    offset_s: float
    """Host minus jump host."""
    uncertainty_s: float
    """Half the round trip."""
