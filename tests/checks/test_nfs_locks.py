"""Locks between nodes: at a real server (nfs-ganesha), and the script that mounts, with a mount.nfs that binds."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from rbdtui.checks.services import nfs_locks, nfs_wire
from rbdtui.checks.services.asking import Asking, no_secret
from rbdtui.checks.services.nfs_answer import NfsQuestion
from rbdtui.checks.services.nfs_locks import CHECK, Conflict, Got, LocksQuestion, Way
from rbdtui.checks.services.nfs_wire import LockStatus
from rbdtui.checks.services.rpc import Unpacker, opaque, u32
from rbdtui.checks.view import ClusterView
from rbdtui.listening import listen
from tests.checks.support import place, spec_of
from tests.checks.test_nfs import names_in
from tests.checks.test_nfs_mount import needs_mounts, programs
from tests.lab.servers.enclosed import Enclosure
from tests.lab.servers.nfs import Share, nfs_server, why_no_nfs
from tests.transport.conftest import Connect, StartSshd, connect, start_sshd

__all__ = ["connect", "start_sshd"]

SPEC = spec_of()
QUESTION = LocksQuestion(NfsQuestion("127.0.0.1", "/srv/nfs"), ("node1", "node2", "node3"))


def judged(answer: list[Conflict] | None) -> list[tuple[str, str]]:
    view = ClusterView(SPEC, {}, place, SPEC.profile.limits)
    return [(each.code, str(each.message)) for each in CHECK.judge(QUESTION, answer, view)]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Enclosure]:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    with nfs_server(tmp_path, [Share("/srv/nfs")]) as server, server.inside():
        yield server


async def by_lock_manager() -> Conflict | None:
    return await nfs_locks.by_lock_manager(QUESTION, {name: Asking(no_secret) for name in QUESTION.nodes})


async def test_a_lock_of_one_node_is_refused_to_all_others_and_nothing_is_left(server: Enclosure) -> None:
    conflict = await by_lock_manager()
    assert conflict is not None
    assert conflict.others == {"node2": Got.REFUSED, "node3": Got.REFUSED}, conflict.evidence
    assert await names_in("/srv/nfs") == {".", ".."}
    assert judged([conflict]) == []


async def test_a_lock_service_that_gives_a_lock_twice_is_named_with_those_who_got_it(server: Enclosure) -> None:
    async with lock_manager(lambda caller: LockStatus.DENIED if caller == "rbdtui-node3" else LockStatus.GRANTED):
        conflict = await by_lock_manager()
    assert conflict is not None
    assert conflict.others == {"node2": Got.GRANTED, "node3": Got.REFUSED}
    ((code, message),) = judged([conflict])
    assert code == "RBD-NFS-128"
    assert message.startswith("node2 got a lock on a file in /srv/nfs of 127.0.0.1 that node1 had")


@pytest.mark.parametrize("status", [LockStatus.GRACE, 2], ids=["after a start of the server", "without locks"])
async def test_a_server_that_gives_no_lock_at_all_is_not_told_twice(server: Enclosure, status: int) -> None:
    async with lock_manager(lambda _: status):
        assert await by_lock_manager() is None


async def test_a_lock_service_that_says_nothing_ends_in_time_and_leaves_no_file(server: Enclosure) -> None:
    async with lock_manager(lambda _: None):
        assert await by_lock_manager() is None
    assert await names_in("/srv/nfs") == {".", ".."}


async def test_broken_off_at_any_moment_it_leaves_nothing(server: Enclosure) -> None:
    for after_s in (0.002, 0.01, 0.02, 0.03, 0.05, 0.1):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(after_s):
                await by_lock_manager()
    assert await names_in("/srv/nfs") == {".", ".."}
    conflict = await by_lock_manager()
    assert conflict is not None
    assert set(conflict.others.values()) == {Got.REFUSED}, "a lock stayed behind"


def test_without_an_answer_in_time_that_is_said() -> None:
    assert [code for code, _ in judged(None)] == ["RBD-NFS-129"]
    assert judged([Conflict(Way.MOUNT, {"node2": Got.UNKNOWN})]) == []


BINDS = 'mount --bind "$SHARE" "$2"'
LIES = """if [ -e "$SHARE.began" ]; then
  mkdir -p "$SHARE.upper" "$SHARE.work"
  mount -t overlay rbdtui-test -o "lowerdir=$SHARE,upperdir=$SHARE.upper,workdir=$SHARE.work" "$2"
else
  : >"$SHARE.began"
  mount --bind "$SHARE" "$2"
fi"""
"""The second mount has locks of its own."""


@needs_mounts
@pytest.mark.parametrize(("mount", "expected"), [(BINDS, Got.REFUSED), (LIES, Got.GRANTED)], ids=["holds", "lies"])
async def test_a_mounted_lock_is_refused_to_the_other_node_unless_locks_are_its_own(
    tmp_path: Path, start_sshd: StartSshd, connect: Connect, mount: str, expected: Got
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    path = programs(tmp_path / "bin", mount_nfs=mount)
    sshd = await start_sshd(config=f"SetEnv PATH={path}:{os.environ['PATH']} SHARE={share}")
    question = LocksQuestion(NfsQuestion("127.0.0.1", "/srv/nfs"), ("node1", "node2"))
    hosts = {name: connect(sshd.endpoint(name), sshd.known_hosts()) for name in question.nodes}
    conflict = await nfs_locks.by_mount(question, hosts)
    assert conflict is not None
    assert conflict.others == {"node2": expected}, conflict.evidence
    assert not [name for name in share.iterdir() if name.name.startswith(nfs_wire.MARK)]
    assert str(share) not in Path("/proc/self/mounts").read_text()
    for host in hosts.values():
        await host.close()


@needs_mounts
async def test_a_node_without_client_programs_or_with_a_mount_that_fails_tries_nothing(
    tmp_path: Path, start_sshd: StartSshd, connect: Connect
) -> None:
    question = LocksQuestion(NfsQuestion("127.0.0.1", "/srv/nfs"), ("node1", "node2"))
    path = programs(tmp_path / "bin", mount_nfs="echo access denied by server >&2; exit 32")
    for config in ("", f"SetEnv PATH={path}:{os.environ['PATH']}"):
        sshd = await start_sshd(config=config)
        hosts = {name: connect(sshd.endpoint(name), sshd.known_hosts()) for name in question.nodes}
        assert await nfs_locks.by_mount(question, hosts) is None
        for host in hosts.values():
            await host.close()


@asynccontextmanager
async def lock_manager(answers: Callable[[str], int | None]) -> AsyncIterator[None]:
    """One that says what it is told to, in the place of the real one at the port mapper."""

    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError), contextlib.closing(writer):
            while True:
                length = struct.unpack(">I", await reader.readexactly(4))[0] & 0x7FFFFFFF
                call = Unpacker(await reader.readexactly(length))
                xid, *_, procedure = (call.u32() for _ in range(6))
                for _ in range(2):
                    call.u32()
                    call.opaque(400)
                cookie = call.opaque(64)
                if procedure == 22:
                    call.u32(), call.u32()
                status = answers(call.text(200)) if procedure == 22 else LockStatus.GRANTED
                if status is None:
                    continue
                body = u32(xid, 1, 0, 0, 0, 0) + opaque(cookie) + u32(status)
                writer.write(u32(len(body) | 1 << 31) + body)

    served = await listen(serve, "127.0.0.1", 0)
    with socket.create_connection(("127.0.0.1", 111), 5, ("127.0.0.1", _privileged_port())) as mapper:
        assert _mapped(mapper, 2, 0), "the real one did not go"
        assert _mapped(mapper, 1, served.sockets[0].getsockname()[1]), "ours did not come"
    try:
        yield
    finally:
        served.close()
        await asyncio.gather(*serving)


def _privileged_port() -> int:
    """rpcbind lets itself be told something from such a port alone (rpcbind, src/security.c)."""
    for port in range(1023, 600, -1):
        with contextlib.suppress(OSError), socket.socket() as own:
            own.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port below 1024 is free")


def _mapped(mapper: socket.socket, procedure: int, port: int) -> bool:
    """The lock manager taken out of the port mapper (2), or put into it (1): RFC 1833, PMAPPROC_UNSET and SET."""
    number, version = nfs_wire.LOCKS.number, nfs_wire.LOCKS.version
    call = u32(procedure, 0, 2, 100000, 2, procedure, 0, 0, 0, 0, number, version, 6, port)
    mapper.sendall(u32(len(call) | 1 << 31) + call)
    return mapper.recv(400)[-4:] == u32(1)
