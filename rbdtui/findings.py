"""One type for everything that a rule, a check or a loader has to say about a plan or a host."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rbdtui.terminal_text import sanitize_line
from rbdtui.words import ON_FORM, Text


class Severity(StrEnum):
    """How bad a finding is: an error stops a run, a warning is for the operator to weigh."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    @property
    def rank(self) -> int:
        """The smaller the worse."""
        return tuple(Severity).index(self)


Identity = tuple[str, str, str, Hashable]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding belongs: a field of cluster.yaml, a node, or both."""

    field: str = ""
    """Path in the spec as written there, e.g. ``nodes[1].address``; empty when no field is to blame."""
    node: str = ""
    """Name of the node; empty when no single node is meant."""
    line: int = 0
    """Line in cluster.yaml, from 1; 0 when not known."""
    column: int = 0
    """Column in cluster.yaml, from 1; 0 when not known."""

    def __str__(self) -> str:
        where = f"cluster.yaml:{self.line}:{self.column}" if self.line else ""
        return sanitize_line(" ".join(part for part in (self.node, where, self.field) if part))


@dataclass(frozen=True, slots=True)
class Finding:
    """One result of a rule or a check; its sentences are ``finding.<code>.message`` and ``finding.<code>.remedy``."""

    code: str
    """Stable and greppable, e.g. ``RBD-VIP-003``."""
    severity: Severity
    place: Place = Place()
    params: Mapping[str, str | int | float | Text] = field(default_factory=dict)
    """Values for the places in both sentences."""
    evidence: str = ""
    """What was seen, raw: a value, the output of a command. Never a secret."""
    acknowledged: str = ""
    """The reason with which the operator accepts it; it was a warning and is told as a note then."""

    @property
    def identity(self) -> Identity:
        """What makes two findings the same, in whatever language they are told and whatever was seen.

        Of a node's finding it is the node that counts, because one may name the field and the other only the node.
        """
        place = ("", self.place.node) if self.place.node else (self.place.field, "")
        return (self.code, *place, _frozen(self.params))

    @property
    def message(self) -> Text:
        """What is wrong."""
        return Text(f"finding.{self.code}.message", self.params)

    @property
    def remedy(self) -> Text:
        """What to do about it, and what is allowed."""
        return Text(f"finding.{self.code}.remedy", self.params)

    def on_form(self) -> Finding:
        """The finding as it is told on a form, which has labels for the fields of cluster.yaml."""
        return replace(self, params={**self.params, ON_FORM: 1})

    def to_json(self) -> dict[str, object]:
        """The published form of ``check --json``, in the current language."""
        place = {
            "field": self.place.field,
            "node": self.place.node,
            "line": self.place.line,
            "column": self.place.column,
        }
        reason = {"acknowledged": self.acknowledged} if self.acknowledged else {}
        return {
            "code": self.code,
            "severity": self.severity.value,
            "place": place,
            "message": str(self.message),
            "evidence": self.evidence,
            "remedy": str(self.remedy),
            **reason,
        }


def _frozen(params: Mapping[str, str | int | float | Text]) -> Hashable:
    """Values of a sentence, so that they can be compared: sentences inside it by their key and values."""
    return frozenset(
        (name, (value.key, _frozen(value.params)) if isinstance(value, Text) else value)
        for name, value in params.items()
    )


def count_by_severity(findings: Iterable[Finding]) -> dict[str, int]:
    """How many findings there are of each severity, zeros included."""
    counts = Counter(finding.severity for finding in findings)
    return {severity.value: counts[severity] for severity in Severity}


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding stops a run."""
    return any(finding.severity is Severity.ERROR for finding in findings)
