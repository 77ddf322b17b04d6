"""The NFS check against real servers (nfs-ganesha), each with one fault, and against what is no NFS server at all."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from rbdtui.checks.services import THIS_MACHINE, Asking, nfs_wire
from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.nfs import CHECK
from rbdtui.checks.services.nfs_answer import NfsAnswer, NfsQuestion, Version3
from rbdtui.checks.services.nfs_wire import V3, Export, PathState, Status, ThrowAway, Written
from rbdtui.checks.services.rpc import Program, RpcClient, RpcError, RpcFault, Unpacker, rpc_client, u32
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.listening import listen
from rbdtui.probes.wire import Place, ProbeFailure, WireError
from rbdtui.transport.base import Host, Reach, ReachResult
from tests.checks.support import place, spec_of
from tests.lab.servers.enclosed import Enclosure, why_no_enclosure
from tests.lab.servers.nfs import Share, nfs_server, why_no_nfs
from tests.transport.conftest import Connect, StartSshd, connect, start_sshd

__all__ = ["connect", "start_sshd"]

SPEC = spec_of()
GOOD = Share("/srv/nfs")


def judged(question: NfsQuestion, answers: dict[str, NfsAnswer]) -> list[Finding]:
    return list(CHECK.judge(question, answers, ClusterView(SPEC, {}, place, SPEC.profile.limits)))


def codes(findings: list[Finding]) -> list[str]:
    return [finding.code for finding in findings]


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Enclosure]:
    """A network with nothing in it, which this thread is in."""
    if reason := why_no_enclosure():
        pytest.skip(f"NOT TESTED: {reason}")
    enclosure = Enclosure(tmp_path, ": > /run/up; sleep 0.2", ["sleep", "600"])
    enclosure.wait_until(lambda: _up(enclosure))
    with enclosure.inside():
        yield enclosure
    enclosure.stop()


def _up(enclosure: Enclosure) -> bool:
    with contextlib.suppress(IndexError, OSError), enclosure.inside(), socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.connect_ex(("127.0.0.1", 1)) == 111
    return False


async def found(question: NfsQuestion, at: Host | None = None) -> tuple[list[Finding], NfsAnswer]:
    """What a node that sees what the host sees would tell."""
    answer = await CHECK.ask(question, Asking(no_secret, at))
    return judged(question, {"node1": answer}), answer


CASES = [
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), [], id="all well"),
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv/nfs/"), [], id="a slash at the end"),
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv/nfs", ("nfsvers=4.1", "hard")), [], id="version given"),
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv/other"), ["RBD-NFS-110"], id="not exported"),
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv"), ["RBD-NFS-110"], id="on the way to an export"),
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv/nfsx"), ["RBD-NFS-110"], id="a longer name"),
    pytest.param([GOOD], {}, NfsQuestion("127.0.0.1", "/srv/nfs/no"), ["RBD-NFS-115"], id="not in the export"),
    pytest.param(
        [GOOD], {"mapper": False}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-109"], id="no port mapper"
    ),
    pytest.param(
        [GOOD], {"locks": False}, NfsQuestion("127.0.0.1", "/srv/nfs", ("nfsvers=3",)), ["RBD-NFS-123"],
        id="version 3 without locks",
    ),
    pytest.param([GOOD], {"locks": False}, NfsQuestion("127.0.0.1", "/srv/nfs"), [], id="locks by version 4 alone"),
    pytest.param(
        [GOOD], {"versions": "3"}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-108"], id="without version 4"
    ),
    pytest.param(
        [GOOD], {"versions": "4"}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-108"], id="without version 3"
    ),
    pytest.param(
        [GOOD], {"versions": "4"}, NfsQuestion("127.0.0.1", "/srv/nfs", ("nfsvers=3",)), ["RBD-NFS-107"],
        id="version 3 asked for and missing",
    ),
    pytest.param(
        [GOOD], {"versions": "3"}, NfsQuestion("127.0.0.1", "/srv/nfs", ("vers=4.1",)), ["RBD-NFS-107"],
        id="version 4 asked for and missing",
    ),
    pytest.param(
        [GOOD], {"minor_versions": "0"}, NfsQuestion("127.0.0.1", "/srv/nfs", ("nfsvers=4.1",)), ["RBD-NFS-107"],
        id="4.1 asked for, 4.0 there",
    ),
    pytest.param(
        [Share("/srv/nfs", squash="Root_Squash")], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-120"],
        id="root squashed",
    ),
    pytest.param(
        [Share("/srv/nfs", squash="All_Squash")], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-120"],
        id="all squashed",
    ),
    pytest.param(
        [Share("/srv/nfs", access="RO")], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-121"], id="read-only"
    ),
    pytest.param(
        [Share("/srv/nfs", clients="203.0.113.0/24")], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-110"],
        id="for others",
    ),
    pytest.param(
        [Share("/srv/nfs", privileged_port=True)], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-113"],
        id="low ports only",
    ),
    pytest.param(
        [Share("/srv/nfs", pseudo="/data")], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-112"],
        id="another path for version 4",
    ),
    pytest.param(
        [Share("/srv/nfs", security="krb5")], {}, NfsQuestion("127.0.0.1", "/srv/nfs"), ["RBD-NFS-114"],
        id="only with Kerberos",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("shares", "options", "question", "expected"), CASES)
async def test_each_fault_of_a_real_server_is_told(
    shares: list[Share], options: dict[str, Any], question: NfsQuestion, expected: list[str], tmp_path: Path
) -> None:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    with nfs_server(tmp_path, shares, **options) as server, server.inside():
        findings, answer = await found(question)
    assert codes(findings) == expected, answer.evidence
    for finding in findings:
        assert finding.evidence
        assert finding.place.field.startswith("storage.")


async def test_nothing_is_left_behind_also_when_it_is_broken_off(tmp_path: Path) -> None:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    question = NfsQuestion("127.0.0.1", "/srv/nfs")
    with nfs_server(tmp_path, [GOOD]) as server, server.inside():
        for after_s in (0.002, 0.01, 0.02, 0.03, 0.05, 5):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(after_s):
                    await CHECK.ask(question, Asking(no_secret))
        assert await names_in("/srv/nfs") == {".", ".."}


@pytest.mark.parametrize("called", [V3.CREATE, V3.RENAME])
async def test_who_is_told_to_stop_removes_a_file_only_once_it_has_its_name(called: V3) -> None:
    calls: list[tuple[V3, str]] = []

    class Slow:
        async def call(self, _: Program, procedure: V3, *__: object, as_root: bool) -> Unpacker:
            calls.append((procedure, "asked"))
            await asyncio.sleep(0.1)
            calls.append((procedure, "done"))
            return Unpacker(u32(0) + u32(0))

    file = ThrowAway(cast(RpcClient, Slow()), b"directory")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.02):
            await (file.create() if called is V3.CREATE else file.rename())
    await file.remove()
    assert calls[:3] == [(called, "asked"), (called, "done"), (V3.REMOVE, "asked")]


async def test_a_check_given_up_while_it_cleans_up_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    cleans_up = asyncio.Event()
    remove = ThrowAway.remove

    async def slowly(file: ThrowAway) -> int:
        cleans_up.set()
        await asyncio.sleep(0.05)
        return await remove(file)

    monkeypatch.setattr(ThrowAway, "remove", slowly)
    with nfs_server(tmp_path, [GOOD]) as server, server.inside():
        asking = asyncio.ensure_future(CHECK.ask(NfsQuestion("127.0.0.1", "/srv/nfs"), Asking(no_secret)))
        await cleans_up.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await names_in("/srv/nfs") == {".", ".."}


async def names_in(path: str) -> set[str]:
    """What stands in an exported directory (READDIR of NFSv3)."""
    async with rpc_client(Place("127.0.0.1", 20048), connect_s=3, answer_s=3) as mountd:
        _, handle = await nfs_wire.mount(mountd, path)
    async with rpc_client(Place("127.0.0.1", 2049), connect_s=3, answer_s=3) as client:
        arguments = struct.pack(">I", len(handle)) + handle + bytes(-len(handle) % 4)
        answer = await client.call(nfs_wire.NFS_3, 16, arguments + struct.pack(">QQI", 0, 0, 8192), as_root=True)
    assert answer.u32() == 0
    if answer.u32():
        answer.fixed(84)
    answer.fixed(8)
    names = set()
    while answer.u32():
        answer.u64()
        names.add(answer.text(255))
        answer.u64()
    return names


async def test_a_node_without_client_programs_answers_through_its_sshd(
    tmp_path: Path, start_sshd: StartSshd, connect: Connect
) -> None:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    question = NfsQuestion("127.0.0.1", "/srv/nfs")
    with nfs_server(tmp_path, [Share("/srv/nfs", squash="Root_Squash")]) as server, server.inside():
        sshd = await start_sshd()
        node = connect(sshd.endpoint(), sshd.known_hosts())
        findings, answer = await found(question, node)
        assert codes(findings) == ["RBD-NFS-120"], answer.evidence
        strict = await start_sshd(config="AllowTcpForwarding no")
        findings, _ = await found(question, connect(strict.endpoint("n2"), strict.known_hosts()))
        assert codes(findings)[0] == "RBD-NFS-105"
        await node.close()


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        pytest.param("127.0.0.1", "RBD-NFS-102", id="refused"),
        pytest.param("127.0.0.3", "RBD-NFS-103", id="no answer"),
        pytest.param("203.0.113.9", "RBD-NFS-104", id="no route"),
        pytest.param("nfs.invalid", "RBD-NFS-101", id="no such name"),
    ],
)
async def test_what_keeps_a_connection_away_is_told_apart(bare: Enclosure, server: str, expected: str) -> None:
    with socket.socket() as deaf, contextlib.ExitStack() as waiting:
        deaf.bind(("127.0.0.3", nfs_wire.NFS_PORT))
        deaf.listen(0)
        for _ in range(3):  # a full queue: what comes next is dropped as a packet filter would
            caller = waiting.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(("127.0.0.3", nfs_wire.NFS_PORT))
        findings, answer = await found(NfsQuestion(server, "/srv/nfs"))
    assert codes(findings) == [expected], answer
    assert findings[0].severity is Severity.ERROR
    assert findings[0].place.field == "storage.server"


@pytest.mark.parametrize(
    ("clients", "expected"),
    [
        pytest.param(("203.0.113.0/24", "198.51.100.7"), "RBD-NFS-111", id="others"),
        pytest.param(("10.0.0.0/16",), "RBD-NFS-113", id="its network"),
        pytest.param(("10.0.0.0/255.255.0.0",), "RBD-NFS-113", id="its network with a mask"),
        pytest.param(("203.0.113.7", "@servers"), "RBD-NFS-113", id="a group that we cannot look into"),
        pytest.param(("*.example.com",), "RBD-NFS-113", id="names"),
    ],
)
def test_a_refusal_is_the_exports_own_only_where_its_list_says_so(clients: tuple[str, ...], expected: str) -> None:
    """Linux lists exports to everybody, and refuses mounts from high ports and from other clients in the same words."""
    open_, question = ReachResult(Reach.OPEN, 1.0), NfsQuestion("10.0.0.9", "/srv/nfs")
    v3 = Version3(open_, open_, 20048, (Export("/srv/nfs", clients),), PathState.REFUSED)
    findings = judged(question, {"node1": NfsAnswer(open_, "", (0, 1), PathState.REFUSED, v3)})
    assert codes(findings) == [expected]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(Written(0), [], id="all well"),
        pytest.param(Written(Status.NOSPC), ["RBD-NFS-125"], id="full"),
        pytest.param(Written(Status.DQUOT), ["RBD-NFS-125"], id="quota"),
        pytest.param(Written(Status.ACCES), ["RBD-NFS-120"], id="nobody's directory"),
        pytest.param(Written(5), ["RBD-NFS-122"], id="disk fails"),
        pytest.param(Written(0, chown=1), ["RBD-NFS-126"], id="no chown"),
        pytest.param(Written(0, lock=2), ["RBD-NFS-123"], id="no locks"),
        pytest.param(Written(0, lock=0, second_lock=0), ["RBD-NFS-123"], id="the same lock twice"),
        pytest.param(Written(0, lock=4, second_lock=4), [], id="after a start of the server"),
        pytest.param(Written(0, lock=0, second_lock=1, sync_ms=80.0), ["RBD-NFS-127"], id="slow"),
    ],
)
def test_what_root_may_do_in_the_directory(written: Written, expected: list[str]) -> None:
    open_, question = ReachResult(Reach.OPEN, 1.0), NfsQuestion("10.0.0.9", "/srv/nfs")
    v3 = Version3(open_, open_, 20048, (Export("/srv/nfs"),), PathState.THERE, 1 << 40, written)
    answer = NfsAnswer(open_, "", (0, 1), PathState.THERE, v3)
    assert codes(judged(question, {"node1": answer})) == expected
    full = replace(answer, v3=replace(v3, free_bytes=1 << 30))
    assert codes(judged(question, {"node1": full})) == ["RBD-NFS-124", *expected]


def test_a_lock_manager_behind_a_firewall_is_told_with_its_port() -> None:
    open_, closed, question = ReachResult(Reach.OPEN, 1.0), ReachResult(Reach.TIMED_OUT, 1.0), NfsQuestion("h", "/d")
    v3 = Version3(open_, open_, 20048, (Export("/d"),), PathState.THERE, 1 << 40, locks=closed, locks_port=32803)
    (finding,) = judged(question, {"node1": NfsAnswer(open_, "", (0, 1), PathState.THERE, v3)})
    assert (finding.code, finding.params["port"]) == ("RBD-NFS-109", 32803)


def test_a_host_that_does_not_forward_blames_nobody_else() -> None:
    question = NfsQuestion("10.0.0.9", "/srv/nfs")
    findings = judged(question, {"node2": NfsAnswer(ReachResult(Reach.FORBIDDEN, 1.0))})
    assert [(each.code, each.severity) for each in findings] == [("RBD-NFS-105", Severity.WARNING)]


def test_nodes_that_see_the_same_are_one_finding_and_this_machine_counts_only_alone() -> None:
    question = NfsQuestion("10.0.0.9", "/srv/nfs")
    refused, silent = (NfsAnswer(ReachResult(reach, 1.0)) for reach in (Reach.REFUSED, Reach.TIMED_OUT))
    findings = judged(question, {"node3": silent, THIS_MACHINE: refused, "node1": refused, "node2": refused})
    assert [(each.code, each.params["hosts"]) for each in findings] == [
        ("RBD-NFS-102", "node1, node2"),
        ("RBD-NFS-103", "node3"),
    ]
    alone = judged(question, {THIS_MACHINE: refused})
    assert [(each.code, each.severity, str(each.params["hosts"])) for each in alone] == [
        ("RBD-NFS-102", Severity.WARNING, "this machine")
    ]


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def says_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def hangs_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def speaks_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(64)
    writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def sends(*records: bytes, times: int = 1) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = await reader.read(4096)
        identity = call[4:8]
        with contextlib.suppress(ConnectionError):
            for _ in range(times):
                for record in records:
                    writer.write(record.replace(b"IDID", identity))
                await writer.drain()
            await reader.read()

    return serve


def record(body: bytes) -> bytes:
    return struct.pack(">I", 1 << 31 | len(body)) + body


NOT_NFS = [
    pytest.param(hangs_up, ProbeFailure.CLOSED, id="hangs up"),
    pytest.param(speaks_http, RpcFault.NOT_RPC, id="HTTP"),
    pytest.param(sends(b"\xff\xff\xff\xff"), RpcFault.NOT_RPC, id="a record of 2 GiB"),
    pytest.param(sends(b"\x00\x00\x00\x00", times=5000), RpcFault.NOT_RPC, id="empty pieces without end"),
    pytest.param(sends(b"\x00\x01\x00\x00" + bytes(65536), times=1600), RpcFault.NOT_RPC, id="100 MB in pieces"),
    pytest.param(sends(record(b"IDID")), RpcFault.NOT_RPC, id="an answer that ends"),
    pytest.param(sends(record(b"XXXX" + struct.pack(">5I", 1, 0, 0, 0, 0))), RpcFault.NOT_RPC, id="another's answer"),
    pytest.param(sends(record(b"IDID" + struct.pack(">I", 0) + bytes(30))), RpcFault.NOT_RPC, id="a call"),
    pytest.param(
        sends(record(b"IDID" + struct.pack(">4I", 1, 0, 0, 0xFFFFFFFF))), RpcFault.NOT_RPC, id="a verifier of 4 GiB"
    ),
    pytest.param(sends(record(b"IDID" + struct.pack(">4I", 1, 1, 1, 5))), RpcFault.DENIED, id="denied"),
    pytest.param(sends(record(b"IDID" + struct.pack(">5I", 1, 0, 0, 0, 4))), RpcFault.FAILED, id="garbage arguments"),
]


@pytest.fixture
async def serving() -> AsyncIterator[Callable[[Serve], Awaitable[Place]]]:
    """Servers inside this process."""
    servers: list[asyncio.Server] = []

    async def start(serve: Serve) -> Place:
        async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                await serve(reader, writer)
            writer.transport.abort()

        servers.append(await listen(closing, "127.0.0.1", 0))
        return Place("127.0.0.1", servers[-1].sockets[0].getsockname()[1])

    yield start
    for server in servers:
        server.close()


@pytest.mark.parametrize(("serve", "fault"), NOT_NFS)
async def test_what_is_no_nfs_server_is_told_and_costs_little(
    serve: Serve, fault: RpcFault | ProbeFailure, serving: Callable[[Serve], Awaitable[Place]]
) -> None:
    server = await serving(serve)
    async with rpc_client(server, connect_s=3, answer_s=5) as client:
        with pytest.raises((RpcError, WireError)) as raised:
            await client.call(nfs_wire.NFS_4, 0)
    error = raised.value
    assert isinstance(error, (RpcError, WireError))
    assert (error.fault if isinstance(error, RpcError) else error.trouble) is fault


async def test_a_server_that_says_nothing_is_given_up(serving: Callable[[Serve], Awaitable[Place]]) -> None:
    server = await serving(says_nothing)
    async with rpc_client(server, connect_s=3, answer_s=0.2) as client:
        with pytest.raises(WireError) as raised:
            await client.call(nfs_wire.NFS_3, 0)
    assert raised.value.trouble is ProbeFailure.SILENT


async def test_what_answers_at_the_port_and_is_no_nfs_server_is_a_finding(bare: Enclosure) -> None:
    server = await listen(hangs_up, "127.0.0.1", nfs_wire.NFS_PORT)
    findings, answer = await found(NfsQuestion("127.0.0.1", "/srv/nfs"))
    assert codes(findings) == ["RBD-NFS-106"]
    assert "closed" in answer.evidence
    server.close()
