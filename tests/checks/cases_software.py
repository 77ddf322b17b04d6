"""Cases: kernel, programs, packet filters, earlier installations."""

from __future__ import annotations

from rbdtui.facts.model import Firewall
from rbdtui.facts.software import FAPOLICYD_RULES, SYSTEMD
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.sections.storage import Storage, StorageMode
from tests.checks.cases import (
    Case,
    E,
    I,
    W,
    both,
    change,
    running,
    same,
    without,
)
from tests.checks.support import Packages, UnreadablePackages, claimed, spec_of

NFS = spec_of().model_copy(update={"storage": Storage(mode=StorageMode.NFS, server="nas.lan", path="/data")})
WITH_NFS = "debian-12-amd64 with nfs"
HARDENED = spec_of(settings={"profile": "cis"})
VERSION_1 = change(cgroup_version=1, cgroup_controllers=frozenset({"cpu", "cpuset", "memory", "pids"}))

SOFTWARE_CASES = (
    Case(
        "no memory controller",
        change(cgroup_version=1, cgroup_controllers=frozenset({"cpu", "cpuset", "pids"})),
        {"RBD-KERN-101": E},
        says=("memory",),
    ),
    Case(
        "neither cpu nor cpuset in control groups of version 1",
        change(cgroup_version=1, cgroup_controllers=frozenset({"memory", "pids"})),
        {},
    ),
    Case(
        "no cpuset in version 2", change(cgroup_controllers=frozenset({"cpu", "memory", "pids"})), {"RBD-KERN-101": E}
    ),
    Case("control groups of version 1 and RKE2 1.34", VERSION_1, {}, bundle=Packages(rke2="v1.34.10+rke2r1")),
    Case(
        "control groups of version 1 and RKE2 1.35",
        VERSION_1,
        {"RBD-KERN-107": E},
        bundle=Packages(rke2="v1.35.0+rke2r1"),
        says=("v1.35.0+rke2r1",),
    ),
    Case(
        "control groups of version 1, allowed once more",
        VERSION_1,
        {},
        spec_of(settings={"kubelet-arg": ["max-pods=200", "fail-cgroupv1=false"]}),
        bundle=Packages(rke2="v1.36.3+rke2r1"),
    ),
    Case("control groups of version 1, version unknown", VERSION_1, {}, bundle=Packages(rke2="?")),
    Case("control groups of version 2 and RKE2 1.36", same, {}, bundle=Packages(rke2="v1.36.3+rke2r1")),
    Case("control groups cannot be written", change(cgroup_read_only=frozenset({"cpu", "rdma"})), {"RBD-KERN-102": E}),
    Case(
        "modules that are not there",
        change(modules_loaded=frozenset({"nf_conntrack", "nf_tables"}), modules_available=frozenset({"overlay"})),
        {"RBD-KERN-103": E, "RBD-KERN-105": I},
        says=("br_netfilter, vxlan",),
    ),
    Case(
        "modules that nobody can tell",
        change(
            modules_loaded=frozenset({"overlay", "br_netfilter", "nf_conntrack", "ip_tables"}),
            modules_available=frozenset(),
            modules_knowable=False,
        ),
        {"RBD-KERN-104": W},
        says=("vxlan",),
    ),
    Case("modules to be loaded", change(modules_loaded=frozenset()), {"RBD-KERN-105": I}),
    Case(
        "no VXLAN needed without canal",
        change(
            modules_loaded=frozenset({"overlay", "br_netfilter", "nf_conntrack", "nf_tables"}),
            modules_available=frozenset(),
        ),
        {},
        spec_of(settings={"cni": "calico"}),
    ),
    Case(
        "forwarding off",
        change(sysctl={"net.ipv4.ip_forward": "0"}),
        {"RBD-KERN-106": I},
        says=("ip_forward = 0 -> 1",),
    ),
    Case("few inotify watches", change(sysctl={"fs.inotify.max_user_watches": "8192"}), {"RBD-KERN-106": I}),
    Case("SELinux without policy", change(selinux="enforcing"), {"RBD-SEC-101": E}),
    Case("SELinux with policy", change(selinux="enforcing", packages=frozenset({"rke2-selinux"})), {}),
    Case("SELinux permissive", change(selinux="permissive"), {}),
    Case("SELinux permissive for good", change(selinux="permissive", selinux_at_boot="permissive"), {}),
    Case(
        "SELinux enforcing at the next boot",
        change(selinux="permissive", selinux_at_boot="enforcing"),
        {"RBD-SEC-104": E},
        says=("next boot",),
    ),
    Case(
        "SELinux enforcing at the next boot, with policy",
        change(selinux="permissive", selinux_at_boot="enforcing", packages=frozenset({"keepalived", "rke2-selinux"})),
        {},
    ),
    Case("SELinux off at the kernel's command line", change(selinux="disabled", selinux_at_boot="enforcing"), {}),
    Case("a hardening profile without its user", same, {"RBD-SEC-105": E}, HARDENED, says=("profile: cis",)),
    Case("a hardening profile with its user", change(users=frozenset({"etcd"})), {}, HARDENED),
    Case(
        "AppArmor without parser", both(change(apparmor_enabled=True), without("apparmor_parser")), {"RBD-SEC-102": W}
    ),
    Case("fapolicyd", running("fapolicyd"), {"RBD-SEC-103": E}),
    Case(
        "fapolicyd with RKE2's rules",
        both(running("fapolicyd"), change(files=frozenset({SYSTEMD, FAPOLICYD_RULES}))),
        {},
    ),
    Case("no iptables", without("iptables", "tar"), {"RBD-TOOL-101": E}, says=("iptables, tar",)),
    Case("no modprobe", without("modprobe"), {"RBD-TOOL-102": W}),
    Case("no keepalived, bundle has it", without("keepalived"), {"RBD-LB-101": I}, bundle=Packages("debian-12-amd64")),
    Case(
        "no keepalived, bundle for others",
        without("keepalived"),
        {"RBD-LB-102": E},
        bundle=Packages("ubuntu-22.04-amd64"),
    ),
    Case(
        "no keepalived needed", without("keepalived"), {}, spec_of(gateway={"mode": "external", "address": "10.0.0.9"})
    ),
    Case("no keepalived, nobody has looked at the bundle yet", without("keepalived"), {}),
    Case("no keepalived, no bundle", without("keepalived"), {"RBD-LB-102": E}, bundle=UnreadablePackages()),
    Case("no mount.nfs, no NFS", without("mount.nfs"), {}, bundle=Packages("debian-12-amd64")),
    Case("no mount.nfs, bundle has it", without("mount.nfs"), {"RBD-NFS-132": I}, NFS, bundle=Packages(WITH_NFS)),
    Case(
        "no mount.nfs, bundle has other packages",
        without("mount.nfs"),
        {"RBD-NFS-133": E},
        NFS,
        bundle=Packages("debian-12-amd64"),
    ),
    Case("somebody's keepalived", running("keepalived"), {"RBD-LB-103": E}),
    Case("our keepalived", both(claimed, running("keepalived")), {}),
    Case(
        "a configuration of keepalived",
        change(files=frozenset({SYSTEMD, "/etc/keepalived/keepalived.conf"})),
        {"RBD-LB-104": I},
    ),
    Case("firewalld", running("firewalld"), {"RBD-FW-101": W}),
    Case("ufw", change(firewall=Firewall(ufw_enabled=True, input_closed=True)), {"RBD-FW-102": W}),
    Case(
        "a closed INPUT chain",
        change(firewall=Firewall(False, True, ("-P INPUT DROP",))),
        {"RBD-FW-103": W},
        says=("-P INPUT DROP",),
    ),
    Case("another site's host", lambda facts: claimed(facts, "site-b"), {"RBD-OLD-102": E}, says=("site-b",)),
    Case("another cluster of the same name", claimed, {"RBD-OLD-102": E}, cluster_id="c2"),
    Case("this very cluster", claimed, {}, cluster_id="c1"),
    Case(
        "left over", change(leftovers=("/etc/rancher", "/var/lib/kubelet")), {"RBD-OLD-101": E}, says=("/etc/rancher",)
    ),
    Case(
        "left over by us",
        both(claimed, change(leftovers=("/etc/rancher",), active_units=frozenset({"chrony", "rke2-server"}))),
        {},
    ),
    Case("of podman's packages", change(leftovers=("/etc/cni", "/opt/cni")), {"RBD-OLD-106": I}, says=("podman",)),
    Case("of calico", change(leftovers=("/etc/cni", "/var/lib/calico")), {"RBD-OLD-101": E}, says=("/var/lib/calico",)),
    Case("RKE2 from packages", change(packages=frozenset({"keepalived", "rke2-common"})), {"RBD-OLD-101": E}),
    Case("another Kubernetes", running("k3s"), {"RBD-OLD-104": E}),
    Case("docker", running("docker"), {"RBD-OLD-105": W}),
    *(
        Case(
            f"RKE2 1.30.4 runs, the bundle has {planned}",
            both(claimed, change(rke2=Rke2Version(1, 30, 4, 2))),
            expected,
            bundle=Packages(rke2=planned),
            says=("v1.30.4+rke2r2", planned) if expected else (),
        )
        for planned, expected in (
            ("v1.29.15+rke2r1", {"RBD-UPGRADE-101": E}),
            ("v1.30.3+rke2r3", {"RBD-UPGRADE-102": W}),
            ("v1.30.4+rke2r1", {"RBD-UPGRADE-102": W}),
            ("v1.30.4+rke2r2", {}),
            ("v1.31.0+rke2r1", {}),
            ("v1.31.14+rke2r2", {}),
            ("v1.32.0+rke2r1", {"RBD-UPGRADE-105": E}),
            ("v1.35.2+rke2r1", {"RBD-UPGRADE-105": E}),
            ("?", {}),
        )
    ),
    *(
        Case(
            f"Rainbond {present} is installed, {planned} is planned",
            both(claimed, change(rainbond=present)),
            {code: E} if code else {},
            bundle=Packages(rainbond=planned),
            says=(present, planned) if code else (),
        )
        for present, planned, code in (
            ("v6.9.3-release", "v6.2.1-release", "RBD-UPGRADE-103"),
            ("v6.9.3-release", "v5.17.3-release", "RBD-UPGRADE-104"),
            ("v6.9.3-release", "v6.9.3-release", ""),
            ("v6.9.3-release", "v6.9.8-release", ""),
            ("our-own-build", "v6.9.8-release", ""),
            ("v6.9.3-release", "v6.2.1-release v6.9.8-release", ""),
            ("", "v6.2.1-release", ""),
        )
    ),
)
