"""Ports that are opened while somebody says stop: at whatever moment, nothing stays open."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rbdtui.listening import listen
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.rainbond.gateway import Opened, open_controller, open_gateway, open_old_gateway
from tests.simulator.kubernetes_api import bare_cluster

TURNS = 200
"""Of the loop: all that begins here has come to its end by then, which each test sees for itself."""


def sockets() -> set[str]:
    """Of this process, by their inodes."""
    found = set()
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            name = os.readlink(entry)
            if name.startswith("socket:"):
                found.add(name)
    return found


async def given_up_after(turns: int, begin: Callable[[], Awaitable[object]]) -> object | None:
    """Begin something, and say stop some turns of the loop later; what it came to, if it was done by then."""
    task = asyncio.ensure_future(begin())
    for _ in range(turns):
        await asyncio.sleep(0)
    if task.done():
        return task.result()
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        return await task
    return None


async def test_a_port_given_up_at_any_moment_is_closed() -> None:
    before, done = sockets(), 0
    for turns in range(TURNS):
        server = await given_up_after(turns, lambda: listen(lambda *_: None))
        if server is not None:
            assert isinstance(server, asyncio.Server)
            server.close()
            done += 1
        await asyncio.sleep(0)
        assert sockets() == before, turns
    assert 0 < done < TURNS


async def test_a_taken_port_is_an_error_and_leaves_nothing() -> None:
    server = await listen(lambda *_: None)
    before = sockets()
    with pytest.raises(OSError, match="in use"):
        await listen(lambda *_: None, port=server.sockets[0].getsockname()[1])
    assert sockets() == before
    server.close()


@pytest.mark.parametrize("turns", range(4))
async def test_a_connection_is_closed_whenever_its_handler_is_given_up(turns: int) -> None:
    begun = asyncio.Event()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            writer.close()

    def give_up(task: asyncio.Task[None], after: int) -> None:
        if after:
            loop.call_soon(give_up, task, after - 1)
        else:
            assert begun.is_set() == (turns > 0), "the first is given up before it has begun"
            task.cancel()

    def made(loop: asyncio.AbstractEventLoop, work: Any, **named: Any) -> asyncio.Future[Any]:
        task = asyncio.Task(work, loop=loop, **named)
        if work.__name__ == "serve":
            give_up(task, turns)
        return task

    loop = asyncio.get_running_loop()
    loop.set_task_factory(made)
    server = await listen(serve)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    async with asyncio.timeout(10):
        assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    server.close()


@pytest.mark.parametrize("opening", [open_controller, open_gateway, open_old_gateway])
async def test_a_gateway_given_up_at_any_moment_leaves_no_port(
    opening: Callable[[Cluster, Machine], Awaitable[Opened]],
) -> None:
    fleet = SimulatedFleet(1)
    cluster, (machine,) = bare_cluster(fleet), fleet.machines.values()
    before, done = sockets(), 0
    for turns in range(TURNS):
        opened = await given_up_after(turns, lambda: opening(cluster, machine))
        if opened is not None:
            assert isinstance(opened, Opened)
            opened.stop()
            done += 1
        await asyncio.sleep(0)
        assert sockets() == before, turns
        assert machine.listening == {}, turns
    assert 0 < done < TURNS
