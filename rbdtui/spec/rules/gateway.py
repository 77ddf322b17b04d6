"""The gateway address: who keeps it, and that nobody else has it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import GatewayMode, Role
from rbdtui.spec.rules.base import RuleInput, is_usable

_SMALLEST_PREFIX_LENGTH: Final = 30
"""Longer prefixes leave no room for a VIP beside two gateways."""


def gateway_mode(rule: RuleInput) -> Iterator[Finding]:
    """What the mode needs is there, what it does not use is not."""
    gateway = rule.spec.gateway
    written, used = gateway.model_fields_set - {"mode"}, gateway.MODES[gateway.mode]
    for key in sorted(key for key in written if key not in used):
        yield rule.finding(
            "RBD-GATEWAY-005", Severity.ERROR, (path := f"gateway.{key}"), field=path, mode=gateway.mode.value
        )
    if gateway.mode in (GatewayMode.KEEPALIVED, GatewayMode.HAPROXY):
        if gateway.vip is None:
            yield rule.finding("RBD-GATEWAY-003", Severity.ERROR, "gateway.vip")
        if gateway.virtual_router_id is None:
            yield rule.finding("RBD-GATEWAY-004", Severity.ERROR, "gateway.virtual_router_id")
        if not gateway.unicast:
            yield rule.finding("RBD-GATEWAY-007", Severity.INFO, "gateway.unicast")
    elif gateway.mode is GatewayMode.EXTERNAL:
        if gateway.address is None:
            yield rule.finding("RBD-GATEWAY-006", Severity.ERROR, "gateway.address")
        else:
            yield from _balancer(rule, gateway.address)
    elif rule.spec.profile.has_gateway:
        yield rule.finding("RBD-GATEWAY-009", Severity.WARNING, "gateway.mode")


def _balancer(rule: RuleInput, address: IPv4Address) -> Iterator[Finding]:
    path, written = "gateway.address", str(address)
    if not is_usable(address):
        yield rule.finding("RBD-GATEWAY-024", Severity.ERROR, path, written, field=path)
    for node in rule.spec.gateways:
        if address in node.addresses:
            yield rule.finding("RBD-GATEWAY-027", Severity.ERROR, path, written, node=node.name)


def gateway_nodes(rule: RuleInput) -> Iterator[Finding]:
    """Two gateways at least where a VIP moves between them.

    A single one is more than no failover: without peers older keepalived falls back from unicast to multicast
    (keepalived.conf(5), unicast_peer).
    """
    count = len(rule.spec.gateways)
    if rule.spec.gateway.mode is GatewayMode.KEEPALIVED:
        if count == 0:
            yield rule.finding("RBD-GATEWAY-001", Severity.ERROR, "nodes")
        elif count == 1:
            index = rule.nodes_with(Role.GATEWAY)[0][0]
            yield rule.node_finding("RBD-GATEWAY-002", Severity.WARNING, index, "roles")
    elif count == 0 and rule.spec.profile.has_gateway:
        yield rule.finding("RBD-GATEWAY-008", Severity.ERROR, "nodes")


def vip(rule: RuleInput) -> Iterator[Finding]:
    """The VIP lies in the network of those that carry it and belongs to nobody."""
    interface = rule.spec.gateway.vip
    if interface is None or not rule.spec.has_vip:
        return
    path, written = "gateway.vip", str(interface.ip)
    if not is_usable(interface.ip):
        yield rule.finding("RBD-GATEWAY-024", Severity.ERROR, path, written, field=path)
    if interface.network.prefixlen > _SMALLEST_PREFIX_LENGTH:
        yield rule.finding("RBD-GATEWAY-025", Severity.ERROR, path, str(interface), address=written)
    elif interface.ip in (interface.network.network_address, interface.network.broadcast_address):
        yield rule.finding("RBD-GATEWAY-021", Severity.ERROR, path, written, network=str(interface.network))
    for node in rule.spec.nodes:
        if interface.ip in node.addresses:
            yield rule.finding("RBD-GATEWAY-022", Severity.ERROR, path, written, node=node.name)
    if any(bastion.address == written for _, bastion in rule.bastions()):
        yield rule.finding("RBD-GATEWAY-023", Severity.ERROR, path, written)


def vip_network(rule: RuleInput) -> Iterator[Finding]:
    """Whoever carries the VIP is in its network, and no node has an edge of that network as its address."""
    interface = rule.spec.gateway.vip
    if interface is None or not rule.spec.has_vip:
        return
    network = interface.network
    if network.prefixlen > _SMALLEST_PREFIX_LENGTH:
        return
    edges, carriers = (network.network_address, network.broadcast_address), rule.spec.vip_nodes
    for index, node in enumerate(rule.spec.nodes):
        address, field = rule.spec.vrrp_address(node), node.cluster_field
        field = field if address == node.cluster_address else "address"
        if address in edges:
            code = "RBD-GATEWAY-026"
        elif node in carriers and address not in network:
            code = "RBD-GATEWAY-028" if rule.spec.has_balancers else "RBD-GATEWAY-020"
        else:
            continue
        yield rule.node_finding(
            code, Severity.ERROR, index, field, str(address), network=str(network), vip=str(interface.ip)
        )
