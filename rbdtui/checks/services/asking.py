"""From where a service is asked: a node that will use it, or this machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from rbdtui.probes.wire import Place
from rbdtui.transport.base import Host, Reach, ReachResult

KnownSecret = Callable[[str], str | None]
"""A value of the vault by its name, without ``secret:``; None while the vault is closed, or when it lacks it."""
THIS_MACHINE: Final = ""
"""Stands for the machine that runs rbdtui where names of nodes do."""


def no_secret(_: str) -> None:
    """Stands for a vault that nobody opened."""


@dataclass(frozen=True, slots=True)
class Asking:
    """One place from which a service is asked."""

    secret: KnownSecret = field(repr=False)
    host: Host | None = None
    """The node; None for this machine."""

    async def reach(self, address: str, port: int, *, timeout_s: float = 3.0) -> ReachResult:
        """Try a TCP connection; a name is resolved where it is asked from. Raises `TransportError`."""
        if self.host is not None:
            return await self.host.reach(address, port, timeout_s=timeout_s)
        return await _reach_from_here(address, port, timeout_s)

    @asynccontextmanager
    async def towards(self, address: str, port: int) -> AsyncIterator[Place]:
        """Where to connect to in this process so as to come out at the service, for the time of the block."""
        if self.host is None:
            yield Place(address, port)
            return
        async with self.host.forward(address, port) as own_port:
            yield Place("127.0.0.1", own_port)


async def _reach_from_here(address: str, port: int, timeout_s: float) -> ReachResult:
    began_at = time.monotonic()
    detail = ""
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(address, port)
        writer.transport.abort()
        reach = Reach.OPEN
    except TimeoutError:
        reach = Reach.TIMED_OUT
    except ConnectionRefusedError as error:
        reach, detail = Reach.REFUSED, str(error)
    except OSError as error:
        reach, detail = Reach.UNREACHABLE, str(error)
    return ReachResult(reach, (time.monotonic() - began_at) * 1000, detail)
