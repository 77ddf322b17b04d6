"""Checks of services outside of the hosts: one file for each, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rbdtui.checks.services import (
    balanced_api,
    balancer,
    domain_suffix,
    etcd,
    etcd_reuse,
    existing,
    left,
    mysql,
    mysql_made,
    nfs,
    nfs_copy_made,
    nfs_locks,
    nfs_made,
    registry,
    storage_claim,
    vip,
    vrrp,
    vrrp_between,
    vxlan_between,
)
from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.fleet import FleetCheck, ask_fleet
from rbdtui.checks.services.service import ServiceCheck
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding

AnyServiceCheck = ServiceCheck[Any, Any]
"""Questions and answers are the check's own: whoever drives it hands back what it was given."""

SERVICE_CHECKS: Final[tuple[AnyServiceCheck, ...]] = (
    existing.CHECK,
    vip.CHECK,
    vrrp.CHECK,
    nfs.CHECK,
    nfs_made.CHECK,
    nfs_copy_made.CHECK,
    etcd.CHECK,
    etcd_reuse.CHECK,
    domain_suffix.CHECK,
    mysql.CHECK,
    mysql_made.CHECK,
    registry.CHECK,
)  # fmt: skip
"""In the order in which their findings are told."""
FLEET_CHECKS: Final[tuple[FleetCheck[Any, Any], ...]] = (
    vrrp_between.CHECK,
    vxlan_between.CHECK,
    balancer.CHECK,
    balanced_api.CHECK,
    nfs_locks.CHECK,
    left.NFS_LEFT,
    left.COPY_LEFT,
    left.MYSQL_LEFT,
    storage_claim.CHECK,
)  # fmt: skip
"""Those that need all hosts at once."""


def judge_service(check: AnyServiceCheck, answers: Mapping[str, Any], view: ClusterView) -> list[Finding]:
    """All findings of one check; none before somebody has answered."""
    question = check.question(view.spec)
    return list(check.judge(question, answers, view)) if question is not None and answers else []


__all__ = [
    "FLEET_CHECKS",
    "SERVICE_CHECKS",
    "THIS_MACHINE",
    "AnyServiceCheck",
    "Asking",
    "FleetCheck",
    "ServiceCheck",
    "ask_fleet",
    "judge_service",
]
