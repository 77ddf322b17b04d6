"""Checks of services outside of the hosts: one file for each, and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rbdtui.checks.services import vip
from rbdtui.checks.services.service import ServiceCheck
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding

AnyServiceCheck = ServiceCheck[Any, Any]
"""Questions and answers are the check's own: whoever drives it hands back what it was given."""

SERVICE_CHECKS: Final[tuple[AnyServiceCheck, ...]] = (
    vip.CHECK,
)  # fmt: skip
"""In the order in which their findings are told."""


def judge_service(check: AnyServiceCheck, answers: Mapping[str, Any], view: ClusterView) -> list[Finding]:
    """All findings of one check; none before somebody has answered."""
    question = check.question(view.spec)
    return list(check.judge(question, answers, view)) if question is not None and answers else []


__all__ = ["SERVICE_CHECKS", "AnyServiceCheck", "ServiceCheck", "judge_service"]
