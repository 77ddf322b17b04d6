"""Whether a lock that one node has on a file of the NFS directory is refused to the others.

Each node talks to the server through its own sshd, by version 3's lock manager; where the client programs are, the
directory is mounted besides as volumes will be, so that version 4 is tried as well.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.checks.services import nfs, nfs_wire
from rbdtui.checks.services.asking import Asking, KnownSecret
from rbdtui.checks.services.nfs_answer import NfsQuestion
from rbdtui.checks.services.nfs_findings import PATH, SERVER
from rbdtui.checks.services.nfs_mount import kept_options
from rbdtui.checks.services.nfs_wire import Lock, LockStatus, PathState, Status, ThrowAway
from rbdtui.checks.services.rpc import Program, RpcClient, RpcError, rpc_client
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.wire import WireError
from rbdtui.surely import surely
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script

_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 5.0
_HOLD_S: Final = 30
"""A mounted lock is given up after so long, whatever becomes of us."""
_MOUNT_LIMIT_S: Final = 60.0
_END_LIMIT_S: Final = 10.0


class Way(StrEnum):
    """How the locks were tried."""

    LOCK_MANAGER = "nlm"
    MOUNT = "mount"


class Got(StrEnum):
    """What a node was told that wanted the lock of another."""

    REFUSED = "refused"
    """As it should be."""
    GRANTED = "granted"
    UNKNOWN = "unknown"
    """It could not ask; why is told of that node alone, by the check of the server."""


@dataclass(frozen=True, slots=True)
class LocksQuestion:
    """The directory, and the nodes that answered: the first holds the lock."""

    nfs: NfsQuestion
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """What came of one way; there is none where the holder did not get its lock."""

    way: Way
    others: Mapping[str, Got]
    evidence: str = ""


class NfsLocksCheck:
    """A lock holds between nodes."""

    name = "nfs-locks"
    field = SERVER
    limit_s = 90.0

    def question(self, view: ClusterView) -> LocksQuestion | None:
        """The directory, where two nodes at least have answered that will use it."""
        asked = nfs.CHECK.question(view.spec)
        cluster = {node.name for node in view.spec.cluster_nodes}
        nodes = tuple(node.name for node, _ in view.answered() if node.name in cluster)
        return LocksQuestion(asked, nodes) if asked is not None and len(nodes) > 1 else None

    async def ask(self, question: LocksQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> Sequence[Conflict]:
        """Try each way; one that the holder cannot go is left out."""
        places = {name: Asking(secret, hosts[name]) for name in question.nodes}
        tried = [await by_lock_manager(question, places), await by_mount(question, hosts)]
        return [conflict for conflict in tried if conflict is not None]

    def judge(self, question: LocksQuestion, answer: Sequence[Conflict] | None, view: ClusterView) -> Iterator[Finding]:
        """Locks that two nodes had at once, else locks of which nothing is known."""
        given: dict[str, str] = {"server": question.nfs.server, "path": question.nfs.path}
        if answer is None:
            yield view.finding("RBD-NFS-129", Severity.WARNING, field=PATH, **given)
            return
        for conflict in answer:
            twice = [name for name, got in conflict.others.items() if got is Got.GRANTED]
            if twice:
                told = {**given, "holder": question.nodes[0], "hosts": ", ".join(twice)}
                yield view.finding("RBD-NFS-128", Severity.ERROR, field=PATH, evidence=conflict.evidence, **told)
                return


CHECK: Final = NfsLocksCheck()


@asynccontextmanager
async def _client(place: Asking, server: str, port: int) -> AsyncIterator[RpcClient]:
    async with (
        place.towards(server, port) as where,
        rpc_client(where, connect_s=_CONNECT_S, answer_s=_ANSWER_S) as client,
    ):
        yield client


async def _port(place: Asking, server: str, program: Program) -> int:
    async with _client(place, server, nfs_wire.PORTMAPPER_PORT) as client:
        return await nfs_wire.port_of(client, program)


async def by_lock_manager(question: LocksQuestion, places: Mapping[str, Asking]) -> Conflict | None:
    """By version 3, each node from its own address; None where the first cannot lock a file at all."""
    server, (holder, *others) = question.nfs.server, question.nodes
    place = places[holder]
    try:
        mountd = await _port(place, server, nfs_wire.MOUNTD)
        manager = await _port(place, server, nfs_wire.LOCKS)
        if not mountd or not manager:
            return None
        async with (
            _client(place, server, mountd) as mounting,
            _client(place, server, nfs_wire.NFS_PORT) as client,
            _client(place, server, manager) as locking,
        ):
            path, directory = await nfs_wire.mount(mounting, question.nfs.path)
            if path is not PathState.THERE:
                return None
            try:
                file = ThrowAway(client, directory)
                return await _held(file, locking, holder, {name: places[name] for name in others}, server, manager)
            finally:
                await surely(nfs.within_its_time(nfs_wire.unmount(mounting, question.nfs.path)))
    except (RpcError, WireError, TransportError, TimeoutError):
        return None


async def _held(
    file: ThrowAway, locking: RpcClient, holder: str, others: Mapping[str, Asking], server: str, manager: int
) -> Conflict | None:
    try:
        if await file.create() != Status.OK or not file.handle:
            return None
        lock = Lock(locking, file.handle, os.getpid(), f"rbdtui-{holder}")
        try:
            if await lock.take() != LockStatus.GRANTED:
                return None
            asked = (_wants(place, name, server, manager, file.handle) for name, place in others.items())
            said = dict(zip(others, await together(*asked), strict=True))
        finally:
            await surely(nfs.within_its_time(lock.release()))
    finally:
        await surely(nfs.within_its_time(file.remove()))
    evidence = "\n".join(f"NLM lock of {holder}, wanted by {name}: {status}" for name, status in said.items())
    return Conflict(Way.LOCK_MANAGER, {name: _got(status) for name, status in said.items()}, evidence)


def _got(status: int | str) -> Got:
    known = {int(LockStatus.GRANTED): Got.GRANTED, int(LockStatus.DENIED): Got.REFUSED}
    return known.get(status, Got.UNKNOWN) if isinstance(status, int) else Got.UNKNOWN


async def _wants(place: Asking, name: str, server: str, manager: int, handle: bytes) -> int | str:
    """The lock manager's status, or why there is none."""
    try:
        async with _client(place, server, manager) as client:
            lock = Lock(client, handle, os.getpid(), f"rbdtui-{name}")
            try:
                return await lock.take()
            finally:
                await surely(nfs.within_its_time(lock.release()))
    except (RpcError, WireError, TransportError, TimeoutError) as error:
        return f"{type(error).__name__}: {error}"


async def by_mount(question: LocksQuestion, hosts: Mapping[str, Host]) -> Conflict | None:
    """Mounted as volumes are; None where the first cannot mount it."""
    (holder, *others), given = question.nodes, question.nfs
    options = kept_options(given.options) + (f",vers={given.wanted}" if given.wanted else "")
    name = f"{nfs_wire.MARK}{secrets.token_hex(6)}"
    words = (given.server, given.path, options, name)
    held = asyncio.Event()

    async def hold() -> None:
        await hosts[holder].must(
            script("nfs-lock"), "hold", *words, str(_HOLD_S), timeout_s=_MOUNT_LIMIT_S,
            on_line=lambda line: held.set() if line.strip() == "held" else None,
        )  # fmt: skip

    async def want(other: str) -> str:
        try:
            return (await hosts[other].must(script("nfs-lock"), "try", *words, timeout_s=_MOUNT_LIMIT_S)).text.strip()
        except TransportError as error:
            return f"{type(error).__name__}: {error}"

    holding, waiting = asyncio.ensure_future(hold()), asyncio.ensure_future(held.wait())
    try:
        await asyncio.wait({holding, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not held.is_set():
            return None
        said = dict(zip(others, await together(*(want(other) for other in others)), strict=True))
    finally:
        waiting.cancel()
        await surely(_let_go(hosts[holder], name, holding))
    evidence = "\n".join(f"lock of {holder}, mounted, wanted by {other}: {word}" for other, word in said.items())
    return Conflict(Way.MOUNT, {other: _mounted_got(word) for other, word in said.items()}, evidence)


def _mounted_got(word: str) -> Got:
    return Got(word) if word in (Got.REFUSED, Got.GRANTED) else Got.UNKNOWN


async def _let_go(host: Host, name: str, holding: asyncio.Future[None]) -> None:
    """Have the lock given up and wait for it; a host that is gone gives it up by itself."""
    try:
        if not holding.done():
            await host.must(script("nfs-lock"), "end", name, timeout_s=_END_LIMIT_S)
        async with asyncio.timeout(_END_LIMIT_S):
            await holding
    except (TransportError, TimeoutError):
        holding.cancel()
