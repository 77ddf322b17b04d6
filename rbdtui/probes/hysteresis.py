"""When an answer becomes a state: the first at once, later ones after enough of them in a row."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rbdtui.probes.model import Answer, HealthEvent, ProbeKey, ProbeState, ProbeStatus
from rbdtui.words import Text

_RANK: Final = {
    ProbeState.OK: 0,
    ProbeState.EXPECTED: 1,
    ProbeState.DEGRADED: 2,
    ProbeState.UNKNOWN: 3,
    ProbeState.DOWN: 4,
}
HISTORY: Final = 120
"""How many latencies are kept for each probe."""


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """How many answers in a row make a change of state."""

    down_after: int = 3
    """Towards a worse state."""
    up_after: int = 2
    """Towards a better one."""

    def needed(self, old: ProbeState, new: ProbeState) -> int:
        """Answers in a row that a change takes."""
        return self.down_after if _RANK[new] > _RANK[old] else self.up_after


class Tracker:
    """The state of one probe over time."""

    def __init__(self, key: ProbeKey, hysteresis: Hysteresis, waiting: Text, at: float) -> None:
        self._hysteresis = hysteresis
        self._key = key
        self._state = ProbeState.UNKNOWN
        self._detail = waiting
        self._since = at
        self._newest: Answer | None = None
        self._answered_at: float | None = None
        self._fact = ""
        self._worse = 0
        self._better = 0
        self._latencies: deque[float | None] = deque(maxlen=HISTORY)

    def feed(self, answer: Answer, at: float) -> HealthEvent | None:
        """Take one answer in; the event when the state, or with the same state the fact, changes by it."""
        first = self._newest is None
        self._newest, self._answered_at = answer, at
        self._latencies.append(answer.latency_ms)
        agrees = answer.state is self._state
        if agrees:
            self._worse = self._better = 0
            self._detail = answer.detail
        if (agrees and answer.fact in ("", self._fact)) or not (agrees or first or self._enough(answer.state)):
            return None
        event = HealthEvent(self._key, self._state, answer.state, answer.detail, answer.latency_ms, at, first)
        self._state, self._detail, self._since = answer.state, answer.detail, at
        self._fact = answer.fact
        self._worse = self._better = 0
        return event

    def recall(self, latencies_ms: Iterable[float | None]) -> None:
        """Latencies from before this watch, oldest first."""
        self._latencies.extend(latencies_ms)

    @property
    def unsettled(self) -> bool:
        """Whether the newest answer differs from the state without counting yet."""
        return self._worse + self._better > 0

    def _enough(self, state: ProbeState) -> bool:
        """Count answers in a row on the same side of the present state, whatever they are on that side."""
        if _RANK[state] > _RANK[self._state]:
            self._worse, self._better = self._worse + 1, 0
        else:
            self._worse, self._better = 0, self._better + 1
        if self._key.kind.is_measured and ProbeState.UNKNOWN not in (state, self._state):
            return True
        return max(self._worse, self._better) >= self._hysteresis.needed(self._state, state)

    def status(self) -> ProbeStatus:
        """How the probe stands now."""
        return ProbeStatus(
            key=self._key,
            state=self._state,
            detail=self._detail,
            since=self._since,
            latency_ms=self._newest.latency_ms if self._newest else None,
            latencies_ms=tuple(self._latencies),
            newest=self._newest,
            answered_at=self._answered_at,
        )
