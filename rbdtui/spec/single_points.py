"""What exists only once in a plan: what is highly available here, what is not, and which choice changes that.

Sources: goodrain/rainbond-operator@v6.2.1-release and @v5.17.2-release, controllers/handler (replicas and volumes of
each component); the class of the volumes is a choice from 6.4 on (commit 8e6f2278);
kubesphere/kubesphere@v4.1.3, config/ks-core/templates.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.rainbond_version import CLASS_HONOURED_SINCE, RainbondVersion
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Role
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.mysql import MysqlMode
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.words import Text

_MIN_SERVERS: Final = 3


class Loss(StrEnum):
    """What happens when the one that there is fails."""

    STOPS = "stops"
    """It is away until its node, or the service outside, is back."""
    MOVES = "moves"
    """It starts again on another node, after minutes: until Kubernetes has given the node up."""
    OUTSIDE = "outside"
    """It is as available as whoever runs it makes it."""


@dataclass(frozen=True, slots=True)
class SinglePoint:
    """Something that exists once."""

    part: str
    """Its name: ``single_point.<part>`` says what it is and what stands still without it."""
    loss: Loss
    choice: str = ""
    """The field of cluster.yaml whose other choice removes it; empty when none does."""
    at: str = ""
    """The node or the address where it is, where the plan says so."""

    @property
    def text(self) -> Text:
        """What it is and what stands still without it."""
        return Text(f"single_point.{self.part}", {"at": self.at})  # words: single_point.*


def single_points(spec: ClusterSpec) -> list[SinglePoint]:
    """All of a plan, those that stop for longest first."""
    found = [*_of_kubernetes(spec), *_of_gateway(spec)]
    if "mysql" in spec.profile.sections:
        found += [*_of_services(spec), *_of_components(spec)]
    if spec.installs_kubesphere:
        found += _of_kubesphere(spec)
    return sorted(found, key=lambda point: tuple(Loss).index(point.loss))


def bound_to_a_node(spec: ClusterSpec) -> list[str]:
    """Components that stop with the node that happens to have their data, until it is back."""
    known = _of_components(spec) if "mysql" in spec.profile.sections else ()
    return [point.part for point in known if point.loss is Loss.STOPS]


def _of_kubernetes(spec: ClusterSpec) -> Iterator[SinglePoint]:
    api_servers = spec.nodes_with(Role.CONTROL_PLANE)
    members = spec.nodes_with(Role.ETCD)
    if len(api_servers) < _MIN_SERVERS - 1 or spec.kubernetes.api.mode is ApiMode.FIRST_SERVER:
        choice = "nodes" if len(api_servers) < _MIN_SERVERS - 1 else "kubernetes.api.mode"
        yield SinglePoint("api", Loss.STOPS, choice, str(spec.api_address))
    elif spec.kubernetes.api.mode is ApiMode.EXTERNAL:
        yield SinglePoint("balancer", Loss.OUTSIDE, "kubernetes.api.mode", str(spec.api_address))
    if len(members) < _MIN_SERVERS:
        yield SinglePoint("kubernetes-etcd", Loss.STOPS, "nodes", ", ".join(node.name for node in members))


def _of_gateway(spec: ClusterSpec) -> Iterator[SinglePoint]:
    gateways = spec.gateways
    if spec.has_balancers and len(spec.balancers) == 1:
        yield SinglePoint("balancer-server", Loss.STOPS, "nodes", spec.balancers[0].name)
    if spec.gateway.mode is GatewayMode.EXTERNAL and spec.gateway.address is not None:
        if not (spec.kubernetes.api.mode is ApiMode.EXTERNAL and spec.gateway.address == spec.api_address):
            yield SinglePoint("balancer", Loss.OUTSIDE, "gateway.mode", str(spec.gateway.address))
    elif spec.profile.has_gateway and (spec.gateway.mode is GatewayMode.NONE or len(gateways) == 1):
        choice = "gateway.mode" if spec.gateway.mode is GatewayMode.NONE else "nodes"
        yield SinglePoint("gateway", Loss.STOPS, choice, gateways[0].name if gateways else "")


def _of_services(spec: ClusterSpec) -> Iterator[SinglePoint]:
    if spec.mysql.mode is MysqlMode.EXTERNAL:
        yield SinglePoint("mysql", Loss.OUTSIDE, at=spec.mysql.host or "")
    elif spec.mysql.mode is MysqlMode.PAIR:
        yield SinglePoint("mysql-source", Loss.STOPS, at=spec.mysql.source or "")
    if spec.registry.mode is RegistryMode.EXTERNAL:
        yield SinglePoint("registry", Loss.OUTSIDE, at=spec.registry.domain or "")
    elif spec.profile.has_builds:
        # The operator leads the name to its first gateway, whatever address stands in front of the gateways.
        first = spec.gateways[0].name if spec.gateways else ""
        yield SinglePoint("registry-name", Loss.STOPS, "registry.mode", first)
    if spec.storage.mode is StorageMode.NFS:
        yield SinglePoint("nfs", Loss.OUTSIDE, at=spec.storage.server or "")
    elif spec.storage.mode is StorageMode.NFS_SERVER:
        part = "nfs-server" if spec.nfs_copy_node is None else "nfs-server-copied"
        yield SinglePoint(part, Loss.STOPS, "storage.mode", spec.storage.node or "")
    if "etcd" in spec.profile.sections and spec.etcd.mode is EtcdMode.EXTERNAL:
        yield SinglePoint("etcd", Loss.OUTSIDE, at=", ".join(spec.etcd.endpoints))


def _of_components(spec: ClusterSpec) -> Iterator[SinglePoint]:
    old = "etcd" in spec.profile.sections
    movable = spec.storage.mode is not StorageMode.BUILTIN and (old or _class_counts(spec))
    with_data, choice = (Loss.MOVES, "") if movable else (Loss.STOPS, "storage.mode")
    if spec.mysql.mode is MysqlMode.BUILTIN:
        yield SinglePoint("rbd-db", with_data, "mysql.mode")
    if spec.registry.mode is RegistryMode.BUILTIN:
        yield SinglePoint("rbd-hub", with_data, "registry.mode")
    if old and spec.etcd.mode is EtcdMode.BUILTIN:
        yield SinglePoint("rbd-etcd", with_data, "etcd.mode")
    if old and spec.storage.mode is StorageMode.BUILTIN:
        yield SinglePoint("nfs-provisioner", Loss.STOPS, "storage.mode")
    for part in ("rbd-monitor", "rbd-eventlog", "rbd-app-ui") if old else ("rbd-app-ui", "minio", "rbd-monitor"):
        yield SinglePoint(part, with_data, choice)
    for part in () if old else ("rbd-mq", "local-path-provisioner"):
        yield SinglePoint(part, Loss.MOVES)
    if spec.storage.is_on_nfs:
        yield SinglePoint("nfs-client-provisioner", Loss.MOVES)
    yield SinglePoint("rainbond-operator", Loss.MOVES)


def _of_kubesphere(spec: ClusterSpec) -> Iterator[SinglePoint]:
    """With three servers each part runs three times; the museum of extensions never does."""
    if len(spec.nodes_with(Role.CONTROL_PLANE)) < _MIN_SERVERS:
        yield SinglePoint("ks-parts", Loss.MOVES, "nodes")
    yield SinglePoint("ks-museum", Loss.MOVES)


def _class_counts(spec: ClusterSpec) -> bool:
    """Whether this Rainbond puts its own volumes into the class that was chosen; an unknown version may not."""
    version = RainbondVersion.parse(spec.rainbond.version or "")
    return version is not None and version >= CLASS_HONOURED_SINCE
