"""How often, how long and how strictly is asked."""

from __future__ import annotations

from dataclasses import dataclass, field

from rbdtui.probes.hysteresis import Hysteresis
from rbdtui.probes.ways import Limits


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a value is worth a warning, and from when on it is bad."""

    disk_warn_percent: int = 75
    """Rainbond's documentation and issues report trouble from 80-85 %; kubelet clears images from 85 %."""
    disk_bad_percent: int = 85
    clock_warn_s: float = 0.5
    clock_bad_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Cadence:
    """Seconds from the beginning of one round of a question to the beginning of the next."""

    host_s: float = 15.0
    """Reachability by SSH, disk, clock."""
    vip_s: float = 5.0
    """Holder of the virtual address, keepalived."""
    api_s: float = 5.0
    etcd_s: float = 15.0
    cluster_s: float = 10.0
    """Nodes as Kubernetes sees them."""
    gateway_s: float = 5.0
    jitter: float = 0.2
    """Each pause is longer or shorter by up to this share, so that questions do not march in step."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything about a monitor that can be turned."""

    cadence: Cadence = field(default_factory=Cadence)
    hysteresis: Hysteresis = field(default_factory=Hysteresis)
    limits: Limits = field(default_factory=Limits)
    thresholds: Thresholds = field(default_factory=Thresholds)
