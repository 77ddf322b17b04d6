"""Scripts on snapshots of etcd, and on parts of files."""

from __future__ import annotations

import hashlib
import posixpath
import time
from typing import Final

from rbdtui.simulator.call import Call, Verbs
from rbdtui.simulator.kubernetes.cluster import ETCD_DIR, cluster_of
from rbdtui.simulator.kubernetes.layout import ETCD_DATA_DIR
from rbdtui.simulator.kubernetes.ports import LOOPBACK, SUPERVISOR_PORT
from rbdtui.simulator.kubernetes.snapshots import DIRECTORY, restore, set_aside, snapshot_of
from rbdtui.simulator.units import Active

_TRAILER_BYTES: Final = 32
_SAVE_S: Final = 1.0
_RESTORE_S: Final = 5.0
_SERVER: Final = "rke2-server"


async def etcd_snapshots(call: Call) -> int:
    """``etcd-snapshots DIRECTORY PREFIX``."""
    directory, prefix = call.args
    files, cluster = call.machine.files, cluster_of(call.machine)
    has_data = cluster is not None and files.is_dir(ETCD_DATA_DIR)
    size = cluster.size_bytes if cluster is not None and has_data else 0
    call.line(f"room {files.disk_of(directory).available_bytes} {size}")
    for name in files.listdir(directory) if files.is_dir(directory) else ():
        entry = files.get(f"{directory}/{name}")
        if entry is None or not name.startswith(prefix):
            continue
        state, digest = _judged(name, bytes(entry.content))
        call.line(f"{state} {len(entry.content)} {int(entry.modified_at)} {digest} {name}")
    return 0


async def etcd_snapshot_ages(call: Call) -> int:
    """``etcd-snapshot-ages DIRECTORY``."""
    (directory,) = call.args
    files, now = call.machine.files, time.time()
    there = files.get(f"{ETCD_DIR}/name")
    call.line(f"data {int(now - there.modified_at)}" if there is not None and files.is_dir(ETCD_DATA_DIR) else "data -")
    for name in files.listdir(directory) if files.is_dir(directory) else ():
        entry = files.get(f"{directory}/{name}")
        if entry is not None and not name.endswith(".part"):
            call.line(f"{int(now - entry.modified_at)} {len(entry.content)} {name}")
    return 0


def _judged(name: str, content: bytes) -> tuple[str, str]:
    if name.endswith((".part", ".zip")):
        return name.rpartition(".")[2], "-"
    if len(content) % 512 != _TRAILER_BYTES or len(content) == _TRAILER_BYTES:
        return "cut", "-"
    digest = hashlib.sha256(content[:-_TRAILER_BYTES]).digest()
    return ("whole", digest.hex()) if digest == content[-_TRAILER_BYTES:] else ("damaged", "-")


async def rke2_snapshot(call: Call) -> int:
    """``rke2-snapshot save NAME [OPTION...]`` and ``delete NAME...``."""
    verb, *names = call.args
    machine, cluster = call.machine, cluster_of(call.machine)
    if cluster is None or machine.listener(LOOPBACK, SUPERVISOR_PORT) is None:
        place = f"{LOOPBACK}:{SUPERVISOR_PORT}"
        words = f'Get "https://{place}/cacerts": dial tcp {place}: connect: connection refused'
        call.line(f'level=fatal msg="Error: failed to get CA certs: {words}"')
        return 1
    if verb == "delete":
        for name in names:
            there = machine.files.remove(f"{DIRECTORY}/{name}")
            call.line(
                f'level=info msg="Snapshot {name} deleted."'
                if there
                else f'level=warning msg="Snapshot {name} not found."'
            )
        return 0
    if not cluster.has_quorum(machine):
        call.line('level=fatal msg="Error: see server log for details: failed to check etcd status for snapshot"')
        return 1
    await machine.network.pace.sleep(_SAVE_S)
    name = f"{names[0]}-{machine.name}-{int(time.time())}"
    machine.files.mkdir(DIRECTORY, mode=0o700)
    try:
        machine.files.put(f"{DIRECTORY}/{name}", snapshot_of(cluster), mode=0o600)
    except OSError:
        return 0  # RKE2 tells its log alone, and ends well
    call.line(f'level=info msg="Snapshot {name} saved."')
    return 0


async def file_part(call: Call) -> int:
    """``file-part PATH OFFSET COUNT``."""
    path, offset, count = call.args[0], int(call.args[1]), int(call.args[2])
    entry = call.machine.files.get(posixpath.normpath(path))
    if entry is None:
        return 3
    call.out(bytes(entry.content[offset : offset + count]))
    return 0


async def snapshot_receive(call: Call) -> int:
    """``snapshot-receive PATH OFFSET SIZE_BYTES``, a part on standard input."""
    path, offset, size = call.args[0], int(call.args[1]), int(call.args[2])
    files, part = call.machine.files, f"{call.args[0]}.part"
    files.mkdir(posixpath.dirname(path), mode=0o700)
    data = await call.payload()
    there = files.get(part)
    if offset and there is None and (whole := files.get(path)) is not None and len(whole.content) == size:
        return 0
    before = bytes(there.content) if there is not None and offset else b""
    if len(before) < offset:
        return 7
    files.put(part, before[:offset] + data, mode=0o600)
    if offset + len(data) == size:
        files.rename(part, path)
    return 0


def _runs(call: Call) -> bool:
    return call.machine.systemd.unit(_SERVER).active in {Active.ACTIVE, Active.ACTIVATING}


async def rke2_halt(call: Call) -> int:
    """``rke2-halt``: here nothing outlives the unit."""
    await call.machine.systemd.stop(_SERVER)
    call.machine.disable(_SERVER)
    return 0


async def rke2_restore(call: Call) -> int:
    """``rke2-restore PATH [OPTION...]``."""
    path = call.args[0]
    machine, cluster = call.machine, cluster_of(call.machine)
    if cluster is None:
        return 3
    if _runs(call):
        return 5
    await machine.network.pace.sleep(_RESTORE_S)
    entry = machine.files.get(path)
    saved = cluster.snapshots.get(_judged(path, bytes(entry.content))[1]) if entry is not None else None
    if saved is None:
        words = (
            f"etcd: snapshot path does not exist: {path}"
            if entry is None
            else "expected sha256 of the snapshot differs"
        )
        call.line(f'level=fatal msg="starting kubernetes: preparing server: start managed database: {words}"')
        return 1
    restore(cluster, machine, saved)
    call.line(
        'level=info msg="Managed etcd cluster membership has been reset, restart without --cluster-reset flag now. '
        'Backup and delete ${datadir}/server/db on each peer etcd server and rejoin the nodes"'
    )
    return 0


async def etcd_set_aside(call: Call) -> int:
    """``etcd-set-aside``."""
    if _runs(call):
        return 5
    if call.machine.files.is_dir(ETCD_DIR):
        call.line(set_aside(call.machine))
    return 0


VERBS: Verbs = {
    "etcd-set-aside": etcd_set_aside,
    "rke2-halt": rke2_halt,
    "rke2-restore": rke2_restore,
    "snapshot-receive": snapshot_receive,
    "etcd-snapshot-ages": etcd_snapshot_ages,
    "etcd-snapshots": etcd_snapshots,
    "file-part": file_part,
    "rke2-snapshot": rke2_snapshot,
}
