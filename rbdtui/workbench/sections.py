"""The sections of a plan and of its cluster: which field belongs where, and how each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.findings import Finding

SITE: Final = "site"
NODES: Final = "nodes"
ROLES: Final = "roles"
BALANCER: Final = "balancer"
REVIEW: Final = "review"
RUN: Final = "run"
HEALTH: Final = "health"
SECTIONS: Final = (SITE, NODES, ROLES, BALANCER, REVIEW, RUN, HEALTH)
"""In the order of the work."""

_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    SITE: ("apiVersion", "name", "profile", "bundle", "ssh"),
    BALANCER: ("gateway", "kubernetes.api"),
    NODES: ("nodes",),
}
"""Fields of cluster.yaml that are edited in a section; roles are told apart by `section_of`."""


class SectionState(StrEnum):
    """How a section stands, as the rail shows it."""

    OK = "ok"
    PROBLEMS = "problems"
    CHECKING = "checking"
    UNUSED = "unused"
    """The profile does not have it, or there is nothing to show yet."""
    IDLE = "idle"
    """Nothing to say."""


@dataclass(frozen=True, slots=True)
class SectionStatus:
    """One section as it stands."""

    section: str
    state: SectionState = SectionState.IDLE
    problems: int = 0


_ROLE_RULES: Final = ("RBD-TOPO-", "RBD-GATEWAY-001", "RBD-GATEWAY-008")
"""How codes of rules on who does what begin; some of them blame the whole list of nodes."""


def section_of(finding: Finding) -> str:
    """The section in which what was found can be put right; ``review`` when it is edited nowhere else."""
    place, path = finding.place, finding.place.field
    if finding.code.startswith(_ROLE_RULES) or (path.startswith("nodes[") and "].roles" in path):
        return ROLES
    return NODES if place.node and not path else section_of_field(path)


def section_of_field(path: str) -> str:
    """The section in which a field of cluster.yaml is edited; ``review`` when it is nowhere."""
    for section, fields in _FIELDS.items():
        if any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in fields):
            return section
    return REVIEW


def findings_in(findings: list[Finding], section: str) -> list[Finding]:
    """Those that are put right in a section."""
    return [finding for finding in findings if section_of(finding) == section]
