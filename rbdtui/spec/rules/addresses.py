"""Node addresses: used once, usable, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput, is_usable


def node_addresses(rule: RuleInput) -> Iterator[Finding]:
    """Every node has an address of its own that a host can have."""
    first_seen: dict[IPv4Address, str] = {}
    inside: dict[IPv4Address, str] = {}
    bastions = {bastion.address for _, bastion in rule.bastions()}
    for index, node in enumerate(rule.spec.nodes):
        written = str(node.address)
        if node.address in first_seen:
            other = first_seen[node.address]
            yield rule.node_finding("RBD-ADDR-001", Severity.ERROR, index, "address", written, other=other)
        first_seen.setdefault(node.address, node.name)
        if not is_usable(node.address):
            yield rule.node_finding("RBD-ADDR-002", Severity.ERROR, index, "address", written)
        if node.internal_address is not None:
            own, field = node.internal_address, "internal_address"
            if (other := inside.get(own, "")) or first_seen.get(own, node.name) != node.name:
                named = other or first_seen[own]
                yield rule.node_finding("RBD-ADDR-001", Severity.ERROR, index, field, str(own), other=named)
            if not is_usable(own):
                yield rule.node_finding("RBD-ADDR-002", Severity.ERROR, index, field, str(own))
            inside.setdefault(own, node.name)
        elif node.address in inside:
            other = inside[node.address]
            yield rule.node_finding("RBD-ADDR-001", Severity.ERROR, index, "address", written, other=other)
        if written in bastions:
            yield rule.node_finding("RBD-ADDR-003", Severity.WARNING, index, "address", written)
