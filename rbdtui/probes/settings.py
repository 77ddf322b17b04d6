"""How often, how long and how strictly is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from rbdtui.probes.hysteresis import Hysteresis
from rbdtui.probes.routes import Limits


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a value is worth a warning, and from when on it is bad."""

    disk_warn_percent: int = 85
    """From there on kubelet removes images; of space and of inodes."""
    disk_bad_percent: int = 95
    """kubelet evicts pods from 90 % on, and etcd stops when it cannot write."""
    certificate_warn_days: int = 30
    clock_warn_s: float = 0.5
    clock_bad_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """Seconds from the beginning of one round of a question to the beginning of the next.

    All are multiples of 2.25, so that questions about the same target meet; see `rbdtui.probes.turns`.
    """

    host_s: float = 9.0
    """Reachability by SSH, disk, clock, names, what a host says of itself."""
    vip_s: float = 6.75
    """Holder of the virtual address, keepalived."""
    api_s: float = 6.75
    etcd_s: float = 6.75
    cluster_s: float = 4.5
    """Nodes as Kubernetes sees them."""
    gateway_s: float = 6.75
    certificates_s: float = 2.25
    """What nodes showed is looked at so often, and asked for when it was seen by nobody for three times as long."""
    slow_s: float = 60.75
    """What changes in days: snapshots, a Secret's certificate."""
    services_s: float = 29.25
    """Servers outside of the cluster: the database, the registry."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about a monitor that can be turned."""

    cadence: Cadence = field(default_factory=Cadence)
    hysteresis: Hysteresis = field(default_factory=Hysteresis)
    limits: Limits = field(default_factory=Limits)
    thresholds: Thresholds = field(default_factory=Thresholds)
