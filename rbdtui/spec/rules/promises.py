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
    """What is lost with a node, told only where something is."""
    for index, survival in enumerate(survivals(rule.spec)):
        lost = [outcome.text for outcome in survival.outcomes if outcome.impact is Impact.LOST]
        if not lost:
            continue
        if lost == [survival.builds.text]:
            code, severity = "RBD-LOSS-002", Severity.INFO
        elif lost == [survival.api.text] and rule.spec.kubernetes.api.mode is ApiMode.FIRST_SERVER:
            code, severity = "RBD-LOSS-003", Severity.WARNING
        elif lost == [survival.storage.text]:
            code, severity = "RBD-LOSS-004", Severity.WARNING
        elif lost == [survival.database.text]:
            code, severity = "RBD-LOSS-005", Severity.WARNING
        else:
            code, severity = "RBD-LOSS-001", Severity.WARNING
        yield rule.node_finding(code, severity, index, "roles", losses=reduce(_and, lost))


def _and(first: Text, second: Text) -> Text:
    return T("survival.and", first=first, second=second)
