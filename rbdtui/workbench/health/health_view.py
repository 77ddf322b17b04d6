"""The health of a cluster as a screen sees it: asked in the background, read as immutable pictures."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Final

from rbdtui.probes.history import HealthHistory
from rbdtui.probes.model import HealthSnapshot
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.session import Session
from rbdtui.words import Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.errors import sentence_of

PICTURE_S: Final = 1.0
"""How often a new picture is made at most, when nothing changed but latencies."""


class HealthFollower:
    """Keeps asking a cluster how it is, from `start` to `close`."""

    def __init__(self, background: BackgroundLoop, on_change: Callable[[], None]) -> None:
        self.snapshot: HealthSnapshot | None = None
        """The latest picture; None before anything was asked."""
        self.since = 0.0
        """Unix time from which the verdict has been what it is."""
        self.error: Text | None = None
        """Why nothing can be asked, e.g. because the plan cannot be used."""
        self._monitor: HealthMonitor | None = None
        self._background = background
        self._on_change = on_change
        self._asking: Future[None] | None = None

    @property
    def asking(self) -> bool:
        """Whether it is at work."""
        return self._asking is not None and not self._asking.done()

    def start(self, session: Session) -> None:
        """Begin to ask, unless it does already; secrets that are needed must have been unlocked."""
        if not self.asking:
            self.error = None
            self._asking = self._background.submit(self._ask(session))

    def poll_now(self) -> None:
        """Ask everything now."""

        async def wake() -> None:
            if self._monitor is not None:
                self._monitor.poll_now()

        self._background.submit(wake())

    def show(self, snapshot: HealthSnapshot, since: float) -> None:
        """Take a picture from elsewhere, for a site whose servers are not asked."""
        self.snapshot, self.since = snapshot, since
        self._on_change()

    def close(self) -> None:
        """Stop asking; the last picture stays."""
        if self._asking is not None:
            self._asking.cancel()

    async def _ask(self, session: Session) -> None:
        try:
            async with session.hosts() as hosts:
                monitor = session.health_monitor(hosts, HealthHistory(session.site.health_dir))
                self._monitor = monitor
                asking = asyncio.create_task(monitor.run())
                try:
                    await self._draw(monitor, asking)
                finally:
                    asking.cancel()
                    with suppress(asyncio.CancelledError):
                        await asking
        except Exception as error:  # whatever it is, the screen says it instead of standing still
            self.error = sentence_of(error)
            self._on_change()

    async def _draw(self, monitor: HealthMonitor, asking: asyncio.Task[None]) -> None:
        while not asking.done():
            picture = monitor.snapshot()
            answered = [status.answered_at for status in picture.probes]
            before = self.snapshot.probes if self.snapshot is not None else ()
            if answered != [status.answered_at for status in before]:
                if self.snapshot is None or self.snapshot.health is not picture.health:
                    self.since = picture.at
                self.snapshot = picture
                self._on_change()
            await asyncio.sleep(PICTURE_S)
        asking.result()
