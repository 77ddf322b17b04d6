"""Whatever of a cluster is watched: one file for each probe, and one line here."""

from __future__ import annotations

from typing import Final

from rbdtui.probes import (
    admin_port,
    api,
    balanced_api,
    ceph,
    certificates,
    clocks,
    cluster,
    components,
    etcd,
    etcd_secret,
    gateway,
    haproxy,
    hosts,
    image_registry,
    kubesphere,
    mysql,
    mysql_pair,
    nfs,
    nfs_copy,
    restarts,
    snapshots,
    vip,
)
from rbdtui.probes.question import Probe

PROBES: Final[tuple[Probe, ...]] = (
    hosts.PROBE,
    clocks.PROBE,
    vip.PROBE,
    api.PROBE,
    balanced_api.PROBE,
    cluster.PROBE,
    etcd.PROBE,
    certificates.PROBE,
    snapshots.PROBE,
    mysql.PROBE,
    mysql_pair.PROBE,
    nfs.PROBE,
    nfs_copy.PROBE,
    ceph.PROBE,
    image_registry.PROBE,
    haproxy.PROBE,
    gateway.PROBE,
    components.PROBE,
    etcd_secret.PROBE,
    admin_port.PROBE,
    kubesphere.PROBE,
    restarts.PROBE,
)
"""In the order of asking within a stage."""
