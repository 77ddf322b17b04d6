"""Whoever answers in a host's place, before any key is checked: it costs neither time nor the other hosts."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.transport.base import ConnectTimeoutError, NotSshError
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scan import scan_host_keys
from rbdtui.transport.scripts import Script
from tests.transport.conftest import QUICK
from tests.transport.inprocess import InProcessSshd
from tests.transport.strangers import IGNORE, KEX_REPLY, kex_init, packet, stranger, string

OK = Script("work", "echo ok\n")


def asked_of(connection: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    heard = b""
    with contextlib.suppress(OSError):
        connection.settimeout(10)
        while data := connection.recv(65536):
            heard += data
    return heard


@asynccontextmanager
async def longest_wait_for_a_turn() -> AsyncIterator[list[float]]:
    """Measures, for the time of the block, how long the event loop kept somebody waiting."""
    waits = [0.0]

    async def watch() -> None:
        while True:
            began_at = time.monotonic()
            await asyncio.sleep(0.005)
            waits.append(time.monotonic() - began_at)

    watching = asyncio.create_task(watch())
    try:
        yield waits
    finally:
        watching.cancel()


@pytest.mark.parametrize("exchange", [b"diffie-hellman-group-exchange-sha256", b"rsa2048-sha256"])
async def test_nobody_chooses_the_numbers_that_we_calculate_with(exchange: bytes, tmp_path: Path) -> None:
    heard: list[bytes] = []

    def say(connection: socket.socket) -> None:
        connection.sendall(kex_init(exchange))
        heard.append(asked_of(connection))

    with stranger(say) as port:
        endpoint = Endpoint("n1", "127.0.0.1", port, agent=False)
        keys = await scan_host_keys([endpoint], KnownHosts(tmp_path / "known"), str, limits=QUICK)
        async with HostPool({"n1": endpoint}, KnownHosts(tmp_path / "known"), str, QUICK) as pool:
            with pytest.raises(NotSshError):
                await pool["n1"].run(OK)
    assert [type(key.error) for key in keys] == [NotSshError]
    assert heard
    assert not [said for said in heard if exchange in said.partition(b"No matching")[0]]


NEGATIVE_KEY = string(b"ssh-rsa") + string(b"\xff") + string(b"\xff")
"""Of which the library that we use says OverflowError."""


async def test_a_key_that_upsets_the_library_is_that_hosts_trouble_alone(server: InProcessSshd, tmp_path: Path) -> None:
    def say(connection: socket.socket) -> None:
        connection.sendall(kex_init())
        connection.recv(65536)
        connection.sendall(packet(bytes([KEX_REPLY]) + string(NEGATIVE_KEY) + string(bytes(32)) + string(b"")))
        asked_of(connection)

    known = server.known_hosts()
    with stranger(say) as port:
        bad, good = Endpoint("bad", "127.0.0.1", port, agent=False), server.endpoint("good")
        keys = await scan_host_keys([bad, good], known, {"login": "right"}.__getitem__, limits=QUICK)
        async with HostPool({"bad": bad, "good": good}, known, {"login": "right"}.__getitem__, QUICK) as pool:
            outcomes = await asyncio.gather(*(host.run(OK) for host in pool.values()), return_exceptions=True)
    assert [(key.node, type(key.error)) for key in keys] == [("bad", NotSshError), ("good", type(None))]
    assert isinstance(outcomes[0], NotSshError)
    assert "OverflowError" in str(outcomes[0])
    assert not isinstance(outcomes[1], BaseException)


async def test_one_that_talks_without_end_leaves_the_others_their_turns(server: InProcessSshd, tmp_path: Path) -> None:
    small = packet(bytes([IGNORE]) + string(b"")) * 20_000

    def say(connection: socket.socket) -> None:
        connection.sendall(kex_init())
        while True:
            connection.sendall(small)

    limits = replace(QUICK, connect_timeout_s=3, login_timeout_s=3)
    with stranger(say) as port:
        endpoints = {"bad": Endpoint("bad", "127.0.0.1", port, agent=False), "good": server.endpoint("good")}
        async with HostPool(endpoints, server.known_hosts(), {"login": "right"}.__getitem__, limits) as pool:
            bad = asyncio.create_task(pool["bad"].run(OK))
            await asyncio.sleep(0.5)
            async with longest_wait_for_a_turn() as waits:
                assert (await pool["good"].run(OK)).text == "ok\n"
            assert max(waits) < 0.5
            with pytest.raises(ConnectTimeoutError):
                await bad


async def test_nothing_is_unpacked_on_the_way(tmp_path: Path) -> None:
    packed = InProcessSshd(tmp_path, passwords={"root": "right"}, options={"compression_algs": ["zlib@openssh.com"]})
    either = InProcessSshd(
        tmp_path, passwords={"root": "right"}, options={"compression_algs": ["zlib@openssh.com", "none"]}
    )
    for server in (packed, either):
        await server.start()
        try:
            async with HostPool(
                {"n1": server.endpoint()}, server.known_hosts(), {"login": "right"}.__getitem__
            ) as pool:
                if server is packed:
                    with pytest.raises(NotSshError):
                        await pool["n1"].run(OK)
                    continue
                running = asyncio.create_task(pool["n1"].run(Script("slow", "sleep 1; echo ok\n")))
                await asyncio.sleep(0.5)
                assert [one.get_extra_info("send_compression") for one in server._connections] == ["none"]
                assert (await running).text == "ok\n"
        finally:
            await server.stop()
