"""A cluster that is there already: what must be said of it, and what has no meaning where nothing is done on hosts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import GatewayMode, Role
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.sections.etcd import EtcdMode

OF_OUR_KUBERNETES: Final = ("api", "pod_cidr", "service_cidr", "settings")
"""Keys of the section that say how RKE2 is set up."""
OF_NODES: Final = ("labels", "taints")
"""What a node joins with."""


def kubeconfig(rule: RuleInput) -> Iterator[Finding]:
    """It is named where the cluster is there already, and nowhere else."""
    given = rule.spec.kubernetes.kubeconfig is not None
    if rule.spec.is_existing and not given:
        yield rule.finding("RBD-EXISTING-001", Severity.ERROR, "kubernetes.kubeconfig")
    elif given and not rule.spec.is_existing:
        yield rule.finding("RBD-EXISTING-002", Severity.ERROR, "kubernetes.kubeconfig")


def profile(rule: RuleInput) -> Iterator[Finding]:
    """There is something to install in it."""
    if not rule.spec.profile.has_gateway:
        yield rule.finding("RBD-EXISTING-003", Severity.ERROR, "profile", profile=rule.spec.profile.name)


def unused(rule: RuleInput) -> Iterator[Finding]:
    """Nothing is written that would set up a cluster or its nodes."""
    kubernetes = rule.spec.kubernetes
    for key in OF_OUR_KUBERNETES:
        if key in kubernetes.model_fields_set:
            yield rule.finding("RBD-EXISTING-004", Severity.ERROR, f"kubernetes.{key}", field=f"kubernetes.{key}")
    for index, node in enumerate(rule.spec.nodes):
        for key in OF_NODES:
            if getattr(node, key):
                yield rule.node_finding("RBD-EXISTING-005", Severity.ERROR, index, key, key=key)


def keepalived(rule: RuleInput) -> Iterator[Finding]:
    """An address that moves is carried by hosts, which nobody logs in to here."""
    if rule.spec.gateway.mode in (GatewayMode.KEEPALIVED, GatewayMode.HAPROXY):
        yield rule.finding("RBD-EXISTING-006", Severity.ERROR, "gateway.mode")


def etcd(rule: RuleInput) -> Iterator[Finding]:
    """The certificates of the cluster's own etcd lie on its hosts."""
    section = "etcd" in rule.spec.profile.sections
    if section and rule.spec.etcd.mode is EtcdMode.REUSE:
        yield rule.finding("RBD-EXISTING-007", Severity.ERROR, "etcd.mode")


def by_hand(rule: RuleInput) -> Iterator[Finding]:
    """What Rainbond needs of hosts, and who has to do it."""
    names = rule.spec.profile.host_names
    if names and rule.nodes_with(Role.GATEWAY):
        yield rule.finding("RBD-EXISTING-008", Severity.WARNING, "kubernetes.distribution", names=", ".join(names))
