"""How far a host's clock is from the jump host's, with the round trip taken out.

A host's reading was taken somewhere between our sending the request and our receiving the answer. Each such reading
bounds the offset from both sides; all readings together bound it more tightly than the best of them alone.
"""

from __future__ import annotations

import math
import re
from typing import Final

from rbdtui.facts.model import Clock

MARK: Final = "@@clock"
"""Starts a line on which a host tells its time: seconds since 1970, with a fraction."""
_READING: Final = re.compile(rf"{MARK} ([0-9]{{1,12}}\.[0-9]{{1,9}})")


def reading_of(line: str) -> float | None:
    """The host's time on a line that tells it; None on any other line."""
    match = _READING.fullmatch(line.strip()) if line.startswith(MARK) else None
    return float(match[1]) if match else None


class ClockBounds:
    """What is known of a clock's offset (host minus jump host) from the readings so far."""

    def __init__(self) -> None:
        self._low = -math.inf
        self._high = math.inf

    def add(self, host_time: float, sent_at: float, received_at: float) -> None:
        """Take in a reading; when it contradicts those before, a clock was set meanwhile, and only it counts."""
        low, high = host_time - received_at, host_time - sent_at
        if high < self._low or low > self._high:
            self._low, self._high = low, high
        else:
            self._low, self._high = max(low, self._low), min(high, self._high)

    @property
    def uncertainty_s(self) -> float:
        """Half the width of the bounds; infinite before the first reading."""
        return (self._high - self._low) / 2

    @property
    def largest_s(self) -> float:
        """How far the clocks can be apart at most; infinite before the first reading."""
        return max(abs(self._low), abs(self._high))

    def clock(self) -> Clock | None:
        """The middle of the bounds; None before the first reading."""
        if math.isinf(self._low):
            return None
        return Clock(offset_s=(self._low + self._high) / 2, uncertainty_s=max(0.0, self.uncertainty_s))
