"""What the operator should know before relying on the plan: what this version leaves out, and what a death costs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce

from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ApiMode
from rbdtui.spec.rules.base import RuleInput
from rbdtui.spec.survival import Impact, survivals
from rbdtui.words import T, Text


def installs_no_rainbond(rule: RuleInput) -> Iterator[Finding]:
    """This version brings up the Kubernetes part of the profile only, or nothing of it."""
    profile = rule.spec.profile
    if profile.audit_only:
        yield rule.finding("RBD-AUDIT-001", Severity.INFO, "profile", profile=profile.name)
    elif not profile.is_complete:
        yield rule.finding("RBD-PROFILE-001", Severity.WARNING, "profile", profile=profile.name)


def deaths(rule: RuleInput) -> Iterator[Finding]:
    """What is lost with a node, told only where something is; apart from each other where different things help."""
    for index, survival in enumerate(survivals(rule.spec)):
        by_roles = [
            outcome.text
            for outcome in (survival.etcd, survival.api, survival.gateway, survival.builds)
            if outcome.impact is Impact.LOST
        ]
        if by_roles == [survival.builds.text]:
            yield rule.node_finding("RBD-LOSS-002", Severity.INFO, index, "roles", losses=by_roles[0])
        elif by_roles == [survival.api.text] and rule.spec.kubernetes.api.mode is ApiMode.FIRST_SERVER:
            yield rule.node_finding("RBD-LOSS-003", Severity.WARNING, index, "roles", losses=by_roles[0])
        elif by_roles:
            yield rule.node_finding("RBD-LOSS-001", Severity.WARNING, index, "roles", losses=reduce(_and, by_roles))
        if survival.storage.impact is Impact.LOST:
            yield _storage(rule, index, survival.storage.text)
        if survival.database.impact is Impact.LOST:
            yield rule.node_finding("RBD-LOSS-005", Severity.WARNING, index, "roles", losses=survival.database.text)


def _storage(rule: RuleInput, index: int, losses: Text) -> Finding:
    """What helps is another thing where the plan has a copy of it already."""
    if (copy := rule.spec.nfs_copy_node) is None:
        return rule.node_finding("RBD-LOSS-004", Severity.WARNING, index, "roles", losses=losses)
    return rule.node_finding("RBD-LOSS-006", Severity.WARNING, index, "roles", losses=losses, copy=copy.name)


def _and(first: Text, second: Text) -> Text:
    return T("survival.and", first=first, second=second)
