"""What is known of a host after asking it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from pydantic import TypeAdapter


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


@dataclass(frozen=True, slots=True)
class Mount:
    """A mounted file system."""

    path: str
    device: str
    filesystem: str
    size_bytes: int
    available_bytes: int
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface with its IPv4 addresses."""

    name: str
    mac: str = ""
    mtu: int = 1500
    up: bool = True
    addresses: tuple[IPv4Interface, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """An IPv4 route of the main table; the default route has destination ``0.0.0.0/0``."""

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
    """Name of the owning program; empty when it could not be seen."""


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
    machine_id: str = ""
    product_uuid: str = ""
    cpu_count: int = 0
    memory: Memory = Memory()
    mounts: tuple[Mount, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    routes: tuple[Route, ...] = ()
    nameservers: tuple[str, ...] | None = None
    """None when there is no ``/etc/resolv.conf``."""
    listeners: tuple[Listener, ...] = ()
    clock: Clock | None = None
    selinux: str = ""
    """``enforcing``, ``permissive``, ``disabled``, or empty where there is none."""
    apparmor_enabled: bool = False
    cgroup_version: int = 0
    cgroup_controllers: frozenset[str] = frozenset()
    modules_loaded: frozenset[str] = frozenset()
    """Loaded or built in."""
    modules_available: frozenset[str] = frozenset()
    """Of those that matter: what modprobe would find."""
    sysctl: Mapping[str, str] = field(default_factory=dict)
    active_units: frozenset[str] = frozenset()
    """Of the units that matter (firewalld, ufw, keepalived, rke2-server, …): those that are active."""
    tools: frozenset[str] = frozenset()
    """Of the programs that matter: those found in the path."""
    packages: frozenset[str] = frozenset()
    """Of the packages that matter: those installed."""
    leftovers: tuple[str, ...] = ()
    """Paths of earlier installations that exist."""
    claim: Claim | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    """Facts that could not be had: name to raw reason."""

    def interface_of(self, address: IPv4Address) -> Interface | None:
        """The interface that holds an address."""
        for interface in self.interfaces:
            if any(own.ip == address for own in interface.addresses):
                return interface
        return None


NODE_FACTS: TypeAdapter[NodeFacts] = TypeAdapter(NodeFacts)
"""Reads and writes facts as JSON."""
