"""Values of Rainbond's chart that an operator gives: nothing that other keys of cluster.yaml say already."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec import fields
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.values import is_secret_reference

OURS: Final = {
    "Cluster.gatewayIngressIPs": "gateway",
    "Cluster.nodesForGateway": "nodes",
    "Cluster.nodesForChaos": "nodes",
    "Cluster.imageHub": "registry",
    "Cluster.regionDatabase": "mysql",
    "Cluster.uiDatabase": "mysql",
    "Cluster.etcd": "etcd",
    "Cluster.RWX": "storage",
    "Cluster.RWO": "storage",
    "Cluster.installVersion": "rainbond.version",
    "operator.image.tag": "rainbond.version",
    "nfs-client-provisioner.childChart": "storage",
    "nfs-client-provisioner.nfs": "storage",
    "nfs-client-provisioner.storageClass.name": "storage.storage_class",
}
"""Values of the chart that the plan makes, by path, and the key of cluster.yaml that they come from."""
_SECRET_KEY: Final = re.compile(r"passw|passphrase|token|credential|secret_?key", re.IGNORECASE)


def values(rule: RuleInput) -> Iterator[Finding]:
    """No value takes the place of another key, and rbd-gateway can come up with the others."""
    if "rainbond" not in rule.spec.profile.sections:
        return
    given = rule.spec.rainbond.values
    yield from of_other_keys(rule, OURS, given, "rainbond.values")
    yield from in_clear(rule, given, "rainbond.values")
    cluster = given.get("Cluster")
    replicas = cluster.get("replicas") if isinstance(cluster, Mapping) else None
    gateways = len(rule.spec.gateways)
    if isinstance(replicas, int) and replicas > max(1, gateways):
        field = "rainbond.values.Cluster.replicas"
        yield rule.finding("RBD-CHART-002", Severity.ERROR, field, str(replicas), replicas=replicas, gateways=gateways)


def of_other_keys(
    rule: RuleInput, ours: Mapping[str, str], given: Mapping[str, object], field: str, path: str = ""
) -> Iterator[Finding]:
    """Values of a chart that other keys of cluster.yaml say already, by their paths in ``ours``."""
    for key, value in given.items():
        here, at = f"{path}.{key}" if path else key, fields.join(field, key)
        if here in ours:
            yield rule.finding("RBD-CHART-001", Severity.ERROR, at, key=here, field=ours[here])
        elif isinstance(value, Mapping):
            yield from of_other_keys(rule, ours, {str(name): below for name, below in value.items()}, at, here)


def in_clear(rule: RuleInput, value: object, field: str, key: str = "") -> Iterator[Finding]:
    """Secrets stand in the vault, also those of keys and variables that are not ours."""
    if isinstance(value, Mapping):
        name = value.get("name")
        for each, below in value.items():
            named = name if each == "value" and isinstance(name, str) else str(each)
            yield from in_clear(rule, below, fields.join(field, str(each)), named)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from in_clear(rule, below, fields.join(field, index), key)
    elif isinstance(value, str) and value and _SECRET_KEY.search(key) and not is_secret_reference(value):
        yield rule.finding("RBD-CHART-003", Severity.ERROR, field, key=fields.printable(key))
