"""Values of KubeSphere's chart that an operator gives: nothing that other keys say, and a console with a port."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.rainbond import in_clear, of_other_keys

OURS: Final = {
    "global.imageRegistry": "kubesphere.image_registry",
    "ha.enabled": "nodes",
    "redisHA.enabled": "nodes",
    "redisHA.persistentVolume.enabled": "kubesphere.storage_class",
    "redisHA.persistentVolume.storageClass": "kubesphere.storage_class",
}
"""Values of the chart that the plan makes, by path, and the key of cluster.yaml that they come from."""
NODE_PORTS: Final = range(30000, 32768)
"""What Kubernetes gives to Services unless it is told otherwise (kubernetes/website, service, type NodePort)."""


def values(rule: RuleInput) -> Iterator[Finding]:
    """No value takes the place of another key, and the console can be reached."""
    if "kubesphere" not in rule.spec.profile.sections:
        return
    given = rule.spec.kubesphere.values
    yield from of_other_keys(rule, OURS, given, "kubesphere.values")
    yield from in_clear(rule, given, "kubesphere.values")
    console = given.get("console")
    port = console.get("nodePort", NODE_PORTS.start) if isinstance(console, Mapping) else NODE_PORTS.start
    if port not in NODE_PORTS:
        field = "kubesphere.values.console.nodePort"
        first, last = NODE_PORTS.start, NODE_PORTS.stop - 1
        yield rule.finding("RBD-CHART-006", Severity.ERROR, field, str(port), first=first, last=last)
