"""Hosts with which all is well, to be spoilt one thing at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from rbdtui.bundle.model import BundleFile
from rbdtui.errors import StepError
from rbdtui.facts.disks import PATHS
from rbdtui.facts.model import (
    Claim,
    Clock,
    HostsEntry,
    Interface,
    Listener,
    Memory,
    Mount,
    NodeFacts,
    OsRelease,
    PathState,
    Route,
)
from rbdtui.facts.software import SYSTEMD, TOOLS
from rbdtui.findings import Place
from rbdtui.profiles import RAINBOND_6, Profile
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec

GIB = 1024**3
VIP = "10.0.0.100"


def spec_of(
    count: int = 3,
    *,
    profile: Profile = RAINBOND_6,
    gateway: dict[str, object] | None = None,
    **kubernetes: object,
) -> ClusterSpec:
    """A cluster of all-in-one nodes, three servers at most, then agents."""
    roles = ["control-plane", "etcd", "worker", "gateway", "build"]
    nodes = [
        {"name": f"node{i}", "address": f"10.0.{i // 200}.{10 + i % 200}", "roles": roles if i <= 3 else ["worker"]}
        for i in range(1, count + 1)
    ]
    return ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1",
            "name": "site-a",
            "profile": profile.name,
            "bundle": "packages",
            "nodes": nodes,
            "kubernetes": kubernetes,
            "gateway": gateway or {"vip": f"{VIP}/16", "virtual_router_id": 87},
        }
    )


def place(field: str) -> Place:
    """Places without a file behind them."""
    return Place(field=field, line=1, column=1)


def good_facts(index: int = 1) -> NodeFacts:
    """A clean Debian 12 server with room to spare."""
    address = IPv4Interface(f"10.0.{index // 200}.{10 + index % 200}/16")
    return NodeFacts(
        node=f"node{index}",
        gathered_at=1.0,
        os=OsRelease("debian", "12", "Debian GNU/Linux 12 (bookworm)"),
        kernel="6.1.0-21-amd64",
        arch="amd64",
        hostname=f"node{index}",
        hostname_addresses=("127.0.1.1",),
        hosts_file=(HostsEntry("127.0.0.1", ("localhost",)), HostsEntry("127.0.1.1", (f"node{index}",))),
        machine_id=f"{index:032x}",
        product_uuid=f"4c4c4544-0042-3510-8052-{index:012x}",
        cpu_count=8,
        memory=Memory(16 * GIB, 14 * GIB),
        mounts=(Mount("/", "/dev/sda1", "ext4", 200 * GIB, 180 * GIB, inodes_used_percent=3.0),),
        paths={path: PathState(path, "/", True) for path in PATHS},
        interfaces=(
            Interface("lo", "00:00:00:00:00:00", 65536, True, (IPv4Interface("127.0.0.1/8"),)),
            Interface("eth0", mac(index), 1500, True, (address,)),
        ),
        routes=(
            Route(IPv4Network("0.0.0.0/0"), IPv4Address("10.0.0.1"), "eth0"),
            Route(address.network, None, "eth0"),
        ),
        nameservers=("10.0.0.2",),
        listeners=(Listener("tcp", "0.0.0.0", 22, "sshd", 600, "ssh.service"),),
        clock=Clock(0.01, 0.005),
        cgroup_version=2,
        cgroup_controllers=frozenset({"cpu", "cpuset", "io", "memory", "pids"}),
        modules_loaded=frozenset({"overlay", "br_netfilter", "nf_conntrack", "nf_tables", "vxlan"}),
        modules_available=frozenset({"overlay", "br_netfilter", "nf_conntrack", "nf_tables", "vxlan"}),
        modules_knowable=True,
        sysctl={
            "net.ipv4.ip_forward": "1",
            "net.bridge.bridge-nf-call-iptables": "1",
            "fs.inotify.max_user_instances": "8192",
            "fs.inotify.max_user_watches": "524288",
        },
        active_units=frozenset({"chrony"}),
        tools=frozenset(TOOLS),
        packages=frozenset({"keepalived"}),
        files=frozenset({SYSTEMD}),
    )


def mac(index: int) -> str:
    """The hardware address of a node's interface."""
    return f"52:54:00:00:{index // 256:02x}:{index % 256:02x}"


def claimed(facts: NodeFacts, site: str = "site-a", cluster_id: str = "c1") -> NodeFacts:
    """The same host after a run of ours for a site."""
    return replace(facts, claim=Claim(site, cluster_id, "run-1"))


def on_mount(facts: NodeFacts, mount: Mount, *paths: str) -> NodeFacts:
    """The same host with a further file system under some of the paths."""
    states = {path: replace(state, mount=mount.path) for path, state in facts.paths.items() if path in paths}
    return replace(facts, mounts=(*facts.mounts, mount), paths={**facts.paths, **states})


class UnreadablePackages:
    """A bundle whose disk was pulled."""

    def packages(self, os_id: str, os_version: str, arch: str) -> Iterable[BundleFile]:
        raise StepError("bundle_gone", path="packages")

    def rke2_version(self, arch: str) -> Rke2Version | None:
        return None

    def rainbond_releases(self) -> tuple[str, ...]:
        return ()


class Packages:
    """A bundle that has host packages for some systems."""

    def __init__(self, *systems: str, rke2: str = "v1.30.4+rke2r1", rainbond: str = "") -> None:
        self._systems, self._rke2, self._rainbond = systems, rke2, rainbond

    def rainbond_releases(self) -> tuple[str, ...]:
        return tuple(self._rainbond.split())

    def rke2_version(self, arch: str) -> Rke2Version | None:
        return Rke2Version.parse(self._rke2)

    def packages(self, os_id: str, os_version: str, arch: str) -> Iterable[BundleFile]:
        names = ["keepalived.deb"] if f"{os_id}-{os_version}-{arch}" in self._systems else []
        names += ["nfs-common_1.deb"] if f"{os_id}-{os_version}-{arch} with nfs" in self._systems else []
        names += ["haproxy_1.deb"] if f"{os_id}-{os_version}-{arch} with haproxy" in self._systems else []
        if f"{os_id}-{os_version}-{arch} with rsync" in self._systems:
            names += ["rsync_1.deb", "inotify-tools_1.deb"]
        if f"{os_id}-{os_version}-{arch} with mysql" in self._systems:
            names += ["mysql-community-server_1.deb", "mysql-community-client_1.deb"]
        if f"{os_id}-{os_version}-{arch} with nfs server" in self._systems:
            names.append("nfs-kernel-server_1.deb")
        return [BundleFile(Path(name), 1, "") for name in names]
