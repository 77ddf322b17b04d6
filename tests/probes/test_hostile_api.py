"""An API server that is hostile: endless bodies, redirections, lengths and numbers that are none."""

from __future__ import annotations

import asyncio
import json
import tracemalloc
from contextlib import suppress
from pathlib import Path

import pytest

from rbdtui.kube.kubeconfig import read_kubeconfig
from rbdtui.probes.cluster import ask_cluster, read_nodes
from rbdtui.probes.etcd import EtcdSilence, read_gateway_answers
from rbdtui.probes.gateway import certificate_names
from rbdtui.probes.host_sample import parse_sample
from rbdtui.probes.routes import Target
from rbdtui.probes.wire import Place, WireError, http_get
from rbdtui.transport.base import CommandResult
from tests.probes.targets import Authority, serve
from tests.probes.test_cluster import LIMITS, VIP, ways

API = Target(VIP, 6443)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


async def _asked(reader: asyncio.StreamReader) -> None:
    await reader.readuntil(b"\r\n\r\n")


async def test_an_endless_list_of_nodes_ends_at_its_limit(authority: Authority, tmp_path: Path) -> None:
    sent = 0

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await _asked(reader)
        writer.write(HEAD + b"Connection: close\r\n\r\n{")
        with suppress(OSError):
            while not writer.transport.is_closing():
                writer.write(b" " * 65536)
                await writer.drain()
                await asyncio.sleep(0)
                sent += 65536

    credentials = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig"))
    async with serve(endless, authority.server(VIP)) as port:
        await ask_cluster(ways({}), [], credentials, LIMITS)
        tracemalloc.start()
        try:
            reply = await ask_cluster(ways({(VIP, 6443): port}), [API], credentials, LIMITS)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert reply.value is None
    assert "16 MiB" in reply.evidence or "no answer" in reply.evidence
    assert sent < 64 << 20
    assert peak < 80 << 20


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirection_is_not_followed(authority: Authority, tmp_path: Path, status: int) -> None:
    elsewhere: list[str] = []

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        elsewhere.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(HEAD + b'Content-Length: 12\r\n\r\n{"items":[]}')

    credentials = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig"))
    async with serve(other) as away:

        async def redirects(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await _asked(reader)
            place = f"http://127.0.0.1:{away}/api/v1/nodes"
            writer.write(f"HTTP/1.1 {status} x\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()

        async with serve(redirects, authority.server(VIP)) as port:
            reply = await ask_cluster(ways({(VIP, 6443): port}), [API], credentials, LIMITS)
            plain = await http_get(
                Place("127.0.0.1", port),
                "/",
                host=VIP,
                connect_s=1,
                answer_s=2,
                tls=credentials.proof(),
                server_name=VIP,
            )
    assert reply.value is None
    assert plain.status == status
    assert elsewhere == []


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000,
        "HTTP/1.1 200 OK\r\nContent-Length: \u00b2".encode("latin-1"),
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
        b"HTTP/1.1 99999999 OK",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000,
        b"HTTP/9",
    ],
    ids=range(6),
)
async def test_a_head_that_is_none_is_an_answer_or_a_wire_error(head: bytes) -> None:
    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _asked(reader)
        writer.write(head + b"\r\n\r\nbody")
        await writer.drain()
        writer.close()

    async with serve(odd) as port:
        try:
            answer = await http_get(Place("127.0.0.1", port), "/", host="x", connect_s=1, answer_s=2)
        except WireError:
            return
    assert answer.status == 200


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000 + "\n" + "[" * 100_000,
        '{"members": []}\n{"header": {"member_id": 1}, "dbSize": "1e999"}',
        '{"members": []}\n{"header": {"member_id": 1}, "dbSize": ' + "9" * 4000 + "}",
        '{"members": 5}\n{"header": []}',
    ],
    ids=range(4),
)
def test_an_answer_of_etcd_that_is_none_is_silence(text: str) -> None:
    assert isinstance(read_gateway_answers(text), EtcdSilence)


def test_numbers_of_a_host_that_are_none_are_left_out() -> None:
    digits = "9" * 5000
    lines = [
        f"time {digits}.0",
        "time nan",
        "time inf",
        f"disk {digits} 1 1 /",
        "disk 1 2",
        "disk \u0663 1 1 /",
        "unit",
        "x",
    ]
    sample = parse_sample(CommandResult(0, "\n".join(lines).encode(), b"", 0.1), 1.0, 1.0)
    assert sample.clock is None
    assert sample.disks == ()


@pytest.mark.parametrize("der", [b"", b"\x30" * 5000, b"\x30\x80" * 5000], ids=range(3))
def test_a_certificate_that_is_none_names_nobody(der: bytes) -> None:
    assert certificate_names(der) == []


def test_a_node_list_that_is_none_raises_what_is_caught() -> None:
    for text in ('{"items": 5}', '{"items": [5]}', '{"items": [{}]}', "{}"):
        with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
            read_nodes(json.loads(text))
