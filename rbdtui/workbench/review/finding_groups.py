"""Findings as they are read: by place, the worst first, and what is the same on several nodes once."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass

from rbdtui.findings import Finding, Severity
from rbdtui.terminal_text import clean_line
from rbdtui.workbench.sections import ORDER, section_of


@dataclass(frozen=True, slots=True)
class FindingGroup:
    """What was found, in the same words, on one node or on several, or on none in particular."""

    findings: tuple[Finding, ...]
    """At least one; in the order of their nodes."""
    words: str
    """The sentence without the name of a node before it."""
    faded: bool
    """Whether it held earlier, and may not any more."""

    @property
    def first(self) -> Finding:
        """The finding that stands for all of them."""
        return self.findings[0]

    @property
    def severity(self) -> Severity:
        """How bad each of them is."""
        return self.first.severity

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes; none when no single node is meant."""
        return tuple(finding.place.node for finding in self.findings if finding.place.node)


@dataclass(frozen=True, slots=True)
class FindingPlace:
    """Findings that belong to the same section and the same nodes."""

    section: str
    nodes: tuple[str, ...]
    groups: tuple[FindingGroup, ...]
    """The worst first."""


def places_of(findings: Iterable[Finding], faded: Collection[Finding] = ()) -> list[FindingPlace]:
    """All places: the one with the worst first, then in the order of the rail."""
    places: dict[tuple[str, tuple[str, ...]], list[FindingGroup]] = {}
    for group in _groups(findings, faded):
        places.setdefault((section_of(group.first), group.nodes), []).append(group)
    found = [FindingPlace(section, nodes, tuple(groups)) for (section, nodes), groups in places.items()]
    return sorted(found, key=lambda place: (place.groups[0].severity.rank, ORDER.index(place.section)))


def short_words(finding: Finding) -> str:
    """The sentence of a finding below the name of its node, which need not be said again."""
    words = clean_line(str(finding.message))
    for sign in (": ", "："):
        words = words.removeprefix(f"{finding.place.node}{sign}") if finding.place.node else words
    return words


def _groups(findings: Iterable[Finding], faded: Collection[Finding]) -> list[FindingGroup]:
    together: dict[Hashable, list[Finding]] = {}
    words: dict[Hashable, tuple[str, bool]] = {}
    for old, several in ((False, findings), (True, faded)):
        for finding in several:
            said = short_words(finding)
            same = (finding.code, said) if finding.place.node else (finding.code, said, finding.identity)
            key: Hashable = (old, *same)
            together.setdefault(key, []).append(finding)
            words[key] = said, old
    made = [FindingGroup(tuple(found), *words[key]) for key, found in together.items()]
    return sorted(made, key=lambda group: group.severity.rank)
