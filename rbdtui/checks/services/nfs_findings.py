"""What is wrong with an NFS server, from what one place tells of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from rbdtui.checks.services import nfs_wire
from rbdtui.checks.services.nfs_answer import SHOWN, NfsAnswer, NfsQuestion, Version3
from rbdtui.checks.services.nfs_mount import Mounts
from rbdtui.checks.services.nfs_wire import Export, LockStatus, PathState, Status, Written
from rbdtui.checks.services.witnesses import Param, Seen, reach_code
from rbdtui.findings import Severity
from rbdtui.transport.base import Reach

SERVER: Final = "storage.server"
PATH: Final = "storage.path"
_OPTIONS: Final = "storage.mount_options"
_SLOW_MS: Final = 50.0
"""Databases and registries on the share wait for each of their writes; a disk answers in 10 ms, an SSD in 1 ms."""
_LEAST_FREE_GIB: Final = 20
_GIB: Final = 1 << 30
_DOUBTS: Final = frozenset({"RBD-NFS-105", "RBD-NFS-111", "RBD-NFS-113"})


def look(question: NfsQuestion, answer: NfsAnswer, address: IPv4Address | None) -> Iterator[Seen]:
    """All that is wrong as one place sees it, each code once."""
    said: set[str] = set()
    mounts = answer.mounts if answer.mounts is not None else Mounts()
    # Where it could be mounted it does not matter what kept us from looking into it otherwise.
    ruled_out = _DOUBTS if mounts.mounted else frozenset()
    for seen in (*_talk(question, answer, address), *_mounts(question, mounts)):
        if seen.code not in said and seen.code not in ruled_out:
            said.add(seen.code)
            yield seen


def _talk(question: NfsQuestion, answer: NfsAnswer, address: IPv4Address | None) -> Iterator[Seen]:
    """What came of talking to the server."""
    server = {"server": question.server}
    if answer.reach.reach is not Reach.OPEN:
        number = reach_code(answer.reach)
        severity = Severity.WARNING if number == 5 else Severity.ERROR
        code = ("RBD-NFS-101", "RBD-NFS-102", "RBD-NFS-103", "RBD-NFS-104", "RBD-NFS-105")[number - 1]
        yield Seen(code, severity, SERVER, server, answer.evidence)
        return
    if answer.trouble or (answer.v3 is None and not answer.minors):
        yield Seen("RBD-NFS-106", Severity.ERROR, SERVER, server, answer.evidence)
        return
    yield from _versions(question, answer)
    yield from _paths(question, answer, address)
    v3 = answer.v3
    if v3 is not None and (answer.mounts is None or not answer.mounts.mounted):
        yield from _rights(question, v3.written, v3.free_bytes, answer.evidence)


def _mounts(question: NfsQuestion, mounts: Mounts) -> Iterator[Seen]:
    """What came of mounting."""
    params = {"server": question.server, "path": question.path}
    if mounts.missing_package:
        missing = {"package": mounts.missing_package}
        yield Seen("RBD-NFS-130", Severity.WARNING, SERVER, missing, mounts.evidence)
    failed: dict[str, list[str]] = {}
    for each in mounts.tried:
        if each.failed:
            failed.setdefault(each.failed, []).append(each.version)
        else:
            yield from _rights(question, each.written, each.free_bytes, mounts.evidence)
    for words, versions in failed.items():
        told: dict[str, Param] = {**params, "versions": ", ".join(versions), "detail": words}
        yield Seen("RBD-NFS-131", Severity.ERROR, PATH, told, mounts.evidence)


def _versions(question: NfsQuestion, answer: NfsAnswer) -> Iterator[Seen]:
    has = {
        "3": answer.v3 is not None,
        "4": bool(answer.minors),
        **{f"4.{minor}": minor in answer.minors for minor in (0, 1)},
    }
    server = {"server": question.server}
    if question.wanted and not has.get(question.wanted, True):
        params = {**server, "version": question.wanted}
        yield Seen("RBD-NFS-107", Severity.ERROR, _OPTIONS, params, answer.evidence)
    for version in ("3", "4"):
        if not has[version] and not question.wanted.startswith(version):
            yield Seen("RBD-NFS-108", Severity.WARNING, SERVER, {**server, "version": version}, answer.evidence)
    v3 = answer.v3
    if v3 is None or question.wanted.startswith("4"):
        return
    ports = ((nfs_wire.PORTMAPPER_PORT, v3.mapper), (v3.mountd_port, v3.mountd), (v3.locks_port, v3.locks))
    for port, reach in ports:
        if reach is not None and reach.reach is not Reach.OPEN:
            detail = f"TCP {port}: {reach.reach} {reach.detail}"
            yield Seen("RBD-NFS-109", Severity.WARNING, SERVER, {**server, "port": port}, detail)
    only_3 = question.wanted.startswith("3") or not answer.minors
    if only_3 and v3.mountd_port and not v3.locks_port:
        yield Seen("RBD-NFS-123", Severity.ERROR, PATH, {**server, "path": question.path}, answer.evidence)


def _paths(question: NfsQuestion, answer: NfsAnswer, address: IPv4Address | None) -> Iterator[Seen]:
    v3 = answer.v3 if answer.v3 is not None else Version3()
    path_3, path_4 = PathState.REFUSED if v3.denied else v3.path, answer.path_4
    states = {path_3, path_4}
    params = {"server": question.server, "path": question.path}
    export = _export_of(question.path, v3.exports or ())
    if path_3 is PathState.THERE or (path_4 is PathState.THERE and (export is not None or v3.exports is None)):
        if path_4 is PathState.MISSING:
            yield Seen("RBD-NFS-112", Severity.WARNING, PATH, params, answer.evidence)
    elif PathState.WRONGSEC in states:
        yield Seen("RBD-NFS-114", Severity.ERROR, PATH, params, answer.evidence)
    elif v3.exports is not None and export is None:
        shown = ", ".join(each.path for each in v3.exports[:SHOWN]) or "-"
        yield Seen("RBD-NFS-110", Severity.ERROR, PATH, {**params, "exports": shown}, answer.evidence)
    elif PathState.MISSING in states and (PathState.REFUSED not in states or not _is_whole(question.path, export)):
        yield Seen("RBD-NFS-115", Severity.ERROR, PATH, params, answer.evidence)
    elif PathState.REFUSED in states:
        if export is not None and address is not None and not _may_have(export, address):
            clients = {**params, "clients": ", ".join(export.clients[:SHOWN])}
            yield Seen("RBD-NFS-111", Severity.ERROR, PATH, clients, answer.evidence)
        else:
            yield Seen("RBD-NFS-113", Severity.INFO, PATH, params, answer.evidence)


def _is_whole(path: str, export: Export | None) -> bool:
    """Whether a path is an export itself, not a directory in it."""
    return export is None or path.rstrip("/") == export.path.rstrip("/")


def _export_of(path: str, listed: Sequence[Export]) -> Export | None:
    """The export that a directory lies in, the nearest one."""
    wanted = path.rstrip("/") + "/"
    around = [export for export in listed if wanted.startswith(export.path.rstrip("/") + "/")]
    return max(around, key=lambda export: len(export.path), default=None)


def _may_have(export: Export, address: IPv4Address) -> bool:
    """Whether an export is for an address, as far as its list tells: behind names and groups there may be anybody."""
    if not export.clients:
        return True
    for client in export.clients:
        try:
            if address in IPv4Network(client, strict=False):
                return True
        except ValueError:
            return True
    return False


def _rights(question: NfsQuestion, written: Written | None, free_bytes: int | None, evidence: str) -> Iterator[Seen]:
    params = {"server": question.server, "path": question.path}
    if free_bytes is not None and free_bytes < _LEAST_FREE_GIB * _GIB:
        room: dict[str, Param] = {**params, "gib": round(free_bytes / _GIB, 1), "wanted": _LEAST_FREE_GIB}
        yield Seen("RBD-NFS-124", Severity.WARNING, PATH, room, evidence)
    if written is None:
        return
    if written.create in (Status.NOSPC, Status.DQUOT):
        yield Seen("RBD-NFS-125", Severity.ERROR, PATH, params, evidence)
    elif written.create in (Status.ACCES, Status.PERM):
        # Nobody may write into a directory of root: what is told of squashing holds for that as well.
        yield Seen("RBD-NFS-120", Severity.ERROR, PATH, params, evidence)
    elif written.create == Status.ROFS:
        yield Seen("RBD-NFS-121", Severity.ERROR, PATH, params, evidence)
    elif written.create:
        yield Seen("RBD-NFS-122", Severity.ERROR, PATH, {**params, "status": written.create}, evidence)
    elif written.owner:
        yield Seen("RBD-NFS-120", Severity.ERROR, PATH, params, evidence)
    else:
        yield from _use(params, written, evidence)


def _use(params: Mapping[str, str], written: Written, evidence: str) -> Iterator[Seen]:
    for what, status in (("chown", written.chown), ("rename", written.rename), ("remove", written.removed)):
        if status:
            yield Seen("RBD-NFS-126", Severity.ERROR, PATH, {**params, "what": what, "status": status}, evidence)
    granted, states = LockStatus.GRANTED, (written.lock, written.second_lock)
    if states[0] not in (None, granted, LockStatus.GRACE) or states == (granted, granted):
        yield Seen("RBD-NFS-123", Severity.ERROR, PATH, params, evidence)
    if written.sync_ms is not None and written.sync_ms > _SLOW_MS:
        yield Seen("RBD-NFS-127", Severity.WARNING, PATH, {**params, "ms": round(written.sync_ms)}, evidence)
