"""Warnings that the operator accepts become notes with their reason; errors stay what they are."""

from __future__ import annotations

import pytest

from rbdtui.findings import Finding, Place, Severity
from rbdtui.spec.acknowledged import weighed
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.rules import check_rules
from tests.spec.samples import GOOD

WARNING = Finding("RBD-HW-102", Severity.WARNING, Place(node="node2"))
ELSEWHERE = Finding("RBD-HW-102", Severity.WARNING, Place(node="node3"))
ERROR = Finding("RBD-DISK-101", Severity.ERROR, Place(node="node2"))


def accepted(*entries: str) -> str:
    return GOOD + "acknowledged:\n" + "".join(f"  - {{{entry}}}\n" for entry in entries)


@pytest.mark.parametrize(
    ("entry", "left", "reasons"),
    [
        ("code: RBD-HW-102, reason: trial", [], ["trial", "trial"]),
        ("code: RBD-HW-102, node: node2, reason: small on purpose", ["node3"], ["small on purpose"]),
        ("code: RBD-HW-103, reason: trial", ["node2", "node3"], []),
    ],
)
def test_a_warning_is_accepted_everywhere_or_on_one_node(entry: str, left: list[str], reasons: list[str]) -> None:
    loaded = parse_spec(accepted(entry))
    told = weighed([WARNING, ELSEWHERE], loaded.spec, loaded.place)
    assert [finding.place.node for finding in told if finding.severity is Severity.WARNING] == left
    assert [finding.acknowledged for finding in told if finding.severity is Severity.INFO] == reasons


def test_an_error_stays_and_that_it_was_acknowledged_is_told_once() -> None:
    loaded = parse_spec(accepted("code: RBD-DISK-101, reason: never mind"))
    other = Finding("RBD-DISK-101", Severity.ERROR, Place(node="node3"))
    told = weighed([ERROR, other], loaded.spec, loaded.place)
    assert [(each.code, each.severity.value) for each in told] == [
        ("RBD-DISK-101", "error"),
        ("RBD-DISK-101", "error"),
        ("RBD-ACK-003", "warning"),
    ]
    assert told[2].place.field == "acknowledged[0].code"
    assert told[2].place.line == len(GOOD.splitlines()) + 2


def test_a_note_needs_no_reason_and_nothing_is_weighed_without_a_plan() -> None:
    loaded = parse_spec(accepted("code: RBD-HW-102, reason: trial"))
    note = Finding("RBD-HW-102", Severity.INFO)
    assert weighed([note], loaded.spec, loaded.place) == [note]
    assert weighed([WARNING], None, loaded.place) == [WARNING]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ("code: RBD-XX-1, reason: trial", "RBD-ACK-001"),
        ("code: RBD-HW-999, reason: trial", "RBD-ACK-001"),
        ("code: RBD-HW-102", "RBD-SPEC-002"),
        ('code: RBD-HW-102, reason: ""', "RBD-SPEC-015"),
        ("code: RBD-HW-102, node: Node2, reason: trial", "RBD-SPEC-012"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused_at_its_place(entry: str, code: str) -> None:
    (finding,) = parse_spec(accepted(entry)).findings
    assert finding.code == code
    assert finding.place.field.startswith("acknowledged[0]")


def test_a_node_that_is_not_planned_is_named() -> None:
    loaded = parse_spec(accepted("code: RBD-HW-102, node: node9, reason: trial"))
    assert loaded.spec is not None
    (finding,) = [each for each in check_rules(loaded.spec, loaded.place) if each.code.startswith("RBD-ACK")]
    assert (finding.code, finding.place.field) == ("RBD-ACK-002", "acknowledged[0].node")


def test_the_published_form_has_the_reason() -> None:
    loaded = parse_spec(accepted("code: RBD-HW-102, reason: trial"))
    first, second = (finding.to_json() for finding in weighed([WARNING, ERROR], loaded.spec, loaded.place))
    assert (first["severity"], first["acknowledged"]) == ("info", "trial")
    assert "acknowledged" not in second
