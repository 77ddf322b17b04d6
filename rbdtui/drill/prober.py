"""Asks ports again and again, often enough to measure a gap of a tenth of a second."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.drill.record import Gap

EVERY_S: Final = 0.1
CONNECT_S: Final = 1.0

Connect = Callable[[int], Awaitable[bool]]
"""Whether a port takes a connection now; never raises."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question."""

    at: float
    """When it was asked, on the monotonic clock."""
    ok: bool


@dataclass(slots=True)
class Prober:
    """Asks each port every tenth of a second, whether or not earlier questions have been answered."""

    connect: Connect
    ports: Sequence[int]
    samples: dict[int, list[Sample]] = field(default_factory=dict)
    _asking: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self) -> None:
        """Ask until cancelled."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        try:
            while True:
                for port in self.ports:
                    task = asyncio.create_task(self._ask(port))
                    self._asking.add(task)
                    task.add_done_callback(self._asking.discard)
                due = max(due + EVERY_S, loop.time())
                await asyncio.sleep(due - loop.time())
        finally:
            asking = list(self._asking)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def _ask(self, port: int) -> None:
        at = time.monotonic()
        ok = await self.connect(port)
        self.samples.setdefault(port, []).append(Sample(at, ok))

    def steady_since(self, since: float, for_s: float) -> bool:
        """Whether every port has answered without a failure for so long, asked after a moment."""
        now = time.monotonic()
        if now - since < for_s:
            return False
        for port in self.ports:
            late = [sample for sample in self.samples.get(port, ()) if sample.at >= now - for_s]
            if not late or not all(sample.ok for sample in late):
                return False
        return True

    def gaps(self, address: str) -> list[Gap]:
        """What was measured, by port."""
        return [gap_of(address, port, self.samples.get(port, [])) for port in self.ports]


def gap_of(address: str, port: int, samples: Sequence[Sample]) -> Gap:
    """The longest gap in the answers of a port, from the last good question to the next good one."""
    ordered = sorted(samples, key=lambda sample: sample.at)
    failures = sum(not sample.ok for sample in ordered)
    longest, last_ok, failed = 0.0, None, False
    for sample in ordered:
        if not sample.ok:
            failed = True
            continue
        if failed and last_ok is not None:
            longest = max(longest, sample.at - last_ok)
        last_ok, failed = sample.at, False
    gap_s = None if failed or last_ok is None else round(longest, 3)
    return Gap(address, port, gap_s, len(ordered), failures)


async def connects(address: str, port: int, *, limit_s: float = CONNECT_S) -> bool:
    """Whether a port of an address takes a connection from this machine within the limit."""
    try:
        async with asyncio.timeout(limit_s):
            _, writer = await asyncio.open_connection(address, port)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
