"""Simulated time: durations on simulated hosts shrink by one factor, clocks do not."""

from __future__ import annotations

import asyncio
import time


class Pace:
    """How fast a fleet lives; 1.0 is about as fast as real servers."""

    def __init__(self, speed: float = 1.0) -> None:
        if speed <= 0:
            raise ValueError("the speed of a fleet must be above 0")
        self.speed = speed
        self._origin = time.monotonic()

    @property
    def now_s(self) -> float:
        """Simulated seconds since the fleet began."""
        return (time.monotonic() - self._origin) * self.speed

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds."""
        await asyncio.sleep(max(0.0, seconds) / self.speed)
