"""Which workloads a plan's Rainbond is made of: how many pods each is to have, on which nodes, and which stay away.

Sources: goodrain/rainbond-operator v5.17.2-release, v6.2.1-release, v6.9.8-release, controllers/handler;
goodrain/rainbond-chart, templates/rbdcomponent_helm.yaml. The status of the RbdComponents is no measure: it freezes
once a component was ready, and counts for the gateway what the chart says, not its nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.rainbond import provisioner
from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.values import effective, ready_replicas
from rbdtui.rainbond.workloads import OPERATOR
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.spec.rules.parts import chosen
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.words import Text

GATEWAY: Final = "rbd-gateway"


class WorkloadKind(StrEnum):
    """What Kubernetes calls it."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"


class Unused(StrEnum):
    """Why a component has no pods."""

    EXTERNAL_REGISTRY = "external-registry"
    EXTERNAL_MYSQL = "external-mysql"
    OTHER_ETCD = "other-etcd"
    OTHER_STORAGE = "other-storage"
    CLUSTER_HAS_ONE = "cluster-has-one"
    SWITCHED_OFF = "switched-off"

    @property
    def text(self) -> Text:
        """The same in words."""
        return Text(f"rainbond.unused.{self.value}")  # words: rainbond.unused.*


@dataclass(frozen=True, slots=True)
class Component:
    """A workload in Rainbond's namespace."""

    name: str
    kind: WorkloadKind
    replicas: int
    """Pods that must be ready; none where it is not used."""
    nodes: tuple[str, ...] = ()
    """One pod on each of these and on no other; empty where Kubernetes chooses."""
    unused: Unused | None = None


def components(spec: ClusterSpec, release: Release) -> tuple[Component, ...]:
    """All workloads of a plan, the operator first, those that are not used among them."""
    unused = dict(_unused(spec, release))
    of_release = _old(spec, release) if release.is_old else _new(spec, release)
    return tuple(
        Component(part.name, part.kind, 0, unused=unused[part.name]) if part.name in unused else part
        for part in (_one(OPERATOR), *of_release, *_storage(spec))
    )


def used_components(spec: ClusterSpec, release: Release) -> list[Component]:
    """Those that must have pods."""
    return [part for part in components(spec, release) if part.unused is None]


def _new(spec: ClusterSpec, release: Release) -> Iterator[Component]:
    several = ready_replicas(spec, release)
    yield _one("local-path-provisioner")
    yield _one("minio", WorkloadKind.STATEFUL_SET)
    yield _on(GATEWAY, WorkloadKind.DEPLOYMENT, spec, Role.GATEWAY)
    yield Component("rbd-hub", WorkloadKind.DEPLOYMENT, several)
    yield _one("rbd-mq")
    yield _one("rbd-db", WorkloadKind.STATEFUL_SET)
    yield _one("rbd-monitor", WorkloadKind.STATEFUL_SET)
    yield Component("rbd-worker", WorkloadKind.DEPLOYMENT, several)
    yield _on("rbd-chaos", WorkloadKind.DAEMON_SET, spec, Role.BUILD)
    yield Component("rbd-api", WorkloadKind.DEPLOYMENT, several)
    yield _one("rbd-app-ui")


def _old(spec: ClusterSpec, release: Release) -> Iterator[Component]:
    several = ready_replicas(spec, release)
    is_ha = bool(effective(spec, release, "Cluster", "enableHA"))
    yield _one("nfs-provisioner", WorkloadKind.STATEFUL_SET)
    yield Component("rbd-etcd", WorkloadKind.STATEFUL_SET, 3 if is_ha else 1)
    yield _on(GATEWAY, WorkloadKind.DAEMON_SET, spec, Role.GATEWAY)
    yield _on("rbd-node", WorkloadKind.DAEMON_SET, spec, *Role)
    yield _on("rbd-chaos", WorkloadKind.DAEMON_SET, spec, Role.BUILD)
    for name in ("rbd-hub", "rbd-mq", "rbd-webcli", "rbd-worker", "rbd-api"):
        yield Component(name, WorkloadKind.DEPLOYMENT, several)
    for name in ("metrics-server", "kubernetes-dashboard", "dashboard-metrics-scraper"):
        yield Component(name, WorkloadKind.DEPLOYMENT, several)
    yield _one("rbd-resource-proxy")
    for name in ("rbd-db", "rbd-eventlog", "rbd-monitor"):
        yield _one(name, WorkloadKind.STATEFUL_SET)
    yield _one("rbd-app-ui")


def _storage(spec: ClusterSpec) -> Iterator[Component]:
    """What this program itself puts beside Rainbond."""
    if provisioner.is_used(spec):
        yield _one(provisioner.NAME)


def _unused(spec: ClusterSpec, release: Release) -> Iterator[tuple[str, Unused]]:
    """Names of what the choices of a plan do without."""
    if spec.registry.mode is RegistryMode.EXTERNAL:
        yield "rbd-hub", Unused.EXTERNAL_REGISTRY
    if spec.mysql.is_outside:
        yield "rbd-db", Unused.EXTERNAL_MYSQL
    if effective(spec, release, "Component", "rbd_app_ui", "enable") is False:
        yield "rbd-app-ui", Unused.SWITCHED_OFF
    if not release.is_old:
        return
    if spec.etcd.mode is not EtcdMode.BUILTIN:
        yield "rbd-etcd", Unused.OTHER_ETCD
    if spec.storage.mode is not StorageMode.BUILTIN:
        yield "nfs-provisioner", Unused.OTHER_STORAGE
    if spec.is_existing or "rke2-metrics-server" not in chosen(spec.kubernetes.settings, "disable"):
        yield "metrics-server", Unused.CLUSTER_HAS_ONE


def _one(name: str, kind: WorkloadKind = WorkloadKind.DEPLOYMENT) -> Component:
    return Component(name, kind, 1)


def _on(name: str, kind: WorkloadKind, spec: ClusterSpec, *roles: Role) -> Component:
    nodes = tuple(node.name for node in spec.nodes_with(*roles))
    return Component(name, kind, len(nodes), nodes)
