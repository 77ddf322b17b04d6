"""Clocks of the servers that run Ceph's monitors."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbdtui.checks import check_cluster
from rbdtui.facts.model import Clock, NodeFacts
from rbdtui.words import LANGUAGES, say
from tests.checks.cases import RAINBOND
from tests.checks.cases_ceph import CEPH
from tests.checks.support import good_facts, place


def hosts(*offsets_s: float, uncertainty_s: float = 0.002) -> dict[str, NodeFacts]:
    return {
        f"node{i}": replace(good_facts(i), clock=Clock(offset, uncertainty_s)) for i, offset in enumerate(offsets_s, 1)
    }


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        (hosts(3.0, 3.01, 3.05), ()),
        (hosts(0.0, 0.04, -0.04), ("node3", "node2", "76", "4")),
        (hosts(0.0, 0.04, -0.04, uncertainty_s=0.02), ()),
        (hosts(0.0), ()),
    ],
    ids=["close to each other", "80 ms apart", "nobody knows", "one answered"],
)
def test_what_is_proven_is_told(facts: dict[str, NodeFacts], told: tuple[str, ...]) -> None:
    findings = [finding for finding in check_cluster(CEPH, facts, place) if finding.code == "RBD-CEPH-112"]
    assert len(findings) == bool(told)
    for finding in findings:
        for language in LANGUAGES:
            assert all(part in say(finding.message, language) for part in told)


def test_without_ceph_80_ms_are_nothing() -> None:
    assert not [each for each in check_cluster(RAINBOND, hosts(0.0, 0.04, -0.04), place) if "CEPH" in each.code]
