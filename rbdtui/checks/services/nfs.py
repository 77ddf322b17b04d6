"""Whether the NFS server of the plan gives its directory to every node, in which versions, and with which rights.

The nodes' own sshd connects, so that a node without client programs answers as well. It connects from a port above
1023: a Linux server whose export is ``secure``, which is the default, then refuses what it would allow to a mount.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeVar

from rbdtui.checks.services import nfs_wire
from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.nfs_answer import NfsAnswer, NfsQuestion, Version3
from rbdtui.checks.services.nfs_findings import SERVER, look
from rbdtui.checks.services.nfs_mount import try_mounts
from rbdtui.checks.services.nfs_wire import PathState, Status, ThrowAway, Written
from rbdtui.checks.services.rpc import Program, RpcClient, RpcError, RpcFault, rpc_client
from rbdtui.checks.services.witnesses import told_once
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.wire import WireError
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.surely import surely
from rbdtui.transport.base import Reach

_CONNECT_S: Final = 3.0
_ANSWER_S: Final = 5.0
_CLEAN_UP_S: Final = 4.0
_OTHER_UID: Final = 1000
_Result = TypeVar("_Result")


class NfsCheck:
    """The NFS server serves the directory to all nodes."""

    name = "nfs"
    field = SERVER
    logs_in = False

    def question(self, spec: ClusterSpec) -> NfsQuestion | None:
        """Server, directory and options, where storage is NFS."""
        storage = spec.storage
        if "storage" not in spec.profile.sections or storage.mode is not StorageMode.NFS:
            return None
        if storage.server is None or storage.path is None:
            return None
        return NfsQuestion(storage.server, storage.path, tuple(storage.mount_options))

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Every node: pods with volumes may come to be on any."""
        return [*(node.name for node in spec.cluster_nodes), THIS_MACHINE]

    async def ask(self, question: NfsQuestion, asking: Asking) -> NfsAnswer:
        """Talk to the server from a place and, on a node, mount what can be mounted. Raises `TransportError`."""
        answer = await _talk(question, asking)
        if asking.host is None:
            return answer
        wrong = {seen.code for seen in look(question, answer, None) if seen.severity is Severity.ERROR}
        versions = _versions(question, answer)
        if wrong or not versions:
            return answer
        tried = await try_mounts(asking.host, question.server, question.path, question.options, versions)
        return replace(answer, mounts=tried)

    def judge(self, question: NfsQuestion, answers: Mapping[str, NfsAnswer], view: ClusterView) -> Iterator[Finding]:
        """One finding for all places that see the same."""
        addresses = {node.name: node.cluster_address for node in view.spec.nodes}

        yield from told_once(view, answers, lambda name, answer: look(question, answer, addresses.get(name)))


CHECK: Final = NfsCheck()


def _versions(question: NfsQuestion, answer: NfsAnswer) -> tuple[str, ...]:
    """Which versions are mounted: the wanted one, else those that the server has."""
    if question.wanted:
        return (question.wanted,)
    if answer.reach.reach is not Reach.OPEN:
        return ("3", "4.1")
    newest = tuple(f"4.{minor}" for minor in answer.minors[-1:])
    return (*(("3",) if answer.v3 is not None else ()), *newest)


async def _talk(question: NfsQuestion, asking: Asking) -> NfsAnswer:
    reach = await asking.reach(question.server, nfs_wire.NFS_PORT, timeout_s=_CONNECT_S)
    if reach.reach is not Reach.OPEN:
        return NfsAnswer(reach)
    try:
        async with (
            asking.towards(question.server, nfs_wire.NFS_PORT) as place,
            rpc_client(place, connect_s=_CONNECT_S, answer_s=_ANSWER_S) as client,
        ):
            minors = await _minors(client)
            path_4 = await nfs_wire.look_up_4(client, question.path) if 0 in minors else PathState.UNKNOWN
            v3 = None
            if await nfs_wire.has_version(client, nfs_wire.NFS_3):
                v3 = await _ask_version_3(question, asking, client)
            return NfsAnswer(reach, minors=minors, path_4=path_4, v3=v3)
    except (RpcError, WireError) as error:
        return NfsAnswer(reach, trouble=_told(error))


def _told(error: RpcError | WireError) -> str:
    kind = error.fault if isinstance(error, RpcError) else error.trouble
    return f"{kind}: {error.evidence}"


async def _minors(client: RpcClient) -> tuple[int, ...]:
    return await nfs_wire.minor_versions(client) if await nfs_wire.has_version(client, nfs_wire.NFS_4) else ()


async def _ask_version_3(question: NfsQuestion, asking: Asking, nfs: RpcClient) -> Version3:
    """Ask the port mapper and mountd, and try a file; trouble with these leaves what is known of the server."""
    server = question.server
    mapper = await asking.reach(server, nfs_wire.PORTMAPPER_PORT, timeout_s=_CONNECT_S)
    if mapper.reach is not Reach.OPEN:
        return Version3(mapper)
    known = Version3(mapper)
    try:
        port, lock_port = await _ports(server, asking, nfs_wire.MOUNTD, nfs_wire.LOCKS)
        if not port:
            return known
        mountd = await asking.reach(server, port, timeout_s=_CONNECT_S)
        locks = await asking.reach(server, lock_port, timeout_s=_CONNECT_S) if lock_port else None
        known = Version3(mapper, mountd, port, locks=locks, locks_port=lock_port)
        if mountd.reach is not Reach.OPEN:
            return known
        async with (
            asking.towards(server, port) as place,
            rpc_client(place, connect_s=_CONNECT_S, answer_s=_ANSWER_S) as client,
        ):
            listed = await nfs_wire.exports(client)
            path, handle = await nfs_wire.mount(client, question.path)
            known = replace(known, exports=listed, path=path)
            if not handle:
                return known
            try:
                known = replace(known, free_bytes=await nfs_wire.free_bytes(nfs, handle))
                return replace(known, written=await _write(server, asking, nfs, handle, known))
            finally:
                await surely(within_its_time(nfs_wire.unmount(client, question.path)))
    except (RpcError, WireError, TimeoutError) as error:
        trouble = "no answer while cleaning up" if isinstance(error, TimeoutError) else _told(error)
        denied = isinstance(error, RpcError) and error.fault is RpcFault.DENIED
        return replace(known, trouble=trouble, denied=denied)


async def within_its_time(cleaning: Coroutine[object, object, _Result]) -> _Result:
    """What is taken back, as long as that may last; raises `TimeoutError` after it."""
    async with asyncio.timeout(_CLEAN_UP_S):
        return await cleaning


async def _ports(server: str, asking: Asking, *programs: Program) -> list[int]:
    async with (
        asking.towards(server, nfs_wire.PORTMAPPER_PORT) as place,
        rpc_client(place, connect_s=_CONNECT_S, answer_s=_ANSWER_S) as client,
    ):
        return [await nfs_wire.port_of(client, program) for program in programs]


async def _write(server: str, asking: Asking, nfs: RpcClient, directory: bytes, known: Version3) -> Written:
    """Try a throw-away file; it is removed whatever comes, also when this is cancelled."""
    file = ThrowAway(nfs, directory)
    created = removed = owner = chown = renamed = 0
    sync: float | None = None
    locks: Sequence[int] = ()
    try:
        created = await file.create()
        if created == Status.OK and file.handle:
            owner = await file.owner()
            sync = await nfs_wire.sync_ms(nfs, file)
            locks = await _locks(server, asking, known, file.handle)
            renamed = await file.rename()
            chown = await file.chown(_OTHER_UID)
    finally:
        removed = await surely(within_its_time(file.remove()))
    first, second = (*locks, None, None)[:2]
    return Written(created, owner, chown, renamed, removed, sync, first, second)


async def _locks(server: str, asking: Asking, known: Version3, handle: bytes) -> Sequence[int]:
    if known.locks is None or known.locks.reach is not Reach.OPEN:
        return ()
    async with (
        asking.towards(server, known.locks_port) as place,
        rpc_client(place, connect_s=_CONNECT_S, answer_s=_ANSWER_S) as client,
    ):
        return await nfs_wire.try_lock(client, handle)
