"""The figures that hosts are judged by, each with where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

GIB: Final = 1024**3


@dataclass(frozen=True, slots=True)
class DiskNeed:
    """Free space that a path needs."""

    minimum_bytes: int
    """Below this the installation cannot end well; our own figure: images and binaries with room to unpack them."""
    recommended_bytes: int


@dataclass(frozen=True, slots=True)
class Limits:
    """What a host must have, and what it should have."""

    cpu_minimum: int = 2
    """RKE2's minimum (rancher/rke2-docs, install/requirements)."""
    cpu_recommended: int = 4
    """RKE2's recommendation and Rainbond V6's requirement."""
    memory_minimum_bytes: int = 4 * GIB
    memory_recommended_bytes: int = 8 * GIB
    memory_shared_bytes: int = 0
    """What a node with both etcd and applications should have, so that these do not take etcd's memory; our own figure.
    """
    memory_tolerance: float = 0.9
    """A machine sold with 8 GiB shows less, because firmware and kernel keep some."""
    disks: Mapping[str, DiskNeed] = field(default_factory=dict)
    """Free space by path, before the first installation."""
    full_warning_percent: float = 75.0
    """Trouble was reported from 80 to 85 % on; kubelet removes images from 85 % on."""
    full_error_percent: float = 95.0
    """RKE2's kubelet puts no pods where less than 5 % are available (k3s-io/k3s, pkg/daemons/agent)."""
    inodes_warning_percent: float = 85.0
    inodes_error_percent: float = 95.0
    """Our own figure: RKE2's kubelet does not look at inodes, but the images are very many small files."""
    skew_warning_s: float = 0.5
    skew_error_s: float = 1.0
    kernel_minimum: tuple[int, ...] = (3, 10, 0, 514)
    """Older kernels have no usable overlay file system."""
    kernel_recommended: tuple[int, ...] = (4, 9, 17)
    """KubeKey's threshold."""
    inotify_instances: int = 8192
    inotify_watches: int = 524288


STAGING: Final = {
    "/var/lib/rbdtui": DiskNeed(2 * GIB, 4 * GIB),
    "/tmp": DiskNeed(GIB // 8, GIB // 4),  # noqa: S108 - looked at on the hosts, not used here
    "/var/log": DiskNeed(GIB // 4, GIB),
}
"""Our own figures: the bundle's archives while they are shipped, scratch files, logs."""

BALANCER: Final = Limits(
    cpu_minimum=1, cpu_recommended=2, memory_minimum_bytes=GIB, memory_recommended_bytes=2 * GIB, disks=STAGING
)
"""Our own figures: 9000 connections with two buffers of 16 KiB each take 300 MB (haproxy, tune.bufsize)."""
SERVICE: Final = Limits(
    cpu_minimum=1, cpu_recommended=2, memory_minimum_bytes=GIB, memory_recommended_bytes=4 * GIB, disks=STAGING
)
"""Recommended: what the vendor gives a server with a database (goodrain/rainbond-docs, V5.9 resource-prepare)."""
