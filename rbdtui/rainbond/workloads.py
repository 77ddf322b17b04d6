"""Whether Rainbond's components stand, told from the workloads themselves: their desired, updated and available counts.

Never from RbdComponent: its status is a snapshot that nobody renews once it was good, its replicas of the gateway are
not the number of gateways, and pods of a Job count as pods of the registry (goodrain/rainbond-operator@v6.2.1-release,
controllers/rbdcomponent_controller.go, component-mgr/component.go, handler/hub.go).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, Protocol

Json = Mapping[str, Any]
"""An object of the API, whose shape nobody has checked."""

NAMESPACE: Final = "rbd-system"
OPERATOR: Final = "rainbond-operator"
_RAINBOND: Final = f"/apis/rainbond.io/v1alpha1/namespaces/{NAMESPACE}"
CLUSTER_PATH: Final = f"{_RAINBOND}/rainbondclusters/rainbondcluster"


def workload_lists(namespace: str) -> dict[str, str]:
    """Where all is listed that workloads of a namespace are judged by, by kind."""
    apps, core = f"/apis/apps/v1/namespaces/{namespace}", f"/api/v1/namespaces/{namespace}"
    return {
        "Deployment": f"{apps}/deployments",
        "StatefulSet": f"{apps}/statefulsets",
        "DaemonSet": f"{apps}/daemonsets",
        "Pod": f"{core}/pods",
        "Event": f"{core}/events",
        "PersistentVolumeClaim": f"{core}/persistentvolumeclaims",
        "Node": "/api/v1/nodes",
    }


LISTS: Final[Mapping[str, str]] = {
    **workload_lists(NAMESPACE),
    "RbdComponent": f"{_RAINBOND}/rbdcomponents",
    "RainbondPackage": f"{_RAINBOND}/rainbondpackages",
}
"""What is listed for one look at Rainbond, by kind; without Rainbond's CRDs there is no list of RbdComponents, and
only 5.17 has packages."""
CONTROLLERS: Final = ("Deployment", "StatefulSet", "DaemonSet")


class Expected(Protocol):
    """What must be known of a component to judge it; see `rbdtui.rainbond.components`."""

    @property
    def name(self) -> str:
        """Of the workload."""
        ...

    @property
    def kind(self) -> str:
        """``Deployment``, ``StatefulSet`` or ``DaemonSet``."""
        ...

    @property
    def replicas(self) -> int:
        """How many pods there must be."""
        ...

    @property
    def nodes(self) -> Sequence[str]:
        """The nodes with exactly one pod each; empty where any node will do."""
        ...


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the namespace: the items of `LISTS` by kind."""

    items: Mapping[str, Sequence[Json]] = field(default_factory=dict)

    def of(self, kind: str) -> Sequence[Json]:
        """All objects of a kind."""
        return self.items.get(kind, ())

    def find(self, kind: str, name: str) -> Json | None:
        """An object by name."""
        return next((item for item in self.of(kind) if name_of(item) == name), None)

    def pods_of(self, kind: str, name: str) -> list[Json]:
        """The pods of a workload by their owner: labels are not enough, a Job carries those of the registry."""
        return [pod for pod in self.of("Pod") if _belongs(pod, kind, name)]


class Standing(StrEnum):
    """How a component stands."""

    ABSENT = "absent"
    """There is no such workload yet."""
    STALE = "stale"
    """Its controller has not looked at its newest form."""
    DIFFERENT = "different"
    """It wants another number of pods than is planned."""
    UPDATING = "updating"
    """Pods of its older form are still there, or new ones are not yet."""
    UNREADY = "unready"
    """Not enough pods are ready."""
    ELSEWHERE = "elsewhere"
    """The pods are ready, but not one on each planned node."""
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A component as it is."""

    name: str
    kind: str
    standing: Standing
    wanted: int
    """Pods as planned."""
    ready: int = 0
    """Pods in the newest form that are ready."""
    nodes: tuple[str, ...] = ()
    """Where ready pods are, one entry per pod, sorted."""
    planned: tuple[str, ...] = ()
    """Where they must be; empty where it does not matter."""

    @property
    def is_ready(self) -> bool:
        """Whether nothing is missing."""
        return self.standing is Standing.READY

    @property
    def evidence(self) -> str:
        """One line, raw."""
        where = f" on {', '.join(self.nodes) or '-'}, planned {', '.join(self.planned)}" if self.planned else ""
        return f"{self.kind.lower()}/{self.name}: {self.standing.value}, {self.ready} of {self.wanted} ready{where}"


def judge(expected: Expected, seen: Seen) -> Judgement:
    """How one component stands."""
    planned = tuple(sorted(expected.nodes))
    workload = seen.find(expected.kind, expected.name)
    if workload is None:
        return Judgement(expected.name, expected.kind, Standing.ABSENT, expected.replicas, planned=planned)
    counts = _counts(expected.kind, workload)
    nodes = tuple(sorted(_ready_nodes(seen.pods_of(expected.kind, expected.name))))
    standing = _standing(expected, workload, counts, nodes)
    ready = min(counts.updated, counts.available)
    return Judgement(expected.name, expected.kind, standing, expected.replicas, ready, nodes, planned)


def judge_all(expected: Iterable[Expected], seen: Seen) -> list[Judgement]:
    """How all components stand, in their order."""
    return [judge(each, seen) for each in expected]


@dataclass(frozen=True, slots=True)
class _Counts:
    desired: int
    there: int
    updated: int
    available: int


def _counts(kind: str, workload: Json) -> _Counts:
    status = workload.get("status") or {}
    if kind == "DaemonSet":
        return _Counts(
            desired=number(status.get("desiredNumberScheduled")),
            there=number(status.get("currentNumberScheduled")),
            updated=number(status.get("updatedNumberScheduled")),
            available=number(status.get("numberAvailable")),
        )
    spec = workload.get("spec") or {}
    available = status.get("availableReplicas")
    if available is None:
        available = status.get("readyReplicas")
    return _Counts(
        desired=number(spec.get("replicas", 1)),
        there=number(status.get("replicas")),
        updated=number(status.get("updatedReplicas")),
        available=number(available),
    )


def _standing(expected: Expected, workload: Json, counts: _Counts, nodes: Sequence[str]) -> Standing:
    generation = number((workload.get("metadata") or {}).get("generation"))
    if number((workload.get("status") or {}).get("observedGeneration")) < generation:
        return Standing.STALE
    if counts.desired != expected.replicas:
        return Standing.DIFFERENT
    if counts.updated < counts.desired or counts.there > counts.updated:
        return Standing.UPDATING
    if counts.available < counts.desired:
        return Standing.UNREADY
    if expected.nodes and Counter(nodes) != Counter(expected.nodes):
        return Standing.ELSEWHERE
    return Standing.READY


def _ready_nodes(pods: Iterable[Json]) -> list[str]:
    return [str((pod.get("spec") or {}).get("nodeName", "")) for pod in pods if is_ready(pod) and not is_leaving(pod)]


def is_ready(item: Json) -> bool:
    """Whether the Ready condition of a pod or a node holds."""
    return any(
        condition.get("type") == "Ready" and condition.get("status") == "True" for condition in conditions_of(item)
    )


def is_leaving(pod: Json) -> bool:
    """Whether a pod is being taken away."""
    return bool((pod.get("metadata") or {}).get("deletionTimestamp"))


def conditions_of(item: Json) -> Sequence[Json]:
    """The conditions in an object's status."""
    return entries((item.get("status") or {}).get("conditions"))


def entries(value: object) -> Sequence[Json]:
    """The objects in a list; nothing for what is no list of objects."""
    return [entry for entry in value if isinstance(entry, Mapping)] if isinstance(value, list) else []


def name_of(item: Json) -> str:
    """The name of an object."""
    return str((item.get("metadata") or {}).get("name", ""))


def number(value: object) -> int:
    """A count, 0 for what is none."""
    return value if isinstance(value, int) else 0


def _belongs(pod: Json, kind: str, name: str) -> bool:
    for owner in entries((pod.get("metadata") or {}).get("ownerReferences")):
        own = str(owner.get("name", ""))
        if owner.get("kind") == kind and own == name:
            return True
        # A Deployment's pods belong to its ReplicaSets, whose last part of the name is a hash without a hyphen.
        if kind == "Deployment" and owner.get("kind") == "ReplicaSet" and own.rpartition("-")[0] == name:
            return True
    return False
