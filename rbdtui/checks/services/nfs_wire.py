"""What an NFS server says of itself, without a mount: versions, exports, and what uid 0 may do in a directory.

Programs and procedures: RFC 1813 (NFSv3, mountd, lock manager), RFC 1833 (port mapper), RFC 7530 and 8881 (NFSv4).
Writing leaves nothing behind: a marked file is made and removed again, also when the asking is broken off.
"""

from __future__ import annotations

import secrets
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final

from rbdtui.checks.services.rpc import Program, RpcClient, RpcError, RpcFault, Unpacker, opaque, u32, u64
from rbdtui.surely import surely

NFS_PORT: Final = 2049
PORTMAPPER_PORT: Final = 111
_PORTMAPPER: Final = Program(100000, 2)
MOUNTD: Final = Program(100005, 3)
LOCKS: Final = Program(100021, 4)
NFS_3: Final = Program(100003, 3)
NFS_4: Final = Program(100003, 4)
_TCP: Final = 6
_NAME_BYTES: Final = 1024
_EXPORTS_LIMIT: Final = 200
_HANDLE_BYTES: Final = 128
MARK: Final = ".rbdtui-check-"
"""How the names of our throw-away files begin."""


class V3(IntEnum):
    """Procedures of NFSv3."""

    NULL = 0
    GETATTR = 1
    SETATTR = 2
    WRITE = 7
    CREATE = 8
    REMOVE = 12
    RENAME = 14
    FSSTAT = 18


class Status(IntEnum):
    """Statuses that all versions and mountd have in common."""

    OK = 0
    PERM = 1
    NOENT = 2
    ACCES = 13
    NOTDIR = 20
    NOSPC = 28
    ROFS = 30
    DQUOT = 69
    DELAY = 10008
    WRONGSEC = 10016


class LockStatus(IntEnum):
    """Of version 3's lock manager (XNFS, chapter 14)."""

    GRANTED = 0
    DENIED = 1
    """Somebody else has it."""
    GRACE = 4
    """The server has begun anew, and waits for those who had locks before."""


class PathState(StrEnum):
    """How a directory stands at the server."""

    THERE = "there"
    MISSING = "missing"
    REFUSED = "refused"
    """Not for this client, or not from a port above 1023."""
    WRONGSEC = "wrongsec"
    """Only with Kerberos."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Export:
    """A directory that the server gives away."""

    path: str
    clients: tuple[str, ...] = ()
    """Addresses, networks and names that may have it; empty for everybody."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a throw-away file that uid 0 made."""

    create: int
    """Status of making it; the rest tells only when this is 0. A number of NFSv3."""
    owner: int = 0
    """Uid that the new file has: not 0 when the export squashes root."""
    chown: int = 0
    rename: int = 0
    removed: int = 0
    sync_ms: float | None = None
    """Median time for 8 KiB to be on the disk, without the way there."""
    lock: int | None = None
    """Status of the lock manager; None when there is none."""
    second_lock: int | None = None
    """The same for somebody else's lock on the same bytes."""


async def has_version(client: RpcClient, program: Program) -> bool:
    """Whether the server has a program in this version. Raises `RpcError` and `WireError`."""
    try:
        await client.call(program, 0)
    except RpcError as error:
        if error.fault in (RpcFault.NO_VERSION, RpcFault.NO_PROGRAM):
            return False
        raise
    return True


async def port_of(client: RpcClient, program: Program) -> int:
    """The TCP port of a program by the port mapper's word; 0 when it has none."""
    answer = await client.call(_PORTMAPPER, 3, u32(program.number, program.version, _TCP, 0))
    port = answer.u32()
    return port if port < 1 << 16 else 0


async def exports(client: RpcClient) -> tuple[Export, ...]:
    """All that mountd says that it gives away."""
    answer = await client.call(MOUNTD, 5)
    found: list[Export] = []
    while answer.u32() and len(found) < _EXPORTS_LIMIT:
        path, clients = answer.text(_NAME_BYTES), []
        while answer.u32():
            clients.append(answer.text(_NAME_BYTES))
        found.append(Export(path, tuple(clients)))
    return tuple(found)


async def mount(client: RpcClient, path: str) -> tuple[PathState, bytes]:
    """How a directory stands by mountd, and its handle."""
    answer = await client.call(MOUNTD, 1, opaque(path.encode()), as_root=True)
    state = _path_state(answer.u32())
    handle = answer.opaque(_HANDLE_BYTES) if state is PathState.THERE else b""
    return state, handle


async def unmount(client: RpcClient, path: str) -> None:
    """Take us out of mountd's list of who has what."""
    await client.call(MOUNTD, 3, opaque(path.encode()), as_root=True)


def _path_state(status: int) -> PathState:
    if status in (Status.NOENT, Status.NOTDIR):
        return PathState.MISSING
    if status in (Status.PERM, Status.ACCES):
        return PathState.REFUSED
    known = {Status.OK: PathState.THERE, Status.WRONGSEC: PathState.WRONGSEC}
    return known.get(Status(status), PathState.UNKNOWN) if status in tuple(Status) else PathState.UNKNOWN


async def minor_versions(client: RpcClient) -> tuple[int, ...]:
    """Which of 4.0 and 4.1 the server has: it refuses an empty request of a version that it does not have."""
    found = []
    for minor in (0, 1):
        answer = await client.call(NFS_4, 1, opaque(b"") + u32(minor, 0), as_root=True)
        if answer.u32() == Status.OK:
            found.append(minor)
    return tuple(found)


async def look_up_4(client: RpcClient, path: str) -> PathState:
    """How a directory stands for version 4.0, which needs no session to look."""
    names = [name.encode() for name in path.split("/") if name]
    looks = b"".join(u32(15) + opaque(name) for name in names)
    answer = await client.call(NFS_4, 1, opaque(b"") + u32(0, 1 + len(names), 24) + looks, as_root=True)
    return _path_state(answer.u32())


async def free_bytes(client: RpcClient, handle: bytes) -> int | None:
    """Room that a directory's file system has for ordinary users; None when the server does not say."""
    answer = await client.call(NFS_3, V3.FSSTAT, opaque(handle), as_root=True)
    if answer.u32():
        return None
    _skip_attributes(answer)
    total, _, for_users = answer.u64(), answer.u64(), answer.u64()
    return for_users if total else None


def _skip_attributes(answer: Unpacker) -> None:
    if answer.u32():
        answer.fixed(84)


def _attributes(*, mode: int | None = None, uid: int | None = None) -> bytes:
    """What a file is to get; sizes and times stay as the server likes."""
    return b"".join(u32(0) if value is None else u32(1, value) for value in (mode, uid, None)) + u32(0, 0, 0)


class ThrowAway:
    """A marked file in an exported directory, by NFSv3 and as uid 0.

    What gives it a name is awaited to its end, also by somebody who is told to stop: a server may carry out a call
    that nobody waits for after the one that removes the file.
    """

    def __init__(self, client: RpcClient, directory: bytes) -> None:
        self._client, self._directory = client, directory
        token = secrets.token_hex(6)
        self._names = (f"{MARK}{token}".encode(), f"{MARK}{token}-renamed".encode())
        self._handle = b""

    async def create(self) -> int:
        """Make the file; the status."""
        where = opaque(self._directory) + opaque(self._names[0])
        answer = await surely(self._call(V3.CREATE, where + u32(1) + _attributes(mode=0o600)))
        status = answer.u32()
        if status == Status.OK and answer.u32():
            self._handle = answer.opaque(_HANDLE_BYTES)
        return status

    @property
    def handle(self) -> bytes:
        """The file's handle; empty when the server gave none."""
        return self._handle

    async def owner(self) -> int:
        """Its uid."""
        answer = await self._call(V3.GETATTR, opaque(self._handle))
        if answer.u32():
            return 0
        answer.fixed(12)
        return answer.u32()

    async def chown(self, uid: int) -> int:
        """Give it to somebody; the status."""
        answer = await self._call(V3.SETATTR, opaque(self._handle) + _attributes(uid=uid) + u32(0))
        return answer.u32()

    async def write(self, block: bytes) -> int:
        """Write a block that is on the disk when the answer comes; the status."""
        arguments = opaque(self._handle) + u64(0) + u32(len(block), 2) + opaque(block)
        return (await self._call(V3.WRITE, arguments)).u32()

    async def rename(self) -> int:
        """Give it its second name; the status."""
        first, second = (opaque(self._directory) + opaque(name) for name in self._names)
        return (await surely(self._call(V3.RENAME, first + second))).u32()

    async def remove(self) -> int:
        """Remove it under whichever name it has; the status."""
        states = []
        for name in self._names:
            states.append((await self._call(V3.REMOVE, opaque(self._directory) + opaque(name))).u32())
        return Status.OK if Status.OK in states else states[0]

    async def _call(self, procedure: V3, arguments: bytes) -> Unpacker:
        return await self._client.call(NFS_3, procedure, arguments, as_root=True)


async def sync_ms(client: RpcClient, file: ThrowAway, *, rounds: int = 9, limit_s: float = 2.0) -> float | None:
    """Median milliseconds for 8 KiB to be on the server's disk beyond an empty call; None when it cannot write."""
    block, until = bytes(8192), time.monotonic() + limit_s
    written: list[float] = []
    empty: list[float] = []
    while len(written) < rounds and time.monotonic() < until:
        began_at = time.perf_counter()
        await client.call(NFS_3, V3.NULL)
        between = time.perf_counter()
        if await file.write(block):
            return None
        empty.append(between - began_at)
        written.append(time.perf_counter() - between)
    return max(0.0, statistics.median(written) - statistics.median(empty)) * 1000 if written else None


class Lock:
    """One owner's lock on the first byte of a file, by version 3's lock manager.

    The unmonitored lock (NLM_NM_LOCK) needs nobody on our side who is told of the server's restart.
    """

    def __init__(self, client: RpcClient, handle: bytes, process: int, caller: str = "rbdtui") -> None:
        self._client = client
        owner = f"{caller}-{process}".encode()
        self._lock = opaque(caller.encode()) + opaque(handle) + opaque(owner) + u32(process) + u64(0, 1)

    async def take(self) -> int:
        """Ask for it, without waiting for whoever has it; the status."""
        return await self._ask(22, u32(0, 1) + self._lock + u32(0, 0))

    async def release(self) -> int:
        """Give it back, also where it was not given; the status."""
        return await self._ask(4, self._lock)

    async def _ask(self, procedure: int, arguments: bytes) -> int:
        answer = await self._client.call(LOCKS, procedure, opaque(b"1") + arguments, as_root=True)
        answer.opaque(_NAME_BYTES)
        return answer.u32()


async def try_lock(client: RpcClient, handle: bytes) -> Sequence[int]:
    """Lock a file as one process and then as another; the statuses of the lock manager. Nothing stays locked."""
    locks = [Lock(client, handle, process) for process in (1, 2)]

    async def release() -> None:
        for lock in reversed(locks):
            await lock.release()

    states = []
    try:
        for lock in locks:
            states.append(await lock.take())
    finally:
        await surely(release())
    return states
