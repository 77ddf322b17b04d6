"""Cases: disks that the plan gives to Ceph, what mounts its volumes, memory."""

from __future__ import annotations

from dataclasses import replace

from rbdtui.facts.model import Disk, Memory, NodeFacts, OnDisk
from rbdtui.facts.software import UDEV
from rbdtui.spec.model import ClusterSpec
from tests.checks.cases import RAINBOND, Case, E, Spoil, W, both, change
from tests.checks.support import GIB, claimed

BY_ID = "/dev/disk/by-id/scsi-"
CLIENTS = frozenset({"rbd", "ceph"})


def with_ceph(**first: object) -> ClusterSpec:
    """A plan with one disk of each of three nodes; the first is written otherwise."""
    disks = [{"node": f"node{i}", "device": f"{BY_ID}D{i}", "serial": f"D{i}"} for i in (1, 2, 3)]
    data = RAINBOND.model_dump(mode="json", exclude_unset=True)
    data["storage"] = {"mode": "rook-ceph", "disks": [{**disks[0], **first}, *disks[1:]]}
    return ClusterSpec.model_validate(data)


CEPH = with_ceph()


def disk(**changed: object) -> Disk:
    own = Disk("sdb", 200 * GIB, "DATA", "D1", links=(f"{BY_ID}D1",))
    return replace(own, **changed)  # type: ignore[arg-type]


def ready(facts: NodeFacts) -> NodeFacts:
    """A server that can have Ceph."""
    available = facts.modules_available | CLIENTS
    memory, files = Memory(32 * GIB, 30 * GIB), facts.files | {UDEV}
    return replace(facts, disks=(disk(),), modules_available=available, memory=memory, files=files)


def having(*holds: OnDisk, **changed: object) -> Spoil:
    return both(ready, change(disks=(disk(holds=holds, **changed),)))


EXT4 = (OnDisk("sdb", "disk", "gpt"), OnDisk("sdb1", "part", "ext4"))
BLUESTORE = OnDisk("sdb", "disk", "ceph_bluestore")

CEPH_CASES = (
    Case("an empty disk for Ceph", ready, {}, CEPH),
    Case("Ceph asks for no disk of a plan without it", change(disks=()), {}),
    Case("disks could not be listed", both(ready, change(disks=(), failed={"disks": "x"})), {"RBD-FACT-101": W}, CEPH),
    Case("the disk is not there", both(ready, change(disks=())), {"RBD-CEPH-101": E}, CEPH, says=("scsi-D1",)),
    Case("another disk in its place", having(serial="D9"), {"RBD-CEPH-102": E}, CEPH, says=("D9", "D1")),
    Case("no serial was written down", having(serial="D9"), {}, with_ceph(serial=None)),
    Case(
        "the system's disk", having(OnDisk("sdb1", "part", "ext4", "/")), {"RBD-CEPH-103": E}, CEPH,
        says=("sdb1 part ext4 /",),
    ),
    Case("a path of a multipath device", having(OnDisk("dm-0", "mpath")), {"RBD-CEPH-103": E}, CEPH),
    Case("in a volume group", having(OnDisk("sdb", "disk", "LVM2_member")), {"RBD-CEPH-103": E}, CEPH),
    Case("a file system nobody uses", having(*EXT4), {"RBD-CEPH-104": E}, CEPH, says=("sdb1 part ext4",)),
    Case("a disk of another Ceph", having(BLUESTORE), {"RBD-CEPH-105": E}, CEPH),
    Case("our own Ceph, after a run", both(having(BLUESTORE), claimed), {}, CEPH),
    Case("8 GiB for Ceph", having(size_bytes=8 * GIB), {"RBD-CEPH-106": E}, CEPH, says=("8.0 GiB",)),
    Case("50 GiB for Ceph", having(size_bytes=50 * GIB), {"RBD-CEPH-107": W}, CEPH),
    Case("a disk that can only be read", having(read_only=True), {"RBD-CEPH-108": E}, CEPH),
    Case(
        "no quotas of CephFS", both(ready, change(kernel="4.12.14-122-default")), {"RBD-CEPH-109": W}, CEPH
    ),
    Case(
        "a kernel without rbd",
        lambda facts: replace(ready(facts), modules_available=facts.modules_available | {"ceph"}),
        {"RBD-CEPH-110": E}, CEPH, says=("lacks rbd",),
    ),
    Case(
        "no udev", lambda facts: replace(ready(facts), files=facts.files), {"RBD-CEPH-114": E}, CEPH, says=("udev",)
    ),
    Case("what an earlier Ceph left", both(ready, change(leftovers=("/var/lib/rook",))), {"RBD-CEPH-113": E}, CEPH),
    Case(
        "12 GiB with a disk for Ceph", both(ready, change(memory=Memory(12 * GIB))),
        {"RBD-CEPH-111": W, "RBD-HW-107": W}, CEPH,
    ),
)  # fmt: skip
