"""How each section of a site stands, and which of them the eye belongs on first."""

from __future__ import annotations

from rbdtui.checks import services
from rbdtui.engine.events import RunOutcome
from rbdtui.engine.state import RunState, StepStatus
from rbdtui.findings import Finding, Severity
from rbdtui.probes.model import Health
from rbdtui.workbench.draft.operations import is_existing
from rbdtui.workbench.run.run_list import run_line
from rbdtui.workbench.sections import (
    HEALTH,
    NODES,
    REVIEW,
    RUN,
    SECTIONS,
    UPKEEP,
    Section,
    SectionState,
    SectionStatus,
    findings_in,
    section_of_field,
)
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.workbench import Workbench


def first_section(workbench: Workbench) -> str:
    """Where the eye belongs when a site is opened: on a run that has not come to a good end, on the cluster once it
    stands, else on the servers."""
    if workbench.run is None:
        return NODES
    if run_line(workbench.site, workbench.run.run_id, active=workbench.run.alive).outcome is not RunOutcome.DONE:
        return RUN
    return NODES if workbench.draft.dirty else HEALTH


def section_statuses(workbench: Workbench) -> tuple[SectionStatus, ...]:
    """In the order of the rail."""
    findings = workbench.findings
    return tuple(_status(workbench, section, findings) for section in SECTIONS)


def _status(workbench: Workbench, entry: Section, findings: list[Finding]) -> SectionStatus:
    section = entry.name
    if section == RUN:
        return _run_status(workbench)
    if section == HEALTH:
        return _health_status(workbench)
    if section == UPKEEP:
        return _upkeep_status(workbench)
    mine = findings if section == REVIEW else findings_in(findings, section)
    errors = sum(finding.severity is Severity.ERROR for finding in mine)
    if errors:
        return SectionStatus(section, SectionState.PROBLEMS, errors)
    if not entry.is_used_in(workbench.draft.data):
        return SectionStatus(section, SectionState.UNUSED)
    if entry.needs_nodes and not workbench.draft.data.get("nodes"):
        return SectionStatus(section)
    busy = {
        NODES: workbench.live.busy,
        REVIEW: workbench.preflight.state is SurveyStatus.LOOKING,
    }
    if busy.get(section) or section in _sections_asked(workbench):
        return SectionStatus(section, SectionState.CHECKING)
    if section == REVIEW and workbench.preflight.state is SurveyStatus.FAILED:
        return SectionStatus(section, SectionState.PROBLEMS, 1)
    if workbench.draft.spec is None:
        return SectionStatus(section)  # a mistake elsewhere keeps the rules from being judged: nothing is known
    if section == REVIEW and not workbench.preflight.holds:
        return SectionStatus(section)
    return SectionStatus(section, SectionState.OK)


def _sections_asked(workbench: Workbench) -> set[str]:
    """Sections with a service that hosts are being asked about."""
    asked = [check for check in services.SERVICE_CHECKS if workbench.live.service(check.name).asking]
    return {section_of_field(check.field) for check in asked}


def _run_status(workbench: Workbench) -> SectionStatus:
    if workbench.run is None:
        return SectionStatus(RUN, SectionState.UNUSED)
    state = workbench.run.state()
    problems = _stuck(state)
    if problems:
        return SectionStatus(RUN, SectionState.PROBLEMS, problems)
    if workbench.run.alive:
        return SectionStatus(RUN, SectionState.CHECKING)
    return SectionStatus(RUN, SectionState.OK if state.outcome is RunOutcome.DONE else SectionState.IDLE)


def _health_status(workbench: Workbench) -> SectionStatus:
    snapshot = workbench.health.snapshot
    if snapshot is None:
        return SectionStatus(HEALTH, SectionState.CHECKING if workbench.health.asking else SectionState.IDLE)
    bad = sum(status.newest is not None and not status.state.good for status in snapshot.probes)
    if snapshot.health is Health.OK:
        return SectionStatus(HEALTH, SectionState.OK)
    return SectionStatus(HEALTH, SectionState.PROBLEMS if bad else SectionState.CHECKING, bad)


def _upkeep_status(workbench: Workbench) -> SectionStatus:
    seen = workbench.upkeep.snapshot
    if is_existing(workbench.draft.data):
        return SectionStatus(UPKEEP, SectionState.UNUSED)
    if seen.state is SurveyStatus.LOOKING:
        return SectionStatus(UPKEEP, SectionState.CHECKING)
    if seen.state is not SurveyStatus.DONE:
        return SectionStatus(UPKEEP)
    soon = sum(line.is_soon(seen.at) for line in seen.certificates.lines)
    problems = len(seen.late) + sum(not line.is_well for line in seen.servers) + soon
    return SectionStatus(UPKEEP, SectionState.PROBLEMS if problems else SectionState.OK, problems)


def _stuck(state: RunState) -> int:
    counts = state.counts()
    return counts[StepStatus.FAILED] + counts[StepStatus.ASKING]
