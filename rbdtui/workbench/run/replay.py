"""Looking back in a run: which place of its journal is shown, and the places where something happened."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Final

from rbdtui.engine.events import ProbeChanged, Record, StepDescribed, StepProgressed

_QUIET: Final = (StepProgressed, StepDescribed, ProbeChanged)
"""What is no stop of its own."""
_at = attrgetter("at")


@dataclass(slots=True)
class Replay:
    """A moment in a journal that may still grow; `count` records are shown, all of them while it is None."""

    count: int | None = None
    _moment: float = 0.0
    """Unix time of what is shown while looking back; nothing need have happened right then."""
    _stops: list[int] = field(default_factory=list)
    """Counts after which something worth a look has just happened."""
    _scanned: int = 0

    @property
    def looks_back(self) -> bool:
        """Whether an earlier moment is shown."""
        return self.count is not None

    def at(self, end: float) -> float:
        """Unix time of what is shown, in a run whose present is ``end``."""
        return end if self.count is None else self._moment

    def share(self, records: Sequence[Record], end: float) -> float:
        """Where in the run's time that is, from 0 to 1."""
        begin = records[0].at if records else end
        return min(1.0, max(0.0, (self.at(end) - begin) / (end - begin))) if end > begin else 1.0

    def now(self) -> None:
        """Go back to the present."""
        self.count = None

    def begin(self, records: Sequence[Record]) -> None:
        """Go to where the run begins."""
        self.go(records, 1)

    def go(self, records: Sequence[Record], count: int | None) -> None:
        """Go to right after so many records; None is the present."""
        self.count = min(count, len(records)) or None if count is not None else None
        if self.count is not None:
            self._moment = records[self.count - 1].at

    def step(self, records: Sequence[Record], by: int) -> None:
        """Go to the stop before or behind; behind the last one is the present."""
        self._scan(records)
        place = len(records) if self.count is None else self.count
        if by < 0:
            index = bisect_left(self._stops, place) - 1
            between = self.count is not None and self._moment > records[self.count - 1].at and place in self._stops
            self.go(records, place if between else self._stops[max(0, index)] if self._stops else None)
            return
        index = bisect_right(self._stops, place)
        self.go(records, self._stops[index] if self.count is not None and index < len(self._stops) else None)

    def leap(self, records: Sequence[Record], share: float, end: float) -> None:
        """Go on or back by a share of the run's time up to ``end``, its present."""
        if not records:
            return
        moment = self.at(end) + share * (end - records[0].at)
        if share > 0 and (self.count is None or moment >= end):
            self.now()
            return
        self.count = max(1, bisect_right(records, moment, key=_at))
        self._moment = max(records[0].at, moment)

    def _scan(self, records: Sequence[Record]) -> None:
        for index in range(self._scanned, len(records)):
            if not isinstance(records[index].event, _QUIET):
                self._stops.append(index + 1)
        self._scanned = len(records)
