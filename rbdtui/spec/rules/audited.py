"""A site that is only compared: the servers and the address that the page of its makers is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import Distribution, GatewayMode, Role
from rbdtui.spec.rules.base import RuleInput

MANAGE_NAME: Final = "manage01"
COMPUTE_NAME: Final = re.compile(r"compute[0-9]{2}")
"""goodrain/rainbond-install@v3.6, scripts and salt: states are chosen by these names."""


def three_servers(rule: RuleInput) -> Iterator[Finding]:
    """One that manages, and two that compute and take in the traffic."""
    managing, taking_in = rule.nodes_with(Role.CONTROL_PLANE), rule.nodes_with(Role.GATEWAY)
    apart = not {index for index, _ in managing} & {index for index, _ in taking_in}
    if len(rule.spec.nodes) != 3 or len(managing) != 1 or len(taking_in) != 2 or not apart:
        yield rule.finding("RBD-AUDIT-002", Severity.ERROR, "nodes")


def server_names(rule: RuleInput) -> Iterator[Finding]:
    """The installer of 3.6 goes by the names."""
    for index, node in enumerate(rule.spec.nodes):
        manages = Role.CONTROL_PLANE in node.roles
        fits = node.name == MANAGE_NAME if manages else COMPUTE_NAME.fullmatch(node.name) is not None
        if not fits:
            wanted = MANAGE_NAME if manages else "compute01, compute02"
            yield rule.node_finding("RBD-AUDIT-003", Severity.WARNING, index, "name", node.name, wanted=wanted)


def gateway_of_a_vip(rule: RuleInput) -> Iterator[Finding]:
    """A VIP that keepalived moves between the two, in front of a Kubernetes that is neither ours nor outside."""
    gateway = rule.spec.gateway
    if gateway.mode is not GatewayMode.KEEPALIVED:
        yield rule.finding("RBD-AUDIT-004", Severity.ERROR, "gateway.mode", gateway.mode.value)
    elif gateway.vip is None:
        yield rule.finding("RBD-GATEWAY-003", Severity.ERROR, "gateway.vip")
    elif gateway.virtual_router_id is None:
        yield rule.finding("RBD-GATEWAY-004", Severity.ERROR, "gateway.virtual_router_id")
    if rule.spec.kubernetes.distribution is not Distribution.RKE2:
        path = "kubernetes.distribution"
        yield rule.finding("RBD-AUDIT-005", Severity.ERROR, path, rule.spec.kubernetes.distribution.value)
