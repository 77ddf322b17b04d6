"""What is known of a host after asking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from pydantic import TypeAdapter

from rbdtui.rke2_version import Rke2Version


@dataclass(frozen=True, slots=True)
class OsRelease:
    """The operating system as ``/etc/os-release`` names it."""

    id: str = ""
    """E.g. ``debian``, ``openEuler``."""
    version_id: str = ""
    pretty_name: str = ""
    id_like: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """Main memory and swap."""

    total_bytes: int = 0
    available_bytes: int = 0
    swap_bytes: int = 0
    """Swap in use as such now."""
    swap_in_fstab: bool = False
    """Whether swap comes back at the next boot."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system that holds at least one of the paths that matter."""

    path: str
    device: str
    filesystem: str
    size_bytes: int
    available_bytes: int
    """For root's services, so without what the file system keeps back."""
    read_only: bool = False
    no_exec: bool = False
    inodes_used_percent: float = 0.0
    """0 where the file system has no fixed number of inodes."""

    @property
    def used_percent(self) -> float:
        """How full the file system is, as kubelet counts it: what is not available, of the size."""
        return 100.0 * (1 - self.available_bytes / self.size_bytes) if self.size_bytes else 0.0


class DiskUse(StrEnum):
    """What a disk is in use for, as far as it can be seen from outside."""

    NOTHING = "nothing"
    MOUNTED = "mounted"
    """It holds a file system in use, or swap: the system's, or somebody's data."""
    MULTIPATH = "multipath"
    LVM = "lvm"
    RAID = "raid"
    CEPH = "ceph"
    """A disk of Ceph's, of this cluster or of another."""
    LEFTOVERS = "leftovers"
    """A signature that nothing uses now: a file system, a table of partitions, an encrypted volume."""


@dataclass(frozen=True, slots=True)
class OnDisk:
    """Something on a disk: its own signature, a partition, or what is made of one."""

    name: str
    """The kernel's, e.g. ``sdb``, ``sdb1``, ``dm-0``."""
    kind: str
    """``disk``, ``part``, ``lvm``, ``mpath``, ``raid1``, ``crypt``…"""
    signature: str = ""
    """E.g. ``ext4``, ``LVM2_member``, ``ceph_bluestore``, ``gpt``."""
    mounted_at: str = ""
    """A path, or ``[SWAP]``."""

    def __str__(self) -> str:
        return " ".join(part for part in (self.name, self.kind, self.signature, self.mounted_at) if part)


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk of a host."""

    name: str
    """The kernel's, which may be another after the next boot."""
    size_bytes: int
    model: str = ""
    serial: str = ""
    """Empty where nothing tells it, as with many virtual disks."""
    turns: bool = False
    """What the kernel says; a virtual disk says so whatever is behind it."""
    read_only: bool = False
    removable: bool = False
    links: tuple[str, ...] = ()
    """All its names below /dev/disk/by-id and /dev/disk/by-path."""
    holds: tuple[OnDisk, ...] = ()

    @property
    def use(self) -> DiskUse:
        """The strongest reason to leave it alone."""
        kinds, signatures = {each.kind for each in self.holds}, {each.signature for each in self.holds}
        if any(each.mounted_at for each in self.holds):
            return DiskUse.MOUNTED
        if "mpath" in kinds or "mpath_member" in signatures:
            return DiskUse.MULTIPATH
        if "lvm" in kinds or "LVM2_member" in signatures:
            return DiskUse.LVM
        if any(kind.startswith(("raid", "md", "linear")) for kind in kinds) or any(
            signature.endswith("_raid_member") or signature in ("zfs_member", "bcache", "drbd")
            for signature in signatures
        ):
            return DiskUse.RAID
        if "ceph_bluestore" in signatures:
            return DiskUse.CEPH
        return DiskUse.LEFTOVERS if self.holds else DiskUse.NOTHING

    @property
    def stable_name(self) -> str:
        """A link that leads to it after every boot: one with its serial at best, else one of its place; or none."""
        by_id = [link for link in self.links if link.startswith("/dev/disk/by-id/")]
        told = [link for link in by_id if self.serial and self.serial.replace(" ", "_") in link]
        return min(told or by_id or self.links, key=lambda link: (len(link), link), default="")


@dataclass(frozen=True, slots=True)
class PathState:
    """Where a path that matters really is; it may not exist yet."""

    real: str
    """With all symbolic links resolved."""
    mount: str
    """Mount point of the file system that holds it or will hold it."""
    writable: bool
    """Whether root can write into it, or into the nearest directory above it that exists."""


@dataclass(frozen=True, slots=True)
class HostsEntry:
    """A line of ``/etc/hosts``."""

    address: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface with its IPv4 addresses."""

    name: str
    mac: str = ""
    mtu: int = 1500
    up: bool = True
    addresses: tuple[IPv4Interface, ...] = ()
    leased: tuple[IPv4Address, ...] = ()
    """Of the addresses, those that are only lent (DHCP); where the host has no ``ip``, nobody can tell."""


@dataclass(frozen=True, slots=True)
class Route:
    """An IPv4 route of the main table; the default route has destination ``0.0.0.0/0``.

    Routes that reject or swallow packets are not among them.
    """

    destination: IPv4Network
    gateway: IPv4Address | None
    interface: str


@dataclass(frozen=True, slots=True)
class Listener:
    """A TCP or UDP socket that waits for peers."""

    protocol: str
    """``tcp`` or ``udp``."""
    address: str
    port: int
    process: str = ""
    """Name of the owning program, cut to 15 characters by the kernel; empty when it could not be seen."""
    pid: int = 0
    unit: str = ""
    """``kubepods`` for a process of a pod, else its systemd unit; empty when it could not be seen."""


@dataclass(frozen=True, slots=True)
class Firewall:
    """Packet filters that the host's own tools show; what firewalld does is not among them."""

    ufw_enabled: bool = False
    input_closed: bool = False
    """Whether packets to the host are dropped unless a rule lets them through."""
    evidence: tuple[str, ...] = ()
    """The lines that say so, raw."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The host's clock against the jump host's, with the round trip taken out."""

    offset_s: float
    """Host minus jump host."""
    uncertainty_s: float
    """Half the round trip: how wrong ``offset_s`` can be."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Which site a host was installed for, as our own marker file says."""

    site: str
    cluster_id: str
    run_id: str


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """Everything asked of one host; a fact that could not be had is None or empty, and ``failed`` says why."""

    node: str
    gathered_at: float
    """Unix time on the jump host."""
    os: OsRelease = OsRelease()
    kernel: str = ""
    arch: str = ""
    """``amd64``, ``arm64``, or the machine's own word."""
    hostname: str = ""
    hostname_addresses: tuple[str, ...] | None = None
    """What the host's own name resolves to on the host; None when that could not be asked."""
    hosts_file: tuple[HostsEntry, ...] = ()
    machine_id: str = ""
    product_uuid: str = ""
    cpu_count: int = 0
    memory: Memory = Memory()
    mounts: tuple[Mount, ...] = ()
    disks: tuple[Disk, ...] = ()
    """All of the host's, in use or not; none where nobody can list them."""
    paths: Mapping[str, PathState] = field(default_factory=dict)
    """By path as we write it, e.g. ``/var/lib/rancher``."""
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    nameservers: tuple[str, ...] | None = None
    """None when there is no ``/etc/resolv.conf``."""
    upstream_nameservers: tuple[str, ...] = ()
    """What systemd-resolved itself asks (``/run/systemd/resolve/resolv.conf``)."""
    listeners: tuple[Listener, ...] = ()
    firewall: Firewall = Firewall()
    clock: Clock | None = None
    selinux: str = ""
    """``enforcing``, ``permissive``, ``disabled``, or empty where there is none."""
    apparmor_enabled: bool = False
    cgroup_version: int = 0
    cgroup_controllers: frozenset[str] = frozenset()
    cgroup_read_only: frozenset[str] = frozenset()
    """Controllers that are there but cannot be written."""
    modules_loaded: frozenset[str] = frozenset()
    """Loaded or built in."""
    modules_available: frozenset[str] = frozenset()
    """Of those that matter: what modprobe would find."""
    modules_knowable: bool = False
    """Whether the host has the lists that modprobe uses; without them a module not seen may still be built in."""
    sysctl: Mapping[str, str] = field(default_factory=dict)
    """Of the keys that matter, those that exist, e.g. ``net.ipv4.ip_forward``."""
    active_units: frozenset[str] = frozenset()
    """Of the units that matter (firewalld, ufw, keepalived, rke2-server, …): those that are active."""
    enabled_units: frozenset[str] = frozenset()
    """Of the same units: those that start at boot."""
    tools: frozenset[str] = frozenset()
    """Of the programs that matter: those found in the path."""
    packages: frozenset[str] = frozenset()
    """Of the packages that matter: those installed."""
    files: frozenset[str] = frozenset()
    """Of the configuration files that matter: those that exist."""
    leftovers: tuple[str, ...] = ()
    """Paths of earlier installations that exist."""
    claim: Claim | None = None
    selinux_at_boot: str = ""
    """What ``/etc/selinux/config`` asks for, in the same words; empty where it says nothing."""
    clock_synchronised: bool | None = None
    """Whether the clock has been set by its source; None when nobody can tell."""
    hosts_rewritten: bool = False
    """Whether cloud-init writes ``/etc/hosts`` anew at each boot."""
    immutable: tuple[str, ...] = ()
    """Of what the plan writes: files and directories that not even root may change."""
    networkd_keeps: bool = False
    """Whether systemd-networkd leaves addresses alone that it did not set."""
    xfs_ftype: int | None = None
    """Of the file system under ``/var/lib/rancher``; None where that is no XFS or does not say."""
    turning_disks: tuple[str, ...] = ()
    """Disks with a spindle that ``/opt/rainbond`` lies on, or would."""
    rke2: Rke2Version | None = None
    """Which started here last; None where none did, or one that does not tell."""
    rainbond: str = ""
    """The release that the cluster of a server was told to have, as it is written there; empty where none is known."""
    users: frozenset[str] = frozenset()
    """Of the users that matter: those that exist with a group of their name."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Facts that could not be had: name to raw reason."""

    def interface_of(self, address: IPv4Address) -> Interface | None:
        """The interface that holds an address."""
        for interface in self.interfaces:
            if any(own.ip == address for own in interface.addresses):
                return interface
        return None

    def mount_of(self, path: str) -> Mount | None:
        """The file system that holds one of the paths that matter, or will hold it."""
        state = self.paths.get(path)
        return next((mount for mount in self.mounts if state and mount.path == state.mount), None)


NODE_FACTS: TypeAdapter[NodeFacts] = TypeAdapter(NodeFacts)
"""Reads and writes facts as JSON."""
