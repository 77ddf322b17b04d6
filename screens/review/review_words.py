"""What Review says in words: how far the check is, what it found, what the plan amounts to, and what comes next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rbdtui.findings import Finding, Severity
from rbdtui.words import T, Text
from rbdtui.workbench.review.auditing import is_audited
from rbdtui.workbench.review.plan_rows import PlanRow
from rbdtui.workbench.review.plan_words import amount_words, slow_words
from rbdtui.workbench.review.preflight_view import Preflight
from rbdtui.workbench.survey import SurveyStatus
from screens.terminal import clock

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench

SaidLine = tuple[Text, str]
"""A sentence with its look."""


def counts_of(findings: Iterable[Finding]) -> Counter[Severity]:
    """How many of each severity."""
    return Counter(finding.severity for finding in findings)


def outdated_findings(workbench: Workbench) -> list[Finding]:
    """What the last check found of another plan, and nobody has said again."""
    seen = workbench.preflight
    if not seen.outdated:
        return []
    known = {(finding.code, finding.place.node, finding.place.field) for finding in workbench.findings}
    return [f for f in seen.findings if (f.code, f.place.node, f.place.field) not in known]


def check_lines(workbench: Workbench) -> tuple[SaidLine, ...]:
    """What was checked, when, and whether that is the plan as it is now."""
    seen = workbench.preflight
    counts = counts_of(workbench.findings)
    time = clock.moment(seen.at)
    match seen.state:
        case SurveyStatus.NONE:
            more = T("review.state.none_more") if workbench.findings else T("review.state.none_good")
            return (T("review.state.none"), "bold"), (more, "muted")
        case SurveyStatus.LOOKING:
            return (_looking(seen), "bold accent"), (T("review.state.looking_more"), "muted")
        case SurveyStatus.FAILED:
            return (T("review.state.failed", time=time), "bold error"), (seen.error or T("review.state.none"), "")
        case SurveyStatus.GIVEN_UP:
            return (T("review.state.given_up", time=time), "bold warning"), _which_plan(seen)
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    look = "bold error" if errors else "bold warning" if warnings else "bold success"
    if seen.outdated and not seen.of:
        return (T("review.state.overtaken", time=time), "bold warning"), (T("review.state.before"), "")
    if seen.outdated:
        return (T("review.state.outdated", time=time), "bold warning"), _which_plan(seen)
    if not errors and not warnings:
        return (T("review.state.good", time=time), look), _which_plan(seen)
    return (T("review.state.found", time=time, errors=errors, warnings=warnings), look), _which_plan(seen)


def _looking(seen: Preflight) -> Text:
    if len(seen.facts) >= seen.nodes:
        return T("review.state.comparing", nodes=seen.nodes)
    return T("review.state.looking", answered=len(seen.facts), nodes=seen.nodes)


def _which_plan(seen: Preflight) -> SaidLine:
    if seen.outdated:
        return T("review.state.other_plan"), ""
    return T("review.state.same_plan"), "muted"


def plan_lines(rows: Sequence[PlanRow], seen: Preflight) -> tuple[SaidLine, ...]:
    """What the plan amounts to, and what of it will be slow."""
    steps = sum(len(row.steps) for row in rows)
    if seen.previewing:
        return (T("review.plan.asking", steps=steps, nodes=seen.nodes), "bold accent"), (slow_words(rows), "muted")
    if not seen.previewed:
        return (T("review.plan.steps", steps=steps, nodes=seen.nodes), "bold"), (slow_words(rows), "muted")
    look = "bold" if any(row.to_change or row.not_known_yet for row in rows) else "bold success"
    return (amount_words(rows, seen.nodes), look), (slow_words(rows), "muted")


def next_of_review(workbench: Workbench, *, of_plan: bool = False) -> Text:
    """What to press next, where the findings are seen or, with ``of_plan``, the plan."""
    seen = workbench.preflight
    run = workbench.active_run
    if is_audited(workbench):
        errors = counts_of(workbench.findings)[Severity.ERROR]
        return T("hint.errors_first", count=errors) if errors else T("audit.press")
    if run is not None:
        return T("hint.run_active", run=run.run_id.rpartition("-")[2])
    if seen.state is SurveyStatus.LOOKING:
        return T("hint.check_wait")
    errors = counts_of(workbench.findings)[Severity.ERROR]
    if errors:
        return T("hint.errors", count=errors) if seen.holds else T("hint.errors_first", count=errors)
    if not seen.holds:
        return T("hint.check")
    if seen.previewing:
        return T("hint.previewing")
    if seen.error is not None:
        return T("hint.preview_failed", reason=seen.error)
    return T("hint.start_from_plan") if of_plan else T("hint.start")
