"""A pair of balancers of our own: enough of them, nothing else on them, and something to balance."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.balanced import forwarded_by_pair
from rbdtui.spec.model import Role
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.existing import OF_NODES


def enough(rule: RuleInput) -> Iterator[Finding]:
    """Two at least, so that one may fail; none where nobody asks for them."""
    nodes = rule.nodes_with(Role.BALANCER)
    if not rule.spec.has_balancers:
        for index, node in nodes:
            path = f"roles[{node.roles.index(Role.BALANCER)}]"
            mode = rule.spec.gateway.mode.value
            yield rule.node_finding("RBD-GATEWAY-013", Severity.ERROR, index, path, Role.BALANCER.value, mode=mode)
    elif not nodes:
        yield rule.finding("RBD-GATEWAY-010", Severity.ERROR, "nodes")
    elif len(nodes) == 1:
        yield rule.node_finding("RBD-GATEWAY-011", Severity.WARNING, nodes[0][0], "roles")


def alone(rule: RuleInput) -> Iterator[Finding]:
    """A balancer is nothing else, and no node of Kubernetes that could have labels or taints."""
    for index, node in rule.nodes_with(Role.BALANCER):
        others = [role.value for role in node.roles if role is not Role.BALANCER]
        if others:
            yield rule.node_finding("RBD-GATEWAY-012", Severity.ERROR, index, "roles", roles=", ".join(others))
        for key in OF_NODES:
            if getattr(node, key):
                yield rule.node_finding("RBD-GATEWAY-014", Severity.ERROR, index, key, key=key)


def something_behind(rule: RuleInput) -> Iterator[Finding]:
    """There is a port to forward."""
    if rule.spec.has_balancers and not forwarded_by_pair(rule.spec):
        yield rule.finding("RBD-GATEWAY-015", Severity.ERROR, "gateway.mode")
