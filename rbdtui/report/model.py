"""All that a report says, as one value: the writers only choose how it looks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rbdtui.findings import Finding
from rbdtui.probes.model import HealthSnapshot
from rbdtui.roles import Role
from rbdtui.spec.single_points import SinglePoint
from rbdtui.words import Text
from rbdtui.workbench.run.run_phase import RunPhase
from rbdtui.workbench.run.timeline import TimelineEntry


@dataclass(frozen=True, slots=True)
class Row:
    """A thing by its name and what is known of it."""

    label: Text
    value: Text | str


@dataclass(frozen=True, slots=True)
class ShippedFile:
    """A file of the bundle that went to nodes."""

    name: str
    sha256: str
    size_bytes: int
    """0 where nobody knows."""
    version: str
    """Of what is in it; empty where the file does not say."""
    nodes: tuple[str, ...]
    """Where the journals say that it was sent to, in the order of the plan; empty when it was there already."""


@dataclass(frozen=True, slots=True)
class NodeLine:
    """A server, as planned and as it was when it was last asked."""

    name: str
    address: str
    roles: tuple[Role, ...]
    system: str
    """Operating system and kernel; empty for a server that was never asked."""
    cpu_count: int
    memory_bytes: int
    disk_bytes: int
    """Of the file system under Kubernetes' data."""
    asked_at: float
    """Unix time of these facts; 0.0 when there are none."""


class BoxKind(StrEnum):
    """What stands outside of the nodes."""

    VIP = "vip"
    BALANCER = "balancer"
    DATABASE = "mysql"
    REGISTRY = "registry"
    STORAGE = "nfs"
    ETCD = "etcd"


@dataclass(frozen=True, slots=True)
class Box:
    """Something beside the nodes that they are reached by or use."""

    kind: BoxKind
    at: str
    """Its address."""


@dataclass(frozen=True, slots=True)
class Topology:
    """What the drawing shows."""

    entry: Box | None
    """What users connect to in front of the gateways; None where there is nothing in front."""
    api: Box | None
    """What the nodes reach the Kubernetes API by, where it is another one."""
    nodes: tuple[NodeLine, ...]
    outside: tuple[Box, ...]


class Ending(StrEnum):
    """How an attempt at a step ended."""

    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    FAILED = "failed"
    OPEN = "open"
    """It did not: the runner was gone, or the run is not over."""


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt at a step."""

    step: str
    """Its name without the node."""
    title: Text
    start: float
    """Unix time."""
    end: float
    ending: Ending
    waits: bool
    """Whether it is a gate, which only waits."""


@dataclass(frozen=True, slots=True)
class Lane:
    """What was done on one node, in the order of time."""

    node: str
    """Empty for this machine."""
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class RunPart:
    """One run."""

    run_id: str
    phase: RunPhase
    by: str
    """User and machine of the runner."""
    version: str
    """Of the rbdtui that planned it."""
    began_at: float
    ended_at: float
    changed: int
    steps: int
    active_s: float
    """Time with a runner at work."""
    sessions: tuple[tuple[float, float], ...]
    """When a runner was at work, as Unix times."""
    lanes: tuple[Lane, ...]
    incidents: tuple[TimelineEntry, ...]
    """Failures, retries, silences, answers, stops, in the order of time."""


@dataclass(frozen=True, slots=True)
class DrillLine:
    """One trial of the failover drill."""

    title: Text
    passed: bool
    result: Text
    gap_s: float | None
    """Longest time without an answer; None where nothing was measured."""
    at: float


@dataclass(frozen=True, slots=True)
class Report:
    """Everything."""

    site: str
    profile: str
    version: str
    """Of the rbdtui that writes the report."""
    made_at: float
    """Unix time."""
    simulated: bool
    problem: Text | None
    """Why cluster.yaml cannot be read; None when it can."""
    installed: tuple[Row, ...]
    files: tuple[ShippedFile, ...]
    images: Mapping[str, str]
    """Digest by image, of what runs in the cluster; empty when nobody was asked."""
    topology: Topology | None
    nodes: tuple[NodeLine, ...]
    findings: tuple[Finding, ...]
    """Those that are not acknowledged, worst first; notes are left out."""
    acknowledged: tuple[Finding, ...]
    unseen_acknowledged: tuple[tuple[str, str, str], ...]
    """Code, node and reason of what cluster.yaml acknowledges and nobody has found this time."""
    findings_from: Text
    """How fresh the findings are."""
    single_points: tuple[SinglePoint, ...]
    runs: tuple[RunPart, ...]
    """The newest first."""
    unreadable_runs: tuple[tuple[str, Text], ...]
    """Name, and why its journal cannot be read."""
    health: HealthSnapshot | None
    no_health: Text | None
    """Why health is not told."""
    drills: tuple[DrillLine, ...]
    next_steps: tuple[Row, ...]

    @property
    def main_run(self) -> RunPart | None:
        """The newest run that changed something, else the newest."""
        return next((run for run in self.runs if run.changed), self.runs[0] if self.runs else None)
