"""The networks of pods and services: apart from each other and from everything that nodes must reach."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput

_DOCKER_BRIDGE: Final = IPv4Network("172.17.0.0/16")
_SPECIAL: Final = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3")))
"""This host, loopback, link-local, multicast and reserved."""
_LARGEST_SERVICE_PREFIX: Final = 12
"""kube-apiserver takes at most 20 bits of hosts (kubernetes v1.30 cmd/kube-apiserver/app/options/validation.go)."""
_SMALLEST_SERVICE_PREFIX: Final = 28
"""The cluster's DNS gets the tenth address of the service network."""
_NODE_PREFIX: Final = 24
"""Pod network of one node (kube-controller-manager's node-cidr-mask-size for IPv4)."""


def _networks(rule: RuleInput) -> tuple[tuple[str, IPv4Network], ...]:
    kubernetes = rule.spec.kubernetes
    return (("kubernetes.pod_cidr", kubernetes.pod_cidr), ("kubernetes.service_cidr", kubernetes.service_cidr))


def networks_apart(rule: RuleInput) -> Iterator[Finding]:
    """Pods and services share no address with each other, a node, or the gateways' network."""
    (_, pods), (service_path, services) = networks = _networks(rule)
    if pods.overlaps(services):
        yield rule.finding("RBD-CIDR-001", Severity.ERROR, service_path, str(services), other=str(pods))
    vip = rule.spec.gateway.vip
    for path, network in networks:
        if any(network.overlaps(special) for special in _SPECIAL):
            yield rule.finding("RBD-CIDR-009", Severity.ERROR, path, str(network))
        if vip is not None and network.overlaps(vip.network):
            yield rule.finding("RBD-CIDR-003", Severity.ERROR, path, str(network), other=str(vip.network))
        if network.overlaps(_DOCKER_BRIDGE):
            yield rule.finding("RBD-CIDR-005", Severity.INFO, path, str(network), other=str(_DOCKER_BRIDGE))
        inside = [node for node in rule.spec.nodes if node.cluster_address in network]
        if inside:
            yield rule.finding(
                "RBD-CIDR-002",
                Severity.ERROR,
                path,
                str(network),
                node=inside[0].name,
                address=str(inside[0].cluster_address),
                count=len(inside),
            )


def other_addresses(rule: RuleInput) -> Iterator[Finding]:
    """Neither do they hold the address of a balancer or of a host in between."""
    addresses: list[tuple[str, IPv4Address | None]] = [
        ("kubernetes.api.address", rule.spec.kubernetes.api.address),
        ("gateway.address", rule.spec.gateway.address),
    ]
    addresses += [(f"{path}.address", _numeric(bastion.address)) for path, bastion in rule.bastions()]
    for path, address in addresses:
        for network_path, network in _networks(rule):
            if address is not None and address in network:
                yield rule.finding(
                    "RBD-CIDR-004", Severity.ERROR, path, str(address), network=str(network), field=network_path
                )


def _numeric(address: str) -> IPv4Address | None:
    try:
        return IPv4Address(address)
    except ValueError:
        return None


def network_sizes(rule: RuleInput) -> Iterator[Finding]:
    """Both are as large as Kubernetes needs and not larger than it takes."""
    (pod_path, pods), (service_path, services) = _networks(rule)
    if services.prefixlen < _LARGEST_SERVICE_PREFIX:
        yield rule.finding("RBD-CIDR-006", Severity.ERROR, service_path, str(services), limit=_LARGEST_SERVICE_PREFIX)
    if services.prefixlen > _SMALLEST_SERVICE_PREFIX:
        yield rule.finding("RBD-CIDR-007", Severity.ERROR, service_path, str(services), limit=_SMALLEST_SERVICE_PREFIX)
    if "kube-controller-manager-arg" in rule.spec.kubernetes.settings:
        return
    room = 2 ** (_NODE_PREFIX - pods.prefixlen) if pods.prefixlen <= _NODE_PREFIX else 0
    if room < len(rule.spec.cluster_nodes):
        yield rule.finding(
            "RBD-CIDR-008", Severity.ERROR, pod_path, str(pods), room=room, nodes=len(rule.spec.cluster_nodes)
        )
