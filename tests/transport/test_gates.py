"""Hosts that take a connection and do not go on with it: they keep nobody else waiting."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from rbdtui.listening import listen
from rbdtui.transport.base import ConnectTimeoutError, TransportError
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.gates import Gathering
from rbdtui.transport.hostkeys import KnownHosts, SeenHostKey
from rbdtui.transport.limits import Limits
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scan import scan_host_keys
from rbdtui.transport.scripts import Script
from tests.transport.conftest import QUICK, StartSshd
from tests.transport.inprocess import InProcessSshd
from tests.transport.openssh import RealSshd
from tests.waiting import until

OK = Script("work", "echo ok\n")
LIMITS = replace(QUICK, connect_timeout_s=12)
SOON_S = 6.0
"""Half of what one silent host may take, and ample for a login on a busy machine."""


class Tarpits:
    """Programs on ports of their own that say something, again and again where asked to, and never go on."""

    def __init__(self, says: bytes, every_s: float | None) -> None:
        self._says = says
        self._every_s = every_s
        self.ports: list[int] = []
        self.connected = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connected += 1
        try:
            writer.write(self._says)
            while self._every_s is not None:
                await asyncio.sleep(self._every_s)
                writer.write(self._says)
                await writer.drain()
            while await reader.read(4096):
                pass
        except OSError:
            pass
        finally:
            self.connected -= 1
            writer.close()


@asynccontextmanager
async def tarpits(count: int, says: bytes = b"", every_s: float | None = None) -> AsyncIterator[Tarpits]:
    them = Tarpits(says, every_s)
    async with AsyncExitStack() as stack:
        for _ in range(count):
            listener = await listen(them.serve, "127.0.0.1", 0)
            stack.callback(listener.close)
            them.ports.append(listener.sockets[0].getsockname()[1])
        yield them


def silent_endpoints(ports: Iterable[int], bastions: Sequence[Endpoint] = ()) -> dict[str, Endpoint]:
    return {
        f"silent{port}": Endpoint(f"silent{port}", "127.0.0.1", port, agent=False, bastions=tuple(bastions))
        for port in ports
    }


async def seconds_until_all_good_ran(
    silent: dict[str, Endpoint], good: dict[str, Endpoint], known: KnownHosts, limits: Limits = LIMITS
) -> float:
    """How long the good hosts take behind the silent ones, which are asked first."""
    async with HostPool({**silent, **good}, known, str, limits) as pool:
        began_at = time.monotonic()
        waiting = [asyncio.create_task(pool[name].run(OK)) for name in silent]
        await asyncio.sleep(0)
        results = await asyncio.gather(*(pool[name].run(OK) for name in good))
        took_s = time.monotonic() - began_at
        assert [result.text for result in results] == ["ok\n"] * len(good)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return took_s


@pytest.mark.parametrize(
    ("says", "every_s"),
    [(b"", None), (b"SSH-2.0-Open", None), (b"x\r\n", 0.05), (b"SSH-2.0-OpenSSH_9.2\r\n", None)],
    ids=["silent", "half a line", "lines for ever", "silent after its line"],
)
async def test_silent_hosts_keep_nobody_waiting(sshd: RealSshd, says: bytes, every_s: float | None) -> None:
    good = {name: sshd.endpoint(name) for name in ("n1", "n2", "n3")}
    async with tarpits(10, says, every_s) as silent:
        took_s = await seconds_until_all_good_ran(silent_endpoints(silent.ports), good, sshd.known_hosts())
        assert took_s < SOON_S


async def test_silent_hosts_behind_a_bastion_keep_nobody_waiting(start_sshd: StartSshd) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    bastion = gate.endpoint("gate")
    good = {name: inner.endpoint(name, bastions=(bastion,)) for name in ("n1", "n2", "n3")}
    async with tarpits(10) as silent:
        endpoints = silent_endpoints(silent.ports, (bastion,))
        assert await seconds_until_all_good_ran(endpoints, good, gate.known_hosts(inner)) < SOON_S
        await until(lambda: silent.connected == 0)


async def test_a_silent_host_is_given_up_after_its_time_and_its_connection_is_closed(server: InProcessSshd) -> None:
    async with tarpits(1) as silent:
        limits = replace(QUICK, connect_timeout_s=0.5)
        async with HostPool(silent_endpoints(silent.ports), server.known_hosts(), str, limits) as pool:
            began_at = time.monotonic()
            with pytest.raises(ConnectTimeoutError):
                await next(iter(pool.values())).run(OK)
            assert 0.4 < time.monotonic() - began_at < 5
            await until(lambda: silent.connected == 0)


async def test_the_wait_for_a_place_is_not_taken_for_silence(sshd: RealSshd) -> None:
    good = {f"n{number}": sshd.endpoint(f"n{number}") for number in range(4)}
    async with tarpits(2, b"SSH-2.0-OpenSSH_9.2\r\n") as slow:
        limits = replace(QUICK, logins=1, openings=8, connect_timeout_s=1.5)
        async with HostPool({**silent_endpoints(slow.ports), **good}, sshd.known_hosts(), str, limits) as pool:
            outcomes = await asyncio.gather(*(host.run(OK) for host in pool.values()), return_exceptions=True)
    assert all(isinstance(outcome, ConnectTimeoutError) for outcome in outcomes[:2])
    assert not [outcome for outcome in outcomes[2:] if isinstance(outcome, BaseException)]


async def test_no_more_connections_are_opened_than_allowed(server: InProcessSshd) -> None:
    async with tarpits(12) as silent:
        limits = replace(QUICK, openings=5, connect_timeout_s=0.5)
        most = 0
        async with HostPool(silent_endpoints(silent.ports), server.known_hosts(), str, limits) as pool:
            running = [asyncio.create_task(host.run(OK)) for host in pool.values()]
            while not all(task.done() for task in running):
                most = max(most, silent.connected)
                await asyncio.sleep(0.02)
            outcomes = await asyncio.gather(*running, return_exceptions=True)
    assert all(isinstance(outcome, ConnectTimeoutError) for outcome in outcomes)
    assert most == 5


async def test_one_sshd_is_never_asked_by_more_than_it_takes(start_sshd: StartSshd) -> None:
    # From the tenth on sshd drops some by its default; a busy one counts a login for a moment after it has ended.
    sshd = await start_sshd(config="MaxStartups 10:100:10")
    endpoints = {f"n{number}": sshd.endpoint(f"n{number}") for number in range(30)}
    async with HostPool(endpoints, sshd.known_hosts(), str, QUICK) as pool:
        results = await asyncio.gather(*(host.run(OK) for host in pool.values()))
    assert all(result.ok for result in results)
    assert "MaxStartups" not in sshd.log


async def test_a_host_that_says_much_before_its_line_is_let_in(sshd: RealSshd) -> None:
    before = b"this is not SSH yet\r\n" * 40

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for start in range(0, len(before), 100):
            writer.write(before[start : start + 100])
            await asyncio.sleep(0.005)
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", sshd.port)
        await asyncio.gather(copy(reader, far_writer), copy(far_reader, writer), return_exceptions=True)

    listener = await listen(serve, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        known = KnownHosts(sshd.directory / "known_hosts_before")
        lines = (line.replace(f":{sshd.port}", f":{port}") for line in sshd.known_hosts_lines)
        (sshd.directory / "known_hosts_before").write_text("\n".join(lines) + "\n")
        async with HostPool({"n1": sshd.endpoint(port=port)}, known, str, QUICK) as pool:
            assert (await pool["n1"].run(OK)).text == "ok\n"


async def test_silent_hosts_keep_no_key_from_being_seen(sshd: RealSshd) -> None:
    seen: list[tuple[float, SeenHostKey]] = []
    async with tarpits(10) as silent:
        limits = replace(QUICK, connect_timeout_s=8)
        began_at = time.monotonic()
        keys = await scan_host_keys(
            [*silent_endpoints(silent.ports).values(), sshd.endpoint()],
            sshd.known_hosts(),
            str,
            limits=limits,
            on_seen=lambda key: seen.append((time.monotonic() - began_at, key)),
        )
    assert seen[0][1].node == "n1"
    assert seen[0][0] < SOON_S
    assert [isinstance(key.error, TransportError) for key in keys] == [True] * 10 + [False]


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_what_is_written_in_one_turn_goes_out_at_once_and_before_an_end() -> None:
    sent: list[bytes] = []

    class Wire(asyncio.Transport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            sent.append(bytes(data))

        def get_write_buffer_size(self) -> int:
            return 0

        def close(self) -> None:
            sent.append(b"closed")

    gathering = Gathering(Wire())
    gathering.write(b"one ")
    gathering.write(b"two")
    assert (sent, gathering.get_write_buffer_size()) == ([], 7)
    await asyncio.sleep(0)
    assert sent == [b"one two"]
    gathering.write(b"three")
    gathering.close()
    assert sent == [b"one two", b"three", b"closed"]
    await asyncio.sleep(0)
    assert len(sent) == 3
