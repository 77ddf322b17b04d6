"""Has the hosts try the network: connections between them by their own sshd."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from rbdtui.checks.hosts.ports import Way
from rbdtui.together import together
from rbdtui.transport.base import Host, Reach, ReachResult

_REACH_TIMEOUT_S: Final = 3.0
_PER_HOST: Final = 16


async def try_ways(host: Host, ways: Sequence[Way], addresses: Mapping[str, str]) -> dict[Way, ReachResult]:
    """Try all connections that start at a host; ends early when its sshd does not forward. Raises `TransportError`."""
    slots = asyncio.Semaphore(_PER_HOST)
    forbidden = asyncio.Event()

    async def one(way: Way) -> tuple[Way, ReachResult] | None:
        async with slots:
            if forbidden.is_set():
                return None
            result = await host.reach(addresses[way.target], way.port, timeout_s=_REACH_TIMEOUT_S)
            if result.reach is Reach.FORBIDDEN:
                forbidden.set()
            return way, result

    answers = await together(*(one(way) for way in ways))
    return dict(answer for answer in answers if answer is not None)
