"""Time as screens show it; everything that draws a running clock asks `now`."""

from __future__ import annotations

import time


def now() -> float:
    """Unix time."""
    return time.time()


def lapse(seconds: float) -> str:
    """A duration in few cells: ``0.8s``, ``12s``, ``1:12``, ``1:02:05``."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{min(seconds, 0.9):.1f}s"
    if seconds < 60:
        return f"{int(seconds)}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment(at: float) -> str:
    """A time of day, local to this machine."""
    return time.strftime("%H:%M:%S", time.localtime(at))


def day(at: float) -> str:
    """Date and time, local to this machine."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at))
