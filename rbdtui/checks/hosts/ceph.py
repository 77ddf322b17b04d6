"""Checks on disks that the plan gives to Ceph, on the clocks of their servers, and on what mounts its volumes.

What Rook takes: rook/rook v1.20.6, pkg/daemon/ceph/osd/daemon.go, ``getAvailableDevices`` (a disk with a file system,
a table of partitions or an earlier OSD is passed over without an error); kernel, module and modes of disks:
Documentation/Getting-Started/Prerequisites; clocks: ceph/ceph, src/common/options/mon.yaml.in,
``mon_clock_drift_allowed``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Final

from rbdtui.checks.view import ClusterView, NodeView
from rbdtui.facts.model import Disk, DiskUse
from rbdtui.facts.software import UDEV
from rbdtui.findings import Finding, Severity
from rbdtui.profiles.limits import GIB
from rbdtui.rook.objects import DATA_DIRECTORY
from rbdtui.spec.sections.storage import CephDisk
from rbdtui.words import T, Text

_LEAST_BYTES: Final = 10 * GIB
"""Our own figure: ceph-volume takes nothing below 5 GB, and BlueStore's own data has to find room."""
_RECOMMENDED_BYTES: Final = 100 * GIB
_KERNEL: Final = (4, 17)
_OSD_BYTES: Final = 4 * GIB
"""``osd_memory_target`` of each disk's daemon (ceph/ceph, src/common/options/global.yaml.in)."""
_OTHERS_BYTES: Final = 3 * GIB
"""Our own figure for a monitor, a manager and a metadata server together."""
CLOCKS_APART_S: Final = 0.05
_IN_USE: Final = frozenset({DiskUse.MOUNTED, DiskUse.MULTIPATH, DiskUse.LVM, DiskUse.RAID})


def ceph_disks(view: NodeView) -> Iterator[Finding]:
    """Each disk is there, is the one that was chosen, and has nothing on it."""
    if "disks" in view.facts.failed:
        return
    for index, wanted in enumerate(view.spec.ceph_disks):
        if wanted.node == view.node.name:
            yield from _disk(view, wanted, f"storage.disks[{index}]")


def _disk(view: NodeView, wanted: CephDisk, field: str) -> Iterator[Finding]:
    disk = next((disk for disk in view.facts.disks if wanted.device in disk.links), None)
    if disk is None:
        there = "\n".join(line_of(each) for each in view.facts.disks)
        yield view.finding(
            "RBD-CEPH-101", Severity.ERROR, field=f"{field}.device", device=wanted.device, evidence=there
        )
        return
    said = {"device": wanted.device, "name": disk.name, "evidence": line_of(disk)}
    if wanted.serial is not None and disk.serial != wanted.serial:
        found = disk.serial or "-"
        yield view.finding(
            "RBD-CEPH-102", Severity.ERROR, field=f"{field}.serial", **said, wanted=wanted.serial, found=found
        )
        return
    yield from _contents(view, disk, f"{field}.device", said)
    gib = round(disk.size_bytes / GIB, 1)
    if disk.size_bytes < _LEAST_BYTES:
        least = _LEAST_BYTES // GIB
        yield view.finding("RBD-CEPH-106", Severity.ERROR, field=f"{field}.device", **said, gib=gib, wanted=least)
    elif disk.size_bytes < _RECOMMENDED_BYTES:
        least = _RECOMMENDED_BYTES // GIB
        yield view.finding("RBD-CEPH-107", Severity.WARNING, field=f"{field}.device", **said, gib=gib, wanted=least)


def _contents(view: NodeView, disk: Disk, field: str, said: dict[str, str]) -> Iterator[Finding]:
    use, holds = disk.use, "; ".join(map(str, disk.holds))
    if use in _IN_USE:
        kind = use_text(use)
        yield view.finding("RBD-CEPH-103", Severity.ERROR, field=field, **said, use=kind, holds=holds)
    elif use is DiskUse.CEPH and not view.ours:
        yield view.finding("RBD-CEPH-105", Severity.ERROR, field=field, **said, holds=holds)
    elif use is DiskUse.LEFTOVERS:
        parts = " ".join(f"/dev/{each.name}" for each in reversed(disk.holds) if each.name != disk.name)
        devices = f"{parts} {said['device']}".strip()
        yield view.finding("RBD-CEPH-104", Severity.ERROR, field=field, **said, holds=holds, devices=devices)
    elif disk.read_only:
        yield view.finding("RBD-CEPH-108", Severity.ERROR, field=field, **said)


def use_text(use: DiskUse) -> Text:
    """What a disk is in use for, in words."""
    return T(f"disk_use.{use.value}")  # words: disk_use.*


def udev_runs(view: NodeView) -> Iterator[Finding]:
    """Rook finds disks by what udev knows of them (Documentation/Getting-Started/Prerequisites, "udev")."""
    named = any(disk.node == view.node.name for disk in view.spec.ceph_disks)
    if named and "files" not in view.facts.failed and UDEV not in view.facts.files:
        yield view.finding("RBD-CEPH-114", Severity.ERROR)


def earlier_monitors(view: NodeView) -> Iterator[Finding]:
    """Nothing is left of an earlier Ceph's monitors, whose keys a new one would not know."""
    named = any(disk.node == view.node.name for disk in view.spec.ceph_disks)
    if named and DATA_DIRECTORY in view.facts.leftovers and not view.ours:
        yield view.finding("RBD-CEPH-113", Severity.ERROR, directory=DATA_DIRECTORY, evidence=DATA_DIRECTORY)


def line_of(disk: Disk) -> str:
    """A disk in one line of evidence."""
    named = [disk.name, f"{disk.size_bytes / GIB:.1f} GiB", disk.model, disk.serial, *map(str, disk.holds)]
    return "  ".join(part for part in named if part)


def mounts_ceph(view: NodeView) -> Iterator[Finding]:
    """Each node of Kubernetes can mount volumes of Ceph: the kernel's own clients do it."""
    facts = view.facts
    if not view.spec.ceph_disks:
        return
    found = tuple(int(number) for number in re.findall(r"[0-9]{1,9}", facts.kernel)[:2])
    if found and found < _KERNEL:
        wanted = ".".join(map(str, _KERNEL))
        yield view.finding("RBD-CEPH-109", Severity.WARNING, kernel=facts.kernel, wanted=wanted, evidence=facts.kernel)
    missing = [name for name in ("rbd", "ceph") if name not in facts.modules_loaded | facts.modules_available]
    if missing and facts.modules_knowable and "kernel_modules" not in facts.failed:
        yield view.finding("RBD-CEPH-110", Severity.ERROR, modules=", ".join(missing), kernel=facts.kernel)


def memory_for_ceph(view: NodeView) -> Iterator[Finding]:
    """A server with disks of Ceph has memory for its daemons beside everything else."""
    count = sum(1 for disk in view.spec.ceph_disks if disk.node == view.node.name)
    total = view.facts.memory.total_bytes
    wanted = view.limits.memory_recommended_bytes + count * _OSD_BYTES + _OTHERS_BYTES
    if count and total and total < wanted * view.limits.memory_tolerance:
        yield view.finding(
            "RBD-CEPH-111", Severity.WARNING, gib=round(total / GIB, 1), wanted=wanted // GIB, count=count
        )


def clocks_of_ceph(view: ClusterView) -> Iterator[Finding]:
    """No two servers of Ceph are further apart than its monitors allow; what is said is proven."""
    named = {disk.node for disk in view.spec.ceph_disks}
    clocks = [(node.name, facts.clock) for node, facts in view.answered() if node.name in named and facts.clock]
    worst, pair, uncertainty = CLOCKS_APART_S, ("", ""), 0.0
    for (one, first), (other, second) in combinations(clocks, 2):
        unsure = first.uncertainty_s + second.uncertainty_s
        apart = abs(first.offset_s - second.offset_s) - unsure
        if apart > worst:
            worst, pair, uncertainty = apart, (one, other), unsure
    if pair[0]:
        yield view.finding(
            "RBD-CEPH-112", Severity.ERROR, node=pair[1], other=pair[0], milliseconds=round(worst * 1000),
            uncertainty=round(uncertainty * 1000), allowed=round(CLOCKS_APART_S * 1000),
        )  # fmt: skip
