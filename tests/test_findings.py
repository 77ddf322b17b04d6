"""Findings: which of two is worse, and when two are the same."""

from __future__ import annotations

import pytest

from rbdtui.findings import Finding, Place, Severity
from rbdtui.words import LANGUAGES, T, switch_language

NODE1 = Place(node="node1")


def finding(code: str = "RBD-NAME-105", place: Place = NODE1, **params: str | int) -> Finding:
    return Finding(code, Severity.WARNING, place, params)


def test_an_error_is_worse_than_a_warning_than_a_word() -> None:
    assert sorted(Severity, key=lambda severity: severity.rank) == [Severity.ERROR, Severity.WARNING, Severity.INFO]


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(finding(name="a"), True, id="the same"),
        pytest.param(finding(place=Place("nodes[0].name", "node1", 3, 1), name="a"), True, id="with the field, too"),
        pytest.param(finding(name="b"), False, id="another value"),
        pytest.param(finding(place=Place(node="node2"), name="a"), False, id="another node"),
        pytest.param(finding("RBD-NAME-106", name="a"), False, id="another code"),
    ],
)
def test_findings_are_the_same_by_code_place_and_values(other: Finding, same: bool) -> None:
    assert (finding(name="a").identity == other.identity) is same


def test_without_a_node_the_field_tells_them_apart() -> None:
    first, second = (finding(place=Place(field)) for field in ("gateway.vip", "gateway.mode"))
    assert first.identity != second.identity


def test_what_it_is_does_not_depend_on_the_language() -> None:
    seen = set()
    for language in LANGUAGES:
        switch_language(language)
        told = Finding("RBD-LOSS-001", Severity.WARNING, Place(node="node1"), {"losses": T("survival.etcd.lost")})
        seen.add(told.identity)
    assert len(seen) == 1
    other = Finding("RBD-LOSS-001", Severity.WARNING, Place(node="node1"), {"losses": T("survival.builds.lost")})
    assert other.identity not in seen
