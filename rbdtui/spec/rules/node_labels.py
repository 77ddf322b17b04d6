"""Labels and taints of nodes: what kubelet may not give itself, and taints that leave no place to run.

Source: kubernetes, pkg/kubelet/apis/well_known_labels.go (v1.30.4): with any other label of kubernetes.io or k8s.io the
kubelet does not start.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec import fields
from rbdtui.spec.model import Role
from rbdtui.spec.rules.base import RuleInput

_OWN: Final = ("kubernetes.io", "k8s.io")
_ALLOWED_DOMAINS: Final = ("kubelet.kubernetes.io", "node.kubernetes.io")
_ALLOWED_KEYS: Final = frozenset({
    "kubernetes.io/hostname", "kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch",
    "beta.kubernetes.io/os", "beta.kubernetes.io/instance-type", "kubernetes.io/instance-type",
    "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region", "failure-domain.kubernetes.io/zone",
    "failure-domain.kubernetes.io/region",
})  # fmt: skip


def labels(rule: RuleInput) -> Iterator[Finding]:
    """No label with which the kubelet would refuse to start."""
    for index, node in enumerate(rule.spec.nodes):
        for key in node.labels:
            if _is_refused(key):
                path = fields.join("labels", key)
                yield rule.node_finding("RBD-NODE-004", Severity.ERROR, index, path, key, key=key)


def _is_refused(key: str) -> bool:
    domain = key.partition("/")[0] if "/" in key else ""
    if not _within(domain, _OWN) or key in _ALLOWED_KEYS:
        return False
    return not _within(domain, _ALLOWED_DOMAINS)


def _within(domain: str, domains: tuple[str, ...]) -> bool:
    return any(domain == above or domain.endswith(f".{above}") for above in domains)


def taints(rule: RuleInput) -> Iterator[Finding]:
    """Some worker takes pods that tolerate nothing."""
    workers = rule.nodes_with(Role.WORKER)
    shut = [any(not taint.endswith(":PreferNoSchedule") for taint in node.taints) for _, node in workers]
    if shut and all(shut):
        yield rule.node_finding("RBD-NODE-005", Severity.WARNING, workers[0][0], "taints")
