"""Time as screens show it; everything that draws a running clock asks `now`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

_DAY_S: Final = 86400


def now() -> float:
    """Unix time."""
    return time.time()


def steady() -> float:
    """Seconds of a clock that nobody sets."""
    return time.monotonic()


def lapse(seconds: float) -> str:
    """A duration in few cells: ``0.8s``, ``12s``, ``1:12``, ``1:02:05``."""
    seconds = max(0.0, seconds)
    if 0 < seconds < 1:
        return f"{min(max(seconds, 0.1), 0.9):.1f}s"
    if seconds < 60:
        return f"{int(seconds)}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment(at: float) -> str:
    """A time of day, local to this machine."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def recent(at: float, seen_at: float) -> str:
    """A time of day; more than a day before it is looked at, with the date in place of the seconds."""
    return moment(at) if abs(seen_at - at) < _DAY_S else time.strftime("%m-%d %H:%M", time.localtime(at))


def day(at: float) -> str:
    """Date and time, local to this machine."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))


def stamp(at: float) -> str:
    """A time as the lines of logs begin with it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(at))


@dataclass(frozen=True, slots=True)
class Moment:
    """When something is drawn; on a slow link running clocks go in larger steps, so that they cost less."""

    at: float
    grain_s: float = 1.0
    live: bool = True
    """Whether clocks run: what was under way when the runner died is not any more."""

    def since(self, begin: float | None) -> str:
        """How long ago something was."""
        passed = max(0.0, self.at - (self.at if begin is None else begin))
        return lapse(passed // self.grain_s * self.grain_s if self.grain_s > 1 else passed)

    def until(self, end: float) -> str:
        """How long it is till something."""
        left = max(0.0, end - self.at)
        return lapse(left // self.grain_s * self.grain_s if self.grain_s > 1 else left)
