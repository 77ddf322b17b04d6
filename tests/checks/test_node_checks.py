"""One host at a time: what spoils it, and the findings that follow; nothing else may be found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbdtui.checks import NODE_CHECKS, check_node
from rbdtui.findings import Finding
from rbdtui.words import LANGUAGES, say
from tests.checks.cases import RAINBOND, Case
from tests.checks.cases_ceph import CEPH_CASES
from tests.checks.cases_network import NETWORK_CASES
from tests.checks.cases_software import SOFTWARE_CASES
from tests.checks.cases_system import SYSTEM_CASES
from tests.checks.support import good_facts, place

CASES = (*SYSTEM_CASES, *NETWORK_CASES, *SOFTWARE_CASES, *CEPH_CASES)


def found(case: Case) -> list[Finding]:
    facts = case.spoil(good_facts())
    return check_node(case.spec, facts, place, bundle=case.bundle, cluster_id=case.cluster_id)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_found(case: Case) -> None:
    findings = found(case)
    assert {finding.code: finding.severity for finding in findings} == case.expected
    said = "\n".join(f"{finding.message}\n{finding.evidence}" for finding in findings)
    for part in case.says:
        assert part in said


def test_findings_name_node_field_and_line() -> None:
    facts = replace(good_facts(2), interfaces=good_facts(1).interfaces)
    finding = next(f for f in check_node(RAINBOND, facts, place) if f.code == "RBD-NET-101")
    assert (finding.place.node, finding.place.field, finding.place.line) == ("node2", "nodes[1].address", 1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_complete(language: str) -> None:
    for case in CASES:
        for finding in found(case):
            for sentence in (say(finding.message, language), say(finding.remedy, language)):
                assert sentence
                assert "{" not in sentence, finding.code


def test_checks_are_each_registered_once() -> None:
    assert len(set(NODE_CHECKS)) == len(NODE_CHECKS)
