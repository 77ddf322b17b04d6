"""Cases: system, hardware, disks, names, clock."""

from __future__ import annotations

from dataclasses import replace

from rbdtui.facts.model import Memory, Mount, NodeFacts, OsRelease, PathState
from tests.checks.cases import (
    ALL_FACTS,
    KUBERNETES,
    Case,
    E,
    I,
    W,
    both,
    change,
    hosts_line,
    mount_with,
    root_disk,
    same,
    unwritable,
)
from tests.checks.support import GIB, VIP, claimed, good_facts

NFS = Mount("/var/lib/rancher", "10.0.0.5:/x", "nfs4", 500 * GIB, 400 * GIB)

SYSTEM_CASES = (
    Case("all is well", same, {}),
    Case("all is well for Kubernetes alone", same, {}, KUBERNETES),
    Case("after our own run", claimed, {}),
    Case(
        "a fact that failed", change(failed={"units": "no answer within 5 s"}), {"RBD-FACT-101": W}, says=("no answer",)
    ),
    Case(
        "everything failed: no false conclusions",
        lambda facts: NodeFacts(facts.node, 1.0, failed=dict.fromkeys(ALL_FACTS, "no answer")),
        {"RBD-FACT-101": W},
    ),
    Case("unknown distribution", change(os=OsRelease("gentoo", "", "Gentoo")), {"RBD-OS-101": W}, says=("Gentoo",)),
    Case(
        "known by its family",
        change(os=OsRelease("bigcloud", "8", "BigCloud", ("rhel", "centos"))),
        {},
    ),
    Case("openEuler writes itself with a capital", change(os=OsRelease("openEuler", "22.03", "openEuler 22.03")), {}),
    Case("kernel without overlay2", change(kernel="3.10.0-327.el7.x86_64"), {"RBD-OS-102": E}),
    Case("kernel of CentOS 7", change(kernel="3.10.0-1160.el7.x86_64"), {"RBD-OS-103": W}),
    Case("kernel of Kylin V10", change(kernel="4.19.90-52.22.v2207.ky10.aarch64"), {}),
    Case("kernel 4.9.17 is enough", change(kernel="4.9.17-generic"), {}),
    Case("RHEL 10", change(os=OsRelease("rhel", "10.0", "RHEL 10", ("fedora",))), {"RBD-OS-104": W}),
    Case("loongarch", change(arch="loongarch64"), {"RBD-OS-105": E}),
    Case(
        "no systemd",
        change(files=frozenset(), active_units=frozenset()),
        {"RBD-OS-107": E},
    ),
    Case("one processor", change(cpu_count=1), {"RBD-HW-101": E}),
    Case("two processors", change(cpu_count=2), {"RBD-HW-102": W}),
    Case("2 GiB", change(memory=Memory(2 * GIB)), {"RBD-HW-103": E}, says=("2.0 GiB",)),
    Case("4 GiB as a machine shows them", change(memory=Memory(int(3.8 * GIB))), {"RBD-HW-104": W}),
    Case("8 GiB for etcd and applications", change(memory=Memory(int(7.6 * GIB))), {"RBD-HW-107": W}, says=("16 GiB",)),
    Case("8 GiB as a machine shows them, Kubernetes", change(memory=Memory(int(7.6 * GIB))), {}, KUBERNETES),
    Case("16 GiB as a machine shows them", change(memory=Memory(int(15.5 * GIB))), {}),
    Case("a disk that turns under builds", change(turning_disks=("sda",)), {"RBD-DISK-116": W}, says=("sda",)),
    Case("a disk that turns, nothing is built", change(turning_disks=("sda",)), {}, KUBERNETES),
    Case("swap", change(memory=Memory(16 * GIB, 0, 2 * GIB, True)), {"RBD-HW-105": W}),
    Case("swap at the next boot", change(memory=Memory(16 * GIB, 0, 0, True)), {"RBD-HW-106": W}),
    Case(
        "full disk",
        root_disk(100, 0),
        {"RBD-DISK-101": E, "RBD-DISK-104": E},
        says=("/var/lib/rancher", "/opt/rainbond", "/var/lib/rbdtui", "/var/log"),
    ),
    Case("little room for Rainbond", root_disk(50, 30), {"RBD-DISK-102": W}),
    Case("enough room for Kubernetes", root_disk(50, 30), {}, KUBERNETES),
    Case("room used by our own run", both(claimed, root_disk(50, 15)), {}, KUBERNETES),
    Case("three quarters full", root_disk(1000, 240), {"RBD-DISK-103": W}, says=("76 %",)),
    Case("94 % full", root_disk(1000, 60), {"RBD-DISK-103": W}),
    Case("96 % full", root_disk(2000, 80), {"RBD-DISK-104": E}),
    Case(
        "room for each alone, but not for all",
        root_disk(60, 23),
        {"RBD-DISK-102": W, "RBD-DISK-111": E},
        says=("24.4 GiB together", "/opt/rainbond 10.0"),
    ),
    Case("room for all at least", root_disk(60, 25), {"RBD-DISK-102": W}),
    Case(
        "room for each alone, Kubernetes",
        root_disk(30, 9),
        {"RBD-DISK-102": W, "RBD-DISK-111": E},
        KUBERNETES,
        says=("10.4 GiB together",),
    ),
    Case(
        "the data on a disk of its own",
        both(
            root_disk(30, 14),
            mount_with(Mount("/var/lib/rancher", "/dev/sdb1", "xfs", 50 * GIB, 45 * GIB), "/var/lib/rancher"),
        ),
        {"RBD-DISK-102": W},
    ),
    Case(
        "a full disk that nothing of ours is on",
        mount_with(Mount("/opt", "/dev/sdc1", "xfs", 10 * GIB, 0), "/opt"),
        {},
    ),
    Case(
        "a small disk of its own for the data",
        mount_with(Mount("/var/lib/rancher", "/dev/sdb1", "xfs", 14 * GIB, 13 * GIB), "/var/lib/rancher"),
        {"RBD-DISK-102": W},
        says=("on /var/lib/rancher",),
    ),
    Case(
        "inodes nearly used up",
        change(mounts=(Mount("/", "/dev/sda1", "ext4", 200 * GIB, 180 * GIB, inodes_used_percent=97.0),)),
        {"RBD-DISK-105": E},
    ),
    Case(
        "many inodes used",
        change(mounts=(Mount("/", "/dev/sda1", "ext4", 200 * GIB, 180 * GIB, inodes_used_percent=88.0),)),
        {"RBD-DISK-105": W},
    ),
    Case(
        "read-only /tmp",
        both(
            mount_with(Mount("/tmp", "tmpfs", "tmpfs", GIB, GIB, read_only=True), "/tmp"),
            unwritable("/tmp"),
        ),
        {"RBD-DISK-106": E},
        says=("/tmp", "ro"),
    ),
    Case("read-only root", unwritable(*good_facts().paths), {"RBD-DISK-106": E}, says=("/etc",)),
    Case("read-only /usr/local", unwritable("/usr/local"), {"RBD-DISK-107": I}),
    Case(
        "/usr/local is a mount",
        mount_with(Mount("/usr/local", "/dev/sdb1", "ext4", 10 * GIB, 9 * GIB), "/usr/local"),
        {"RBD-DISK-107": I},
    ),
    Case("neither /usr/local nor /opt", unwritable("/usr/local", "/opt"), {"RBD-DISK-106": E}),
    Case(
        "noexec under the data",
        mount_with(Mount("/var", "/dev/sdb1", "xfs", 100 * GIB, 90 * GIB, no_exec=True), "/var/lib/rancher"),
        {"RBD-DISK-108": E},
    ),
    Case(
        "noexec under the network plug-ins",
        mount_with(Mount("/opt", "/dev/sdc1", "xfs", 50 * GIB, 40 * GIB, no_exec=True), "/opt"),
        {"RBD-DISK-108": E},
        says=("/opt is",),
    ),
    Case(
        "noexec under a /usr/local that RKE2 does not use",
        mount_with(Mount("/usr/local", "/dev/sdb1", "xfs", 50 * GIB, 40 * GIB, no_exec=True), "/usr/local"),
        {"RBD-DISK-107": I},
    ),
    Case(
        "RKE2 in a /opt that is noexec",
        both(
            mount_with(Mount("/usr/local", "/dev/sdb1", "xfs", 50 * GIB, 40 * GIB), "/usr/local"),
            mount_with(Mount("/opt", "/dev/sdc1", "xfs", 50 * GIB, 40 * GIB, no_exec=True), "/opt"),
        ),
        {"RBD-DISK-107": I, "RBD-DISK-108": E},
    ),
    Case(
        "noexec under /usr",
        mount_with(Mount("/usr", "/dev/sdb1", "xfs", 50 * GIB, 40 * GIB, no_exec=True), "/usr/local"),
        {"RBD-DISK-108": E},
    ),
    Case("an old XFS under the data", change(xfs_ftype=0), {"RBD-DISK-112": E}, says=("ftype=0",)),
    Case("an XFS that knows types", change(xfs_ftype=1), {}),
    Case(
        "a hosts file that nobody may change",
        change(immutable=("/etc/hosts",)),
        {"RBD-DISK-113": E},
        says=("/etc/hosts",),
    ),
    Case("cloud-init writes the hosts file", change(hosts_rewritten=True), {"RBD-NAME-106": W}),
    Case("a clock that was never set", change(clock_synchronised=False), {"RBD-TIME-106": W}, says=("chrony",)),
    Case("a clock that was set", change(clock_synchronised=True), {}),
    Case("a clock that nothing sets", change(clock_synchronised=False, active_units=frozenset()), {"RBD-TIME-104": W}),
    Case("data on NFS", mount_with(NFS, "/var/lib/rancher"), {"RBD-DISK-109": W}),
    Case(
        "data behind a link",
        lambda facts: replace(facts, paths={**facts.paths, "/var/lib/rancher": PathState("/data/rancher", "/", True)}),
        {"RBD-DISK-110": I},
    ),
    Case("capitals in the host name", change(hostname="Node1", hostname_addresses=("127.0.1.1",)), {"RBD-NAME-101": W}),
    Case("underscore in the host name", change(hostname="node_1"), {"RBD-NAME-101": W}),
    Case("a full host name", change(hostname="node1.corp.lan"), {}),
    Case("host name leads elsewhere", change(hostname_addresses=("10.0.0.99",)), {"RBD-NAME-103": E}),
    Case(
        "host name leads elsewhere by the hosts file",
        both(hosts_line("10.0.0.99", "node1"), change(hostname_addresses=("10.0.0.99",))),
        {"RBD-NAME-103": E},
    ),
    Case("host name leads to the node's address", change(hostname_addresses=("10.0.0.11",)), {}),
    Case("host name leads nowhere, but the plan names it", change(hostname_addresses=()), {}),
    Case("host name leads nowhere", change(hostname="web7", hostname_addresses=()), {"RBD-NAME-104": W}),
    Case("a stale line for another node", hosts_line("10.9.9.9", "old", "node2"), {"RBD-NAME-105": W}),
    Case("the right line for another node", hosts_line("10.0.0.12", "node2"), {}),
    Case("an old registry line", hosts_line("10.0.0.7", "goodrain.me"), {"RBD-OLD-103": W}),
    Case("the VIP's registry line", hosts_line(VIP, "goodrain.me"), {}),
    Case("an old registry line, no Rainbond", hosts_line("10.0.0.7", "goodrain.me"), {}, KUBERNETES),
    Case("never booted image", change(machine_id="uninitialized"), {"RBD-ID-104": W}),
    Case("nothing sets the clock", change(active_units=frozenset()), {"RBD-TIME-104": W}),
)
