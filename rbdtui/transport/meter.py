"""How far a transfer is, and how fast it goes."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rbdtui.transport.base import UploadProgress

OnProgress = Callable[[UploadProgress], None]
_SPEED_SAMPLES: Final = 12
_PROGRESS_EVERY_S: Final = 0.5


@dataclass(slots=True)
class Meter:
    """Tells how far a transfer is, at most twice a second."""

    total_bytes: int
    on_progress: OnProgress | None
    sent_bytes: int = 0
    _samples: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_SPEED_SAMPLES))

    def start(self, offset_bytes: int) -> None:
        """Begin at an offset."""
        self.sent_bytes = offset_bytes
        self._samples.clear()
        self._tell(time.monotonic())

    def add(self, size_bytes: int) -> None:
        """Count what was sent."""
        self.sent_bytes += size_bytes
        now = time.monotonic()
        if now - self._samples[-1][0] >= _PROGRESS_EVERY_S:
            self._tell(now)

    def finish(self) -> None:
        """Tell that all is there."""
        self.sent_bytes = self.total_bytes
        self._tell(time.monotonic())

    def _tell(self, now: float) -> None:
        self._samples.append((now, self.sent_bytes))
        then, sent_then = self._samples[0]
        speed = (self.sent_bytes - sent_then) / (now - then) if now > then else 0.0
        if self.on_progress is not None:
            self.on_progress(UploadProgress(self.sent_bytes, self.total_bytes, speed))
