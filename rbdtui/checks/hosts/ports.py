"""The ports that a plan needs: what will listen on which node, and who must reach it from where.

Sources: rancher/rke2-docs, install/requirements (RKE2); goodrain/rainbond-operator, controllers/handler (gateway);
kubernetes.io, reference/networking/ports-and-protocols (kubelet, scheduler, controller manager).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.host_programs import HAPROXY
from rbdtui.profiles import Profile, Reach
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec import nfs_copy, nfs_ports
from rbdtui.spec.balanced import STATUS_PORT, forwarded_by_pair
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.spec.rke2_keys import words_of

CANAL: Final = "canal"
"""RKE2's network plug-in unless the spec's settings name another."""
NGINX, TRAEFIK = "rke2-ingress-nginx", "rke2-traefik"
"""RKE2's ingress until 1.35, and from 1.36 on (rancher/rke2 v1.36.3, pkg/bootstrap/bootstrap.go)."""


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
    PortNeed(10010, "containerd"),
)
_CONTROL_PLANE: Final = (
    PortNeed(6443, "kube-apiserver"),
    PortNeed(10257, "kube-controller-manager"),
    PortNeed(10258, "cloud-controller-manager"),
    PortNeed(10259, "kube-scheduler"),
)
_SERVER: Final = (PortNeed(9345, "RKE2 supervisor"),)
_ETCD: Final = (PortNeed(2379, "etcd"), PortNeed(2380, "etcd"), PortNeed(2381, "etcd"), PortNeed(2382, "etcd"))
_ETCD_AT_RESTARTS: Final = tuple(PortNeed(port, "etcd") for port in range(2399, 2403))
"""Of the temporary etcd that RKE2 until 1.32 starts at each restart of a server."""
_ETCD_PROXY: Final = (PortNeed(2379, "RKE2 etcd proxy"),)
"""On a server without etcd."""
_BALANCERS: Final = (PortNeed(6443, "RKE2 balancer"), PortNeed(6444, "RKE2 balancer"))
"""Where there is no API server: RKE2's own balancers for it and for 9345."""
_NETWORK: Final = {
    CANAL: (PortNeed(8472, "canal VXLAN", "udp"), PortNeed(9099, "canal")),
    "calico": (PortNeed(4789, "calico VXLAN", "udp"), PortNeed(5473, "calico"), PortNeed(9099, "calico")),
    "cilium": (PortNeed(8472, "cilium VXLAN", "udp"), PortNeed(4240, "cilium")),
    "flannel": (PortNeed(8472, "flannel VXLAN", "udp"),),
}


def _networks(spec: ClusterSpec) -> list[str]:
    return words_of(spec.kubernetes.settings.get("cni")) or [CANAL]


def uses_canal(spec: ClusterSpec) -> bool:
    """Whether the pods' network is RKE2's default, VXLAN by canal."""
    return CANAL in _networks(spec)


def vxlan_port(spec: ClusterSpec) -> int | None:
    """The UDP port by which the pods' network goes from node to node; None where it goes otherwise, or nobody knows."""
    ports = [need.port for network in _networks(spec) for need in _NETWORK.get(network, ()) if need.protocol == "udp"]
    return ports[0] if ports else None


def listening_needs(spec: ClusterSpec, node: Node, version: Rke2Version | None = None) -> tuple[PortNeed, ...]:
    """Everything that will listen on a node, by its roles and the version of RKE2 where it is known."""
    if node.is_balancer:
        return tuple(
            PortNeed(port, HAPROXY) for port in (*(each.port for each in forwarded_by_pair(spec)), STATUS_PORT)
        )
    if node.is_outside:
        return ()
    needs = list(_ALL)
    needs += _CONTROL_PLANE if Role.CONTROL_PLANE in node.roles else _BALANCERS
    if node.is_server:
        needs += _SERVER
    if Role.ETCD in node.roles:
        needs += _ETCD
        needs += () if version is not None and version.at_least(1, 33) else _ETCD_AT_RESTARTS
    elif node.is_server:
        needs += _ETCD_PROXY
    for network in _networks(spec):
        needs += _NETWORK.get(network, ())
    if spec.profile.has_gateway:
        needs += _gateway(spec.profile) if Role.GATEWAY in node.roles else ()
    elif ingress := _ingress(spec, version):
        needs += (PortNeed(80, ingress, essential=False), PortNeed(443, ingress, essential=False))
    return tuple(needs)


def _gateway(profile: Profile) -> Iterator[PortNeed]:
    for port in profile.gateway_ports:
        yield PortNeed(port.number, profile.gateway_program, essential=port.essential)


def _ingress(spec: ClusterSpec, version: Rke2Version | None) -> str:
    """The ingress that RKE2 brings; '' when the settings turn it off."""
    default = TRAEFIK if version is not None and version.at_least(1, 36) else NGINX
    chosen = words_of(spec.kubernetes.settings.get("ingress-controller"))
    name = f"rke2-{chosen[0]}" if chosen else default
    off = name == "rke2-none" or name in words_of(spec.kubernetes.settings.get("disable"))
    return "" if off else name


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
    if Role.GATEWAY in target.roles:
        yield from spec.profile.ports(Reach.USERS)
    if target is spec.nfs_node and not source.is_outside:
        yield from nfs_ports.ALL
    if target is spec.nfs_copy_node and source is spec.nfs_node:
        yield nfs_copy.PORT
    if target in (spec.mysql_pair or ()) and (not source.is_outside or source in (spec.mysql_pair or ())):
        yield spec.mysql.port
    if target.is_balancer:
        yield from (each.port for each in forwarded_by_pair(spec))


def _pairs(spec: ClusterSpec, budget: int) -> Iterator[Way]:
    names = [node.name for node in spec.cluster_nodes]
    if not names:
        return
    count = len(names)
    reach = min(count - 1, max(1, budget // count))
    for index, source in enumerate(names):
        for step in range(1, reach + 1):
            yield Way(source, names[(index + step) % count], 10250)
