"""Checks on what runs on a host already and the plan would put another version of in its place."""

from __future__ import annotations

from collections.abc import Iterator

from rbdtui.checks.view import NodeView
from rbdtui.findings import Finding, Severity


def older_rke2(view: NodeView) -> Iterator[Finding]:
    """The bundle's RKE2 is not older than the one that runs: what etcd has is of the newer Kubernetes already.

    Without a snapshot of before, RKE2 goes back within a minor version only (rke2-docs, docs/upgrades/roll-back.md).
    """
    present, planned = view.facts.rke2, view.rke2_version
    if not view.ours or present is None or planned is None or planned >= present:
        return
    same_minor = planned.at_least(present.major, present.minor)
    code, severity = ("RBD-UPGRADE-102", Severity.WARNING) if same_minor else ("RBD-UPGRADE-101", Severity.ERROR)
    yield view.finding(code, severity, field="bundle", present=str(present), planned=str(planned))
