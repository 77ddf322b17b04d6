"""Ceph on disks of the nodes: enough servers, disks of nodes, each named once and in a way that holds.

How many: rook/rook v1.20.6, deploy/examples/cluster.yaml and filesystem.yaml (three monitors, never two on a node, and
three copies on three hosts).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import Role
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.sections.storage import StorageMode

LEAST_SERVERS: Final = 3
"""As many as there are copies and monitors."""
BY_ID: Final = "/dev/disk/by-id/"
BY_PATH: Final = "/dev/disk/by-path/"
_DISKS: Final = "storage.disks"


def ceph(rule: RuleInput) -> Iterator[Finding]:
    """What the disks say of themselves, without asking the servers."""
    spec, disks = rule.spec, rule.spec.ceph_disks
    if "storage" not in spec.profile.sections or spec.storage.mode is not StorageMode.ROOK_CEPH:
        return
    if spec.is_existing:
        yield rule.finding("RBD-CEPH-006", Severity.ERROR, "storage.mode")
        return
    yield rule.finding("RBD-CEPH-010", Severity.WARNING, "storage.mode")
    servers = list(dict.fromkeys(disk.node for disk in disks))
    if disks and len(servers) < LEAST_SERVERS:
        yield rule.finding(
            "RBD-CEPH-001", Severity.ERROR, _DISKS, count=len(servers), wanted=LEAST_SERVERS, nodes=", ".join(servers)
        )
    yield from _nodes(rule)
    yield from _names(rule)
    yield from _twice(rule)


def _nodes(rule: RuleInput) -> Iterator[Finding]:
    nodes = {node.name: node for node in rule.spec.nodes}
    for index, disk in enumerate(rule.spec.ceph_disks):
        field, node = f"{_DISKS}[{index}].node", nodes.get(disk.node)
        if node is None:
            yield rule.finding("RBD-CEPH-002", Severity.ERROR, field, node=disk.node, known=", ".join(nodes))
        elif node.is_outside:
            yield rule.finding("RBD-CEPH-003", Severity.ERROR, field, node=disk.node, roles=_roles(node.roles))


def _roles(roles: list[Role]) -> str:
    return ", ".join(role.value for role in roles)


def _names(rule: RuleInput) -> Iterator[Finding]:
    for index, disk in enumerate(rule.spec.ceph_disks):
        field = f"{_DISKS}[{index}].device"
        if not disk.device.startswith((BY_ID, BY_PATH)) or "-part" in disk.device.rpartition("/")[2]:
            yield rule.finding("RBD-CEPH-004", Severity.ERROR, field, device=disk.device, node=disk.node)
        elif disk.serial is None or disk.device.startswith(BY_PATH):
            yield rule.finding("RBD-CEPH-005", Severity.WARNING, field, device=disk.device, node=disk.node)


def _twice(rule: RuleInput) -> Iterator[Finding]:
    """The same name on one node, or the same serial anywhere: a shared disk behind two servers would be lost."""
    devices: set[tuple[str, str]] = set()
    serials: dict[str, str] = {}
    for index, disk in enumerate(rule.spec.ceph_disks):
        if (disk.node, disk.device) in devices:
            field = f"{_DISKS}[{index}].device"
            yield rule.finding("RBD-CEPH-007", Severity.ERROR, field, device=disk.device, node=disk.node)
        elif disk.serial is not None and disk.serial in serials:
            field, other = f"{_DISKS}[{index}].serial", serials[disk.serial]
            yield rule.finding("RBD-CEPH-008", Severity.ERROR, field, serial=disk.serial, node=disk.node, other=other)
        devices.add((disk.node, disk.device))
        serials.setdefault(disk.serial or "", disk.node)
