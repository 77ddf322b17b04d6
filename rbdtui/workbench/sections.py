"""The sections of a plan and of its cluster: one entry for each, with all that is asked about sections."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.findings import Finding
from rbdtui.profiles import USUAL, profile_named

SITE: Final = "site"
NODES: Final = "nodes"
ROLES: Final = "roles"
BALANCER: Final = "balancer"
STORAGE: Final = "storage"
ETCD: Final = "etcd"
REGISTRY: Final = "registry"
MYSQL: Final = "mysql"
PLATFORM: Final = "platform"
REVIEW: Final = "review"
RUN: Final = "run"
HEALTH: Final = "health"
UPKEEP: Final = "upkeep"


@dataclass(frozen=True, slots=True)
class Section:
    """One section: its words are ``section.<name>`` and ``help.<name>``, its screen is in ``screens``."""

    name: str
    key: str
    """Leads there from every other one."""
    fields: tuple[str, ...] = ()
    """Fields of cluster.yaml that are edited here, with all below them."""
    own_codes: tuple[str, ...] = ()
    """How codes begin of findings that are fixed here, whatever field they blame."""
    own_paths: str = ""
    """A pattern of fields that are edited here although they lie below another section's."""
    parts: tuple[str, ...] = ()
    """The sections of cluster.yaml that it is for, where not every profile has one of them."""
    plans: bool = True
    """Whether the plan is made here, in contrast to being looked at."""
    needs_nodes: bool = False
    """Whether nothing can be said of it before there are servers."""

    def is_used_in(self, data: Mapping[str, object]) -> bool:
        """Whether the profile of a cluster.yaml has it; so it is where the profile is not known."""
        profile = profile_named(data.get("profile", USUAL.name))
        return not self.parts or profile is None or not set(self.parts).isdisjoint(profile.sections)

    def leftover(self, data: Mapping[str, object]) -> str | None:
        """A part that is written although the profile has no use for it."""
        profile = profile_named(data.get("profile", USUAL.name))
        if profile is None:
            return None
        return next((part for part in self.parts if part in data and part not in profile.sections), None)

    def owns(self, finding: Finding) -> bool:
        """Whether it is fixed here, whatever section the field that it blames belongs to."""
        path = finding.place.field
        by_code = bool(self.own_codes) and finding.code.startswith(self.own_codes)
        return by_code or (bool(self.own_paths) and re.match(self.own_paths, path) is not None)

    def edits(self, path: str) -> bool:
        """Whether a field of cluster.yaml is edited here."""
        return any(path == field or path.startswith((f"{field}.", f"{field}[")) for field in self.fields)


SECTIONS: Final = (
    Section(
        SITE, "0",
        fields=("apiVersion", "name", "profile", "bundle", "ssh", "kubernetes.distribution", "kubernetes.kubeconfig"),
    ),
    Section(NODES, "1", fields=("nodes",)),
    Section(
        ROLES, "2", own_codes=("RBD-TOPO-", "RBD-GATEWAY-001", "RBD-GATEWAY-008"), own_paths=r"nodes\[\d+\]\.roles",
        needs_nodes=True,
    ),
    Section(BALANCER, "3", fields=("gateway", "kubernetes.api"), needs_nodes=True),
    Section(STORAGE, "4", fields=("storage",), parts=("storage",)),
    Section(ETCD, "5", fields=("etcd",), parts=("etcd",)),
    Section(REGISTRY, "6", fields=("registry",), parts=("registry",)),
    Section(MYSQL, "7", fields=("mysql",), parts=("mysql",)),
    Section(PLATFORM, "8", fields=("rainbond", "kubesphere"), parts=("rainbond", "kubesphere")),
    Section(REVIEW, "9", plans=False),
    Section(RUN, "r", plans=False),
    Section(HEALTH, "h", plans=False),
    Section(UPKEEP, "w", plans=False),
)  # fmt: skip
"""In the order of the work and of the rail: a section is there when it has a line here."""
ORDER: Final = tuple(section.name for section in SECTIONS)


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


def section_named(name: str) -> Section:
    """The section of that name; raises `KeyError`."""
    return _BY_NAME[name]


_BY_NAME: Final = {section.name: section for section in SECTIONS}


def section_of(finding: Finding) -> str:
    """The section in which what was found can be fixed; ``review`` when it is edited nowhere else."""
    owner = next((section for section in SECTIONS if section.owns(finding)), None)
    if owner is not None:
        return owner.name
    path = finding.place.field
    return NODES if finding.place.node and not path else section_of_field(path)


def section_of_field(path: str) -> str:
    """The section in which a field of cluster.yaml is edited; ``review`` when it is nowhere."""
    return next((section.name for section in SECTIONS if section.edits(path)), REVIEW)


def findings_in(findings: list[Finding], section: str) -> list[Finding]:
    """Those that are fixed in a section."""
    return [finding for finding in findings if section_of(finding) == section]


def next_used(name: str, data: Mapping[str, object]) -> Section | None:
    """The section that comes after another one on the way through the plan; None when that is the last."""
    later = SECTIONS[ORDER.index(name) + 1 :]
    return next((section for section in later if section.plans and section.is_used_in(data)), None)
