"""What a snapshot of a simulated etcd is: bytes of the right size, sum and uniqueness, and the state they stand for."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import Final

from rbdtui.simulator.kubernetes.cluster import DATA_DIR, ETCD_DIR, ETCD_NAME_FILE, Cluster, KubeNode, Member, Saved
from rbdtui.simulator.kubernetes.layout import ETCD_DATA_DIR
from rbdtui.simulator.machine import Machine

DIRECTORY: Final = f"{DATA_DIR}/server/db/snapshots"
_SECTOR_BYTES: Final = 512


def snapshot_of(cluster: Cluster) -> bytes:
    """The database with its sum behind it, as etcd's client writes it."""
    seed = hashlib.sha256(f"{cluster.seed} {cluster.store.version}".encode()).digest()
    database = (seed * (cluster.size_bytes // len(seed) + 1))[: cluster.size_bytes // _SECTOR_BYTES * _SECTOR_BYTES]
    digest = hashlib.sha256(database).digest()
    cluster.snapshots[digest.hex()] = Saved(cluster.store.saved(), _copied(cluster.nodes), dict(cluster.node_passwords))
    return database + digest


def restore(cluster: Cluster, machine: Machine, saved: Saved) -> None:
    """The cluster is as it was saved, with the machine as the only member of etcd; the old data stay beside."""
    files = machine.files
    if files.is_dir(ETCD_DIR):
        set_aside(machine)
    cluster.store.restore(saved.objects)
    cluster.nodes, cluster.node_passwords = _copied(saved.nodes), dict(saved.passwords)
    cluster.node_passwords.pop(machine.name, None)
    name = f"{machine.name}-{machine.identity(f'etcd restored {time.time()}')[:8]}"
    cluster.members = [Member(machine, name)]
    files.put(ETCD_NAME_FILE, name, mode=0o600)
    files.mkdir(ETCD_DATA_DIR)


def set_aside(machine: Machine) -> str:
    """Put etcd's data aside; where they are now."""
    aside = f"{ETCD_DIR}-old-{int(time.time())}"
    while machine.files.exists(aside):
        aside += "1"
    machine.files.rename(ETCD_DIR, aside)
    return aside


def _copied(nodes: dict[str, KubeNode]) -> dict[str, KubeNode]:
    return {
        name: replace(node, labels=dict(node.labels), annotations=dict(node.annotations), spec=dict(node.spec))
        for name, node in nodes.items()
    }
