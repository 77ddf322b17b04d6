"""Who does what: enough of every role, and an etcd that keeps its quorum."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import Role
from rbdtui.spec.rules.base import RuleInput


def etcd_members(rule: RuleInput) -> Iterator[Finding]:
    """An odd number of members, at least three to survive the loss of one."""
    members = len(rule.nodes_with(Role.ETCD))
    if members == 0:
        yield rule.finding("RBD-TOPO-002", Severity.ERROR, "nodes")
    elif members == 1:
        yield rule.finding("RBD-TOPO-003", Severity.WARNING, "nodes")
    elif members == 2:
        yield rule.finding("RBD-TOPO-004", Severity.ERROR, "nodes")
    elif members % 2 == 0:
        yield rule.finding("RBD-TOPO-005", Severity.ERROR, "nodes", members=members, fewer=members - 1)


def control_plane(rule: RuleInput) -> Iterator[Finding]:
    """Somebody answers the API, and not one node alone where etcd would survive it."""
    servers = rule.nodes_with(Role.CONTROL_PLANE)
    if not servers:
        yield rule.finding("RBD-TOPO-001", Severity.ERROR, "nodes")
    elif len(servers) == 1 and len(rule.nodes_with(Role.ETCD)) > 1:
        yield rule.node_finding("RBD-TOPO-006", Severity.WARNING, servers[0][0], "roles")


def workers(rule: RuleInput) -> Iterator[Finding]:
    """Without workers the servers run the applications.

    RKE2's servers are schedulable unless tainted (RKE2 documentation, "High Availability", server node taints).
    """
    if not rule.nodes_with(Role.WORKER):
        yield rule.finding("RBD-TOPO-007", Severity.INFO, "nodes")


def builders(rule: RuleInput) -> Iterator[Finding]:
    """Rainbond needs a node that builds; nothing else does."""
    nodes = rule.nodes_with(Role.BUILD)
    if rule.spec.profile.has_builds:
        if not nodes:
            yield rule.finding("RBD-TOPO-009", Severity.ERROR, "nodes")
        return
    for index, node in nodes:
        path = f"roles[{node.roles.index(Role.BUILD)}]"
        yield rule.node_finding(
            "RBD-TOPO-008", Severity.WARNING, index, path, Role.BUILD.value, profile=rule.spec.profile.name
        )


def roles_once(rule: RuleInput) -> Iterator[Finding]:
    """A node has each role once."""
    for index, node in enumerate(rule.spec.nodes):
        for position, role in enumerate(node.roles):
            if role in node.roles[:position]:
                yield rule.node_finding(
                    "RBD-TOPO-010", Severity.ERROR, index, f"roles[{position}]", role.value, role=role.value
                )
