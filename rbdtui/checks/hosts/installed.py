"""Checks on what runs on a host already and the plan would put another version of in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rbdtui.checks.view import NodeView
from rbdtui.findings import Finding, Severity
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rainbond.upgrades import Refusal, Upgrade


def another_rke2(view: NodeView) -> Iterator[Finding]:
    """The bundle's RKE2 is not older than the one that runs, and skips no minor version of Kubernetes.

    What etcd has is of the newer Kubernetes already: without a snapshot of before, RKE2 goes back within a minor
    version only (rke2-docs, docs/upgrades/roll-back.md). Upwards nothing in RKE2 keeps from a skip that Kubernetes
    does not support (rke2-docs, docs/upgrades/manual.md; kubernetes/website, releases/version-skew-policy.md).
    """
    present, planned = view.facts.rke2, view.rke2_version
    if not view.ours or present is None or planned is None:
        return
    params = {"present": str(present), "planned": str(planned)}
    if planned < present:
        same_minor = planned.at_least(present.major, present.minor)
        code, severity = ("RBD-UPGRADE-102", Severity.WARNING) if same_minor else ("RBD-UPGRADE-101", Severity.ERROR)
        yield view.finding(code, severity, field="bundle", **params)
    elif planned.at_least(present.major, present.minor + 2):
        following = f"{present.major}.{present.minor + 1}"
        yield view.finding("RBD-UPGRADE-105", Severity.ERROR, field="bundle", following=following, **params)


def older_rainbond(view: NodeView) -> Iterator[Finding]:
    """The plan's Rainbond can follow the one that is installed, as far as both are known."""
    if not view.ours or not view.spec.installs_rainbond:
        return
    for code, params in refused_upgrade(view.facts.rainbond, view.rainbond):
        yield view.finding(code, Severity.ERROR, field="rainbond.version", **params)


def refused_upgrade(tag: str, planned: Release | None) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The code and the words' params where a release cannot follow that of a tag; none where one is not known."""
    present = release_of(tag)
    if present is None or planned is None or (refusal := Upgrade(present, planned).refusal) is None:
        return
    code = "RBD-UPGRADE-103" if refusal is Refusal.DOWNGRADE else "RBD-UPGRADE-104"
    yield code, {"present": present.tag, "planned": planned.tag}
