"""How a Ceph stands, by what Rook writes into the status of its objects and by the Deployments of its disks.

Source: rook/rook@v1.20.6, pkg/apis/ceph.rook.io/v1/types.go (ClusterStatus, CephStatus, Capacity),
pkg/operator/ceph/cluster/osd/osd.go and labels.go (the Deployments of disks, their labels).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.rainbond.workloads import Json, number

HEALTHY: Final = "HEALTH_OK"
WARNED: Final = "HEALTH_WARN"
EXPECTED: Final = frozenset(
    {
        "AUTH_INSECURE_ROTATING_SERVICE_KEY_TYPE",
        "AUTH_INSECURE_CLIENT_KEY_TYPE",
        "AUTH_INSECURE_KEYS_ALLOWED",
        "AUTH_INSECURE_KEYS_CREATABLE",
    }
)
"""Warnings that last as long as kernels before 7.0 mount volumes, which know the older kind of key alone; they may be
ignored (rook/rook@v1.20.6, Documentation/Storage-Configuration/Advanced/cephx-key-rotation.md)."""
READY: Final = "Ready"
DISKS_SELECTOR: Final = "app%3Drook-ceph-osd"
"""Of the Deployments that each serve one disk, as a query of the API has it."""


@dataclass(frozen=True, slots=True)
class CephStanding:
    """One look at it."""

    phase: str = ""
    """Rook's own: ``Progressing``, ``Ready``, ``Failure``…"""
    message: str = ""
    health: str = ""
    """Ceph's: ``HEALTH_OK``, ``HEALTH_WARN``, ``HEALTH_ERR``; empty before it answers."""
    details: tuple[str, ...] = ()
    """What Ceph finds wrong, one line each."""
    total_bytes: int = 0
    used_bytes: int = 0
    disks_ready: int = 0
    disks_made: int = 0
    """Disks that Rook has taken."""

    @property
    def used_percent(self) -> float:
        """How full it is."""
        return 100.0 * self.used_bytes / self.total_bytes if self.total_bytes else 0.0

    @property
    def is_healthy(self) -> bool:
        """Whether Ceph finds nothing wrong, but for what kernels of today bring with them."""
        codes = {line.partition(":")[0] for line in self.details}
        return self.health == HEALTHY or (self.health == WARNED and bool(codes) and codes <= EXPECTED)

    def lacks(self, disks: int) -> list[str]:
        """What keeps it from being well with so many disks, raw; nothing when it is."""
        wrong = []
        if self.disks_ready < disks:
            wrong.append(f"disks: {self.disks_ready} of {disks} serve, {self.disks_made} taken")
        if self.phase != READY:
            wrong.append(f"CephCluster: {self.phase or '-'} {self.message}".rstrip())
        if not self.is_healthy:
            wrong += [f"health: {self.health or '-'}", *self.details]
        return wrong


def standing_of(cluster: Json | None, disks: Iterable[Json]) -> CephStanding:
    """From the CephCluster and the Deployments of its disks."""
    status = _section(cluster, "status")
    ceph = _section(status, "ceph")
    capacity = _section(ceph, "capacity")
    details = _section(ceph, "details")
    served = list(disks)
    return CephStanding(
        phase=str(status.get("phase") or ""),
        message=str(status.get("message") or ""),
        health=str(ceph.get("health") or ""),
        details=tuple(f"{code}: {_section(details, code).get('message', '')}" for code in sorted(details)),
        total_bytes=number(capacity.get("bytesTotal")),
        used_bytes=number(capacity.get("bytesUsed")),
        disks_ready=sum(1 for each in served if number(_section(each, "status").get("readyReplicas")) > 0),
        disks_made=len(served),
    )


def not_ready(found: Iterable[tuple[str, Json | None]]) -> list[str]:
    """Those of the objects that Rook has not brought to an end, raw."""
    phases = [(kind, _section(each, "status").get("phase")) for kind, each in found]
    return [f"{kind}: {phase or '-'}" for kind, phase in phases if phase != READY]


def _section(value: Any, key: str) -> Mapping[str, Any]:
    below = value.get(key) if isinstance(value, Mapping) else None
    return below if isinstance(below, Mapping) else {}
