"""What a host can reach, and using it from here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import sys
import time
from pathlib import Path

import asyncssh
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from rbdtui.listening import listen
from rbdtui.probes.wire import Place, WireError, shared_trusting_context, tls_hello
from rbdtui.transport.base import NotReachedError, Reach
from rbdtui.transport.channel_stream import channel_stream
from rbdtui.transport.reach import forwarded_port
from rbdtui.transport.scripts import script
from rbdtui.transport.ssh import SshHost
from tests.lab.servers.certificates import CertificateAuthority
from tests.transport.conftest import Connect, StartSshd
from tests.transport.openssh import RealSshd, free_port
from tests.transport.wire import Wire, known_by


async def test_an_open_and_a_closed_port_are_told_apart(host: SshHost, sshd: RealSshd) -> None:
    there = await host.reach("127.0.0.1", sshd.port)
    assert there.reach is Reach.OPEN
    assert 0 < there.latency_ms < 5000
    refused = await host.reach("127.0.0.1", free_port())
    assert (refused.reach, refused.detail) == (Reach.REFUSED, "Connection refused")


async def test_without_a_route_there_is_no_way(sshd: RealSshd, connect: Connect) -> None:
    with sshd.without_network() as port:
        known = sshd.known_hosts()
        file = sshd.directory / "known_hosts"
        file.write_text(file.read_text().replace(f":{sshd.port}", f":{port}"))
        host = connect(sshd.endpoint(port=port), known)
        result = await host.reach("127.0.0.1", 80)
    assert result.reach is Reach.UNREACHABLE


async def test_a_name_that_the_host_does_not_know_is_no_way(host: SshHost) -> None:
    assert (await host.reach("no-such-host.invalid", 80)).reach in {Reach.UNREACHABLE, Reach.TIMED_OUT}


async def test_silence_ends_with_our_own_time_limit(host: SshHost) -> None:
    # A listener whose queue is full answers no further connection, as a packet filter does.
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        began_at = time.monotonic()
        silent = await host.reach("127.0.0.1", full.getsockname()[1], timeout_s=0.7)
        assert silent.reach is Reach.TIMED_OUT
        assert 0.6 < time.monotonic() - began_at < 5
    assert (await host.reach("127.0.0.1", free_port())).reach is Reach.REFUSED


@pytest.mark.parametrize("config", ["AllowTcpForwarding no", "PermitOpen none", "DisableForwarding yes"])
async def test_an_sshd_that_does_not_forward_says_nothing_about_the_network(
    start_sshd: StartSshd, connect: Connect, config: str
) -> None:
    sshd = await start_sshd(config=config)
    host = connect(sshd.endpoint(), sshd.known_hosts())
    assert (await host.reach("127.0.0.1", sshd.port)).reach is Reach.FORBIDDEN


async def test_a_forward_carries_bytes_both_ways_for_many_at_once(host: SshHost) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)
        writer.write(data[::-1])
        await writer.drain()
        writer.close()

    server = await listen(echo, "127.0.0.1", 0)
    far_port = server.sockets[0].getsockname()[1]

    async def ask(port: int, question: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(question)
        writer.write_eof()
        answer = await reader.read(-1)
        writer.close()
        return answer

    async with server, host.forward("127.0.0.1", far_port) as port:
        questions = [b"%d" % number * 100_000 for number in range(10, 20)]
        answers = await asyncio.gather(*(ask(port, question) for question in questions))
        assert answers == [question[::-1] for question in questions]
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_dialled_stream_carries_bytes_both_ways_for_many_at_once(host: SshHost) -> None:
    """More than fits into any buffer on the way, and an end that is half closed."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = await reader.read(-1)
        writer.write(data[::-1])
        await writer.drain()
        writer.close()

    server = await listen(echo, "127.0.0.1", 0)
    far_port = server.sockets[0].getsockname()[1]

    async def ask(question: bytes) -> bytes:
        reader, writer = await host.dial("127.0.0.1", far_port)
        writer.write(question)
        writer.write_eof()
        answer = await reader.read(-1)
        writer.close()
        return answer

    async with server:
        questions = [b"%d" % number * 500_000 for number in range(10, 16)]
        answers = await asyncio.gather(*(ask(question) for question in questions))
        assert answers == [question[::-1] for question in questions]


@pytest.mark.parametrize("goes", ["we", "they"])
async def test_a_dialled_stream_ends_with_either_end(host: SshHost, goes: str) -> None:
    met: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    server = await listen(lambda reader, writer: met.put_nowait((reader, writer)), "127.0.0.1", 0)
    async with server, asyncio.timeout(10):
        ours_reader, ours = await host.dial("127.0.0.1", server.sockets[0].getsockname()[1])
        theirs_reader, theirs = await met.get()
        (ours if goes == "we" else theirs).transport.abort()
        assert await (theirs_reader if goes == "we" else ours_reader).read() == b""
        for writer in (ours, theirs):
            writer.transport.abort()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28"])
async def test_tls_that_ends_in_its_handshake_is_an_answer_and_the_login_lives(host: SshHost, said: bytes) -> None:
    """As of a server that comes up: what else goes through the same login must not notice."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(5)
        writer.write(said)
        writer.close()

    server = await listen(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(20):
        place = Place("127.0.0.1", server.sockets[0].getsockname()[1], host)
        before = await host.run(script("clock"))
        with pytest.raises(WireError):
            await tls_hello(place, server_name="localhost", connect_s=5, answer_s=5)
        assert (await host.run(script("clock"))).ok == before.ok
        assert (await host.reach("127.0.0.1", place.port)).reach is Reach.OPEN


class Written:
    """Stands for an open channel: keeps what is written to it."""

    def __init__(self) -> None:
        self.data = b""

    def write(self, data: bytes) -> None:
        self.data += data

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> None: ...

    def close(self) -> None: ...

    def abort(self) -> None: ...


async def test_tls_whose_last_word_comes_together_with_the_end_is_agreed_on(tmp_path: Path) -> None:
    """As SSH brings both in one packet, and no socket does."""
    pair = CertificateAuthority().issue("localhost")
    (tmp_path / "server.pem").write_bytes(pair.cert_pem + pair.key_pem)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "server.pem")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    session, (reader, writer) = channel_stream()
    channel = Written()
    session.connection_made(channel)  # type: ignore[arg-type]
    async with asyncio.timeout(20):
        agreeing = asyncio.create_task(writer.start_tls(shared_trusting_context(), server_hostname="localhost"))
        while not channel.data:
            await asyncio.sleep(0)
        incoming.write(channel.data)
        with pytest.raises(ssl.SSLWantReadError):
            server.do_handshake()
        session.data_received(outgoing.read(), None)
        session.eof_received()
        session.connection_lost(None)
        await agreeing
        shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        assert shown == pair.certificate.public_bytes(Encoding.DER)
        assert await reader.read() == b""
    writer.transport.abort()


async def test_what_cannot_be_dialled_is_told_as_it_is_when_it_is_tried(host: SshHost) -> None:
    with pytest.raises(NotReachedError) as caught:
        await host.dial("127.0.0.1", free_port())
    assert (caught.value.result.reach, caught.value.result.detail) == (Reach.REFUSED, "Connection refused")
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _ in range(3):
            filler = waiting.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(NotReachedError) as caught:
            await host.dial("127.0.0.1", full.getsockname()[1], timeout_s=0.5)
        assert caught.value.result.reach is Reach.TIMED_OUT
        full.close()
    assert (await host.reach("127.0.0.1", free_port())).reach is Reach.REFUSED


async def test_an_sshd_that_does_not_forward_dials_nothing(start_sshd: StartSshd, connect: Connect) -> None:
    sshd = await start_sshd(config="AllowTcpForwarding no")
    with pytest.raises(NotReachedError) as caught:
        await connect(sshd.endpoint(), sshd.known_hosts()).dial("127.0.0.1", sshd.port)
    assert caught.value.result.reach is Reach.FORBIDDEN


async def test_dialling_over_a_lost_link_connects_anew(sshd: RealSshd, connect: Connect) -> None:
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        for _ in range(2):
            reader, writer = await host.dial("127.0.0.1", sshd.port)
            assert await asyncio.wait_for(reader.readline(), 20) != b""
            wire.break_connections()
            assert await asyncio.wait_for(reader.read(), 20) == b""
            writer.transport.abort()


ASK = """
import os, socket, sys
os.setgid(65534), os.setuid(int(sys.argv[2]))
asking = socket.socket()
asking.settimeout(20)
asking.connect((b"127.0.0.1", int(sys.argv[1])))
try:
    asking.sendall(b"who is there?")
    asking.shutdown(socket.SHUT_WR)
    print(asking.recv(100))
except OSError:
    print("reset")
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
@pytest.mark.parametrize(("uid", "answer"), [(65534, ("reset", "b''")), (0, ("b'who is there?'",))])
async def test_a_forward_serves_nobody_but_us(host: SshHost, uid: int, answer: tuple[str, ...]) -> None:
    heard: list[bytes] = []

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        writer.write(heard[-1])
        writer.close()

    server = await listen(echo, "127.0.0.1", 0)
    async with server, host.forward("127.0.0.1", server.sockets[0].getsockname()[1]) as port:
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASK, str(port), str(uid), stdout=asyncio.subprocess.PIPE
        )
        told, _ = await asyncio.wait_for(asking.communicate(), 60)
    assert told.decode().strip() in answer
    assert bool(heard) == (uid == 0)


async def test_a_forward_outlives_the_link(sshd: RealSshd, connect: Connect) -> None:
    async with Wire(sshd.port) as wire:
        host = connect(sshd.endpoint(port=wire.port), known_by(wire, sshd))
        async with host.forward("127.0.0.1", sshd.port) as port:
            assert await _greeting(port) != b""
            wire.break_connections()
            assert await _greeting(port) != b""


async def test_a_forward_to_nowhere_just_closes(host: SshHost) -> None:
    async with host.forward("127.0.0.1", free_port()) as port:
        assert await _greeting(port) == b""


async def _greeting(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return await asyncio.wait_for(reader.readline(), 20)
    finally:
        writer.close()


@pytest.mark.parametrize("pause_s", [0.0, 0.1])
async def test_a_forward_that_ends_while_it_connects_hangs_up(pause_s: float) -> None:
    async def never() -> asyncssh.SSHClientConnection:
        await asyncio.Event().wait()
        raise AssertionError

    async with forwarded_port(never, "127.0.0.1", 1) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(pause_s)
    async with asyncio.timeout(2):
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
    writer.transport.abort()
