"""Warnings that the operator accepts: each names a server of the plan, or none."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput


def acknowledged_nodes(rule: RuleInput) -> Iterator[Finding]:
    """Nodes of acknowledgements are nodes of the plan."""
    names = {node.name for node in rule.spec.nodes}
    for index, accepted in enumerate(rule.spec.acknowledged):
        if accepted.node is not None and accepted.node not in names:
            path = f"acknowledged[{index}].node"
            yield rule.finding("RBD-ACK-002", Severity.ERROR, path, accepted.node, node=accepted.node)
