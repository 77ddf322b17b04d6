"""Services that the plan makes itself: on servers that it knows, and on those with the role for it nothing else."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import Role
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.existing import OF_NODES


def alone(rule: RuleInput) -> Iterator[Finding]:
    """A server for services is nothing else, has a service, and nothing that only a node of Kubernetes can have."""
    named = {maker.node for maker in rule.spec.makers}
    for index, node in rule.nodes_with(Role.SERVICE):
        others = [role.value for role in node.roles if role is not Role.SERVICE]
        if others:
            yield rule.node_finding("RBD-MADE-001", Severity.ERROR, index, "roles", roles=", ".join(others))
        if node.name not in named:
            path = f"roles[{node.roles.index(Role.SERVICE)}]"
            yield rule.node_finding("RBD-MADE-002", Severity.ERROR, index, path, Role.SERVICE.value)
        for key in OF_NODES:
            if getattr(node, key):
                yield rule.node_finding("RBD-MADE-003", Severity.ERROR, index, key, key=key)


def on_servers(rule: RuleInput) -> Iterator[Finding]:
    """What is made is made on a server that is logged in to, and that does not balance."""
    nodes = {node.name: node for node in rule.spec.nodes}
    known = ", ".join(nodes)
    for maker in rule.spec.makers:
        node = nodes.get(maker.node)
        if node is None:
            yield rule.finding("RBD-MADE-004", Severity.ERROR, maker.field, maker.node, name=maker.node, known=known)
        elif rule.spec.is_existing:
            yield rule.finding("RBD-MADE-006", Severity.ERROR, maker.field, maker.node, name=maker.node)
        elif node.is_balancer:
            yield rule.finding("RBD-MADE-005", Severity.ERROR, maker.field, maker.node, name=maker.node)
