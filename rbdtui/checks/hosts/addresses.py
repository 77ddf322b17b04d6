"""Checks on addresses and routes: the node's own, the VIP's, those of pods and services, MTU, the resolver."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_address
from typing import Final

from rbdtui.checks.view import ClusterView, NodeView
from rbdtui.findings import Finding, Severity

_DEFAULT: Final = IPv4Network("0.0.0.0/0")
POD_INTERFACES: Final = ("cali", "cni", "flannel", "kube-", "nodelocaldns", "tunl", "vxlan", "wg-", "wireguard.")
"""How the interfaces start that a cluster's own network makes."""


def own_address(view: NodeView) -> Iterator[Finding]:
    """The address of the plan is really an interface's, as RKE2 will be told to use it."""
    facts = view.facts
    if facts.interfaces and facts.interface_of(view.node.cluster_address) is None:
        held = ", ".join(f"{own} ({i.name})" for i in facts.interfaces for own in i.addresses if not own.ip.is_loopback)
        field = f"nodes[{view.spec.nodes.index(view.node)}].{view.node.cluster_field}"
        yield view.finding(
            "RBD-NET-101", Severity.ERROR, field=field, address=str(view.node.cluster_address), held=held, evidence=held
        )


def lent_address(view: NodeView) -> Iterator[Finding]:
    """The node's address is its own: etcd, certificates and the plan name it, and a lease may end."""
    interface = view.facts.interface_of(view.node.cluster_address)
    if interface is not None and view.node.cluster_address in interface.leased:
        field = f"nodes[{view.spec.nodes.index(view.node)}].{view.node.cluster_field}"
        yield view.finding("RBD-NET-113", Severity.WARNING, field=field, address=str(view.node.cluster_address))


def default_route(view: NodeView) -> Iterator[Finding]:
    """There is a default route: RKE2 does not start without."""
    if "routes" not in view.facts.failed and not any(route.destination == _DEFAULT for route in view.facts.routes):
        yield view.finding("RBD-NET-102", Severity.ERROR)


def cluster_networks(view: NodeView) -> Iterator[Finding]:
    """The networks of pods and services are nobody else's on this host."""
    ranges = (("pod_cidr", view.spec.kubernetes.pod_cidr), ("service_cidr", view.spec.kubernetes.service_cidr))
    for key, cidr in ranges:
        for network, interface, connected in _networks(view):
            if not network.overlaps(cidr) or (view.ours and interface.startswith(POD_INTERFACES)):
                continue
            code, severity = ("RBD-NET-104", Severity.ERROR) if connected else ("RBD-NET-105", Severity.WARNING)
            yield view.finding(
                code, severity, field=f"kubernetes.{key}", cidr=str(cidr), network=str(network), interface=interface
            )


def _networks(view: NodeView) -> list[tuple[IPv4Network, str, bool]]:
    """What the host knows as networks: interface and whether it is connected to it; each network once."""
    found: dict[IPv4Network, tuple[str, bool]] = {}
    for interface in view.facts.interfaces:
        for own in interface.addresses:
            found.setdefault(own.network, (interface.name, True))
    for route in view.facts.routes:
        if route.destination != _DEFAULT:
            found.setdefault(route.destination, (route.interface, route.gateway is None))
    return [(network, interface, connected) for network, (interface, connected) in found.items()]


def resolver(view: NodeView) -> Iterator[Finding]:
    """kubelet finds a resolver that pods can use.

    RKE2 takes systemd-resolved's own list where ``/etc/resolv.conf`` names a loopback address, and a public server
    where that list does not help either (k3s-io/k3s, pkg/agent/config/config.go).
    """
    facts = view.facts
    if "nameservers" in facts.failed or "resolv-conf" in view.spec.kubernetes.settings:
        return
    if facts.nameservers is None:
        yield view.finding("RBD-DNS-101", Severity.WARNING)
    elif not facts.nameservers:
        yield view.finding("RBD-DNS-103", Severity.INFO)
    elif (unusable := _unusable(facts.nameservers)) and (
        not facts.upstream_nameservers or _unusable(facts.upstream_nameservers)
    ):
        shown = ", ".join(unusable)
        yield view.finding("RBD-DNS-102", Severity.WARNING, servers=shown, evidence=shown)


def _unusable(servers: tuple[str, ...]) -> list[str]:
    return [server for server in servers if not _is_usable(server)]


def _is_usable(server: str) -> bool:
    try:
        address = ip_address(server.partition("%")[0])
    except ValueError:
        return False
    return not (address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified)


def vip_interface(view: NodeView) -> Iterator[Finding]:
    """The VIP has an interface on this gateway, and belongs to its network."""
    vip = view.spec.gateway.vip
    if not view.carries_vip or vip is None or not view.facts.interfaces:
        return
    interface = view.vip_interface
    if interface is None:
        if view.spec.gateway.interface != "auto":
            known = ", ".join(each.name for each in view.facts.interfaces)
            yield view.finding(
                "RBD-VIP-101", Severity.ERROR, field="gateway.interface",
                interface=view.spec.gateway.interface, known=known, evidence=known,
            )  # fmt: skip
        return
    networks = [own.network for own in interface.addresses if own.ip != vip.ip]
    holding = [network for network in networks if vip.ip in network]
    shown = ", ".join(str(network) for network in networks)
    common = {"vip": str(vip), "interface": interface.name, "networks": shown}
    if not holding:
        yield view.finding("RBD-VIP-102", Severity.ERROR, field="gateway.vip", evidence=shown, **common)
    elif all(network.prefixlen != vip.network.prefixlen for network in holding):
        yield view.finding("RBD-VIP-103", Severity.WARNING, field="gateway.vip", evidence=shown, **common)


def vip_on_host(view: NodeView) -> Iterator[Finding]:
    """The VIP is not an address of this host already, unless our own keepalived put it there."""
    vip = view.spec.gateway.vip
    if not view.spec.has_vip or vip is None or view.ours:
        return
    interface = view.facts.interface_of(vip.ip)
    if interface is not None:
        yield view.finding(
            "RBD-VIP-104", Severity.ERROR, field="gateway.vip", vip=str(vip.ip), interface=interface.name
        )


def vip_held_once(view: ClusterView) -> Iterator[Finding]:
    """After an earlier run of ours, no two hosts hold the VIP at the same time."""
    vip = view.spec.gateway.vip
    if not view.spec.has_vip or vip is None:
        return
    holders = [node.name for node, facts in view.answered() if facts.interface_of(vip.ip) is not None]
    if len(holders) > 1:
        yield view.finding(
            "RBD-VIP-108", Severity.WARNING, field="gateway.vip", vip=str(vip.ip), nodes=", ".join(holders)
        )


def equal_mtu(view: ClusterView) -> Iterator[Finding]:
    """All nodes send packets of the same size; where they differ, big ones between some pods get lost."""
    sizes: dict[int, list[str]] = {}
    for node, facts in view.answered():
        interface = facts.interface_of(node.cluster_address) if not node.is_outside else None
        if interface is not None:
            sizes.setdefault(interface.mtu, []).append(node.name)
    if len(sizes) > 1:
        shown = "; ".join(f"{mtu}: {', '.join(names)}" for mtu, names in sorted(sizes.items()))
        yield view.finding("RBD-NET-103", Severity.WARNING, sizes=shown, evidence=shown)
