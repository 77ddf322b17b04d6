"""The etcd of Rainbond 5.17: members that can lose one, each named once, at the port for clients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import Role
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.rules.storage import is_own_loopback
from rbdtui.spec.sections.etcd import EtcdMode
from rbdtui.spec.sections.storage import StorageMode

_MEMBERS_PORT: Final = "2380"
_OTHER_PORTS: Final = ("2381", "2382")
"""RKE2's: metrics in plain HTTP, and the HTTP gateway, both on the loopback only."""


def etcd(rule: RuleInput) -> Iterator[Finding]:
    """Whichever etcd it is, where the profile has one to choose."""
    if "etcd" not in rule.spec.profile.sections:
        return
    mode = rule.spec.etcd.mode
    if mode is EtcdMode.REUSE and not rule.spec.nodes_with(Role.ETCD):
        yield rule.finding("RBD-ETCD-001", Severity.ERROR, "etcd.mode")
    elif mode is EtcdMode.BUILTIN:
        on_nfs = rule.spec.storage.mode is not StorageMode.BUILTIN
        yield rule.finding("RBD-ETCD-002" if on_nfs else "RBD-ETCD-003", Severity.WARNING, "etcd.mode")
    elif mode is EtcdMode.EXTERNAL:
        yield from _endpoints(rule)


def _endpoints(rule: RuleInput) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for index, endpoint in enumerate(rule.spec.etcd.endpoints):
        field = f"etcd.endpoints[{index}]"
        host, _, port = endpoint.rpartition(":")
        if first.setdefault(endpoint, index) != index:
            yield rule.finding("RBD-ETCD-004", Severity.ERROR, field, endpoint=endpoint)
        if is_own_loopback(host):
            yield rule.finding("RBD-ETCD-005", Severity.ERROR, field, endpoint=endpoint)
        if port == _MEMBERS_PORT or port in _OTHER_PORTS:
            yield rule.finding("RBD-ETCD-006", Severity.ERROR, field, port=port, suggestion=f"{host}:2379")
    members = len(first)
    if members == 1:
        yield rule.finding("RBD-ETCD-007", Severity.WARNING, "etcd.endpoints")
    elif members and members % 2 == 0:
        field = "etcd.endpoints"
        yield rule.finding("RBD-ETCD-008", Severity.WARNING, field, members=members, fewer=members - 1)
