"""What a snapshot of a simulated etcd is: bytes of the right size, sum and uniqueness, and the state they stand for."""

from __future__ import annotations

import hashlib
from typing import Final

from rbdtui.simulator.kubernetes.cluster import DATA_DIR, Cluster

DIRECTORY: Final = f"{DATA_DIR}/server/db/snapshots"
_SECTOR_BYTES: Final = 512


def snapshot_of(cluster: Cluster) -> bytes:
    """The database with its sum behind it, as etcd's client writes it."""
    seed = hashlib.sha256(f"{cluster.seed} {cluster.store.version}".encode()).digest()
    database = (seed * (cluster.size_bytes // len(seed) + 1))[: cluster.size_bytes // _SECTOR_BYTES * _SECTOR_BYTES]
    return database + hashlib.sha256(database).digest()
