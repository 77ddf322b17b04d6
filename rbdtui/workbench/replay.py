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
    """A place in a journal that may still grow; `count` records are shown, all of them while it is None."""

    count: int | None = None
    _stops: list[int] = field(default_factory=list)
    """Counts after which something worth a look has just happened."""
    _scanned: int = 0

    @property
    def looks_back(self) -> bool:
        """Whether an earlier moment is shown."""
        return self.count is not None

    def at(self, records: Sequence[Record]) -> float:
        """Unix time of what is shown."""
        place = len(records) if self.count is None else self.count
        return records[place - 1].at if records and place > 0 else 0.0

    def share(self, records: Sequence[Record]) -> float:
        """Where in the run's time that is, from 0 to 1."""
        if len(records) < 2 or self.count is None:
            return 1.0
        begin, end = records[0].at, records[-1].at
        return (self.at(records) - begin) / (end - begin) if end > begin else 1.0

    def now(self) -> None:
        """Go back to the present."""
        self.count = None

    def begin(self, records: Sequence[Record]) -> None:
        """Go to where the run begins."""
        self.count = min(1, len(records)) or None

    def step(self, records: Sequence[Record], by: int) -> None:
        """Go to the stop before or behind; behind the last one is the present."""
        self._scan(records)
        place = len(records) if self.count is None else self.count
        if by < 0:
            index = bisect_left(self._stops, place) - 1
            self.count = self._stops[max(0, index)] if self._stops else None
            return
        index = bisect_right(self._stops, place)
        self.count = self._stops[index] if self.count is not None and index < len(self._stops) else None

    def leap(self, records: Sequence[Record], share: float) -> None:
        """Go on or back by a share of the run's time, at least to the next stop."""
        if not records:
            return
        length = records[-1].at - records[0].at
        place = bisect_right(records, self.at(records) + share * length, key=_at)
        before = self.count
        if place >= len(records) and share > 0:
            self.count = None
        elif place == (len(records) if before is None else before) or place < 1:
            self.step(records, 1 if share > 0 else -1)
        else:
            self.count = place

    def _scan(self, records: Sequence[Record]) -> None:
        for index in range(self._scanned, len(records)):
            if not isinstance(records[index].event, _QUIET):
                self._stops.append(index + 1)
        self._scanned = len(records)
