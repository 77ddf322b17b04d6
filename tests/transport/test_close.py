"""Whatever way the work on hosts is given up, no connection stays open."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from rbdtui.transport.pool import HostPool
from tests.transport.conftest import QUICK
from tests.transport.openssh import RealSshd

LIMIT_S = 5.0
_ESTABLISHED = "01"


def open_connections(port: int) -> int:
    """How many connections of this machine to one of its ports are open."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(int(line[2].rpartition(":")[2], 16) == port and line[3] == _ESTABLISHED for line in lines)


@pytest.mark.parametrize("turns", range(6))
async def test_work_that_is_cancelled_twice_leaves_no_connection_open(sshd: RealSshd, turns: int) -> None:
    connected = asyncio.Event()

    async def work() -> None:
        endpoints = {name: sshd.endpoint(name) for name in ("n1", "n2")}
        async with HostPool(endpoints, sshd.known_hosts(), lambda _: "", limits=QUICK) as hosts:
            await asyncio.gather(*(hosts[name].connect() for name in hosts))
            connected.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await connected.wait()
    assert open_connections(sshd.port) == 2
    task.cancel()
    for _ in range(turns):
        await asyncio.sleep(0)
    others = [other for other in asyncio.all_tasks() if other is not asyncio.current_task()]
    for other in others:
        other.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    end = time.monotonic() + LIMIT_S
    while open_connections(sshd.port):
        assert time.monotonic() < end, "a connection stayed open"
        await asyncio.sleep(0.02)
