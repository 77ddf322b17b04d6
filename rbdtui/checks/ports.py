"""The ports that a plan needs: what will listen on which node, and who must reach it from where.

Sources: rancher/rke2-docs, install/requirements (RKE2); goodrain/rainbond-operator, controllers/handler (gateway);
kubernetes.io, reference/networking/ports-and-protocols (kubelet, scheduler, controller manager).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.spec.model import ClusterSpec, Node, Profile, Role

CANAL: Final = "canal"
"""RKE2's network plug-in unless the spec's settings name another."""
INGRESS: Final = "rke2-ingress-nginx"

RAINBOND_GATEWAY_PORTS: Final = (80, 443, 6060, 7070, 8443)
"""What users of Rainbond reach."""


@dataclass(frozen=True, slots=True)
class PortNeed:
    """A port that something of ours will listen on."""

    port: int
    purpose: str
    """Who will listen: names of programs, the same in every language."""
    protocol: str = "tcp"
    essential: bool = True
    """Whether the installation fails when the port is taken."""


@dataclass(frozen=True, slots=True)
class Way:
    """A TCP connection that must be possible between two nodes."""

    source: str
    target: str
    port: int


_ALL: Final = (
    PortNeed(10250, "kubelet"),
    PortNeed(10248, "kubelet"),
    PortNeed(10249, "kube-proxy"),
    PortNeed(10256, "kube-proxy"),
)
_CONTROL_PLANE: Final = (
    PortNeed(6443, "kube-apiserver"),
    PortNeed(10257, "kube-controller-manager"),
    PortNeed(10259, "kube-scheduler"),
)
_SERVER: Final = (PortNeed(9345, "RKE2 supervisor"),)
_ETCD: Final = (PortNeed(2379, "etcd"), PortNeed(2380, "etcd"), PortNeed(2381, "etcd"))
_CANAL: Final = (PortNeed(8472, "canal VXLAN", "udp"), PortNeed(9099, "canal"))
_GATEWAY: Final = (
    *(PortNeed(port, "rbd-gateway") for port in RAINBOND_GATEWAY_PORTS),
    PortNeed(7080, "rbd-gateway"),
    PortNeed(8099, "rbd-gateway"),
    PortNeed(8889, "rbd-gateway"),
    PortNeed(9180, "rbd-gateway"),
    PortNeed(12379, "rbd-gateway"),
    PortNeed(9009, "rbd-gateway", essential=False),
)
_INGRESS: Final = (PortNeed(80, INGRESS, essential=False), PortNeed(443, INGRESS, essential=False))


def uses_canal(spec: ClusterSpec) -> bool:
    """Whether the pods' network is RKE2's default, VXLAN by canal."""
    return spec.kubernetes.settings.get("cni", CANAL) in (CANAL, [CANAL])


def listening_needs(spec: ClusterSpec, node: Node) -> tuple[PortNeed, ...]:
    """Everything that will listen on a node, by its roles."""
    needs = list(_ALL)
    if Role.CONTROL_PLANE in node.roles:
        needs += _CONTROL_PLANE
    if node.is_server:
        needs += _SERVER
    if Role.ETCD in node.roles:
        needs += _ETCD
    if uses_canal(spec):
        needs += _CANAL
    if spec.profile is Profile.RAINBOND_6:
        needs += _GATEWAY if Role.GATEWAY in node.roles else ()
    elif not _ingress_is_off(spec):
        needs += _INGRESS
    return tuple(needs)


def _ingress_is_off(spec: ClusterSpec) -> bool:
    disabled = spec.kubernetes.settings.get("disable", [])
    return INGRESS in (disabled if isinstance(disabled, list) else str(disabled).split(","))


def ways(spec: ClusterSpec, *, pair_budget: int = 2500) -> tuple[Way, ...]:
    """The connections to try: all to servers and gateways, and kubelet's port between the nodes.

    Of the pairs of nodes at most ``pair_budget`` are tried: each node then tries those that follow it in the file, so
    that every node is a source and a target as often as any other.
    """
    found: dict[Way, None] = {}
    for source in spec.nodes:
        for target in spec.nodes:
            if source.name != target.name:
                found |= dict.fromkeys(
                    Way(source.name, target.name, port) for port in _role_ports(spec, source, target)
                )
    found |= dict.fromkeys(_pairs(spec, pair_budget))
    return tuple(found)


def _role_ports(spec: ClusterSpec, source: Node, target: Node) -> Iterator[int]:
    if Role.CONTROL_PLANE in target.roles:
        yield 6443
    if target.is_server:
        yield 9345
    if Role.ETCD in target.roles and source.is_server:
        yield from (2379, 2380)
    if spec.profile is Profile.RAINBOND_6 and Role.GATEWAY in target.roles:
        yield from RAINBOND_GATEWAY_PORTS


def _pairs(spec: ClusterSpec, budget: int) -> Iterator[Way]:
    names = [node.name for node in spec.nodes]
    count = len(names)
    reach = min(count - 1, max(1, budget // count))
    for index, source in enumerate(names):
        for step in range(1, reach + 1):
            yield Way(source, names[(index + step) % count], 10250)
