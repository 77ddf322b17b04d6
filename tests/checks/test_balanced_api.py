"""What `check` makes of an API behind a balancer, once servers of ours run, by the table.

Through a real HAProxy `probes/test_led_to.py` looks, through a simulated one `plan/test_foreign_balancer.py`.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from rbdtui.checks.services.balanced_api import CHECK
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Listener, NodeFacts
from rbdtui.findings import Finding
from rbdtui.probes.led_to import HERE, LedTo, api_front
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.checks.support import claimed, good_facts, place, spec_of

LB = "10.0.0.200"
OWN = {"node1": "a", "node2": "b", "node3": "c"}


def behind(**api: object) -> ClusterSpec:
    return spec_of(gateway={"mode": "none"}, api={"mode": "external", "address": LB, **api})


def installed(number: int) -> NodeFacts:
    listens = Listener("tcp", "0.0.0.0", 6443, "kube-apiserver", 7, "")
    return replace(claimed(good_facts(number)), listeners=(listens,))


def view_of(spec: ClusterSpec, **facts: NodeFacts) -> ClusterView:
    return ClusterView(spec, facts, place, spec.profile.limits)


def all_installed() -> dict[str, NodeFacts]:
    return {f"node{number}": installed(number) for number in (1, 2, 3)}


def told(own: dict[str, str] | None = None, **met: str) -> list[Finding]:
    """Findings for fingerprints met by place, a letter each."""
    view = view_of(behind(), **all_installed())
    question = CHECK.question(view)
    assert question is not None
    by_place = {HERE if at == "here" else at: list(shown) for at, shown in met.items()}
    lost = {} if met else {HERE: ["refused"]}
    return list(CHECK.judge(question, LedTo(question.front, OWN if own is None else own, by_place, lost), view))


def test_only_servers_of_ours_that_run_are_asked_for() -> None:
    spec = behind()
    question = CHECK.question(view_of(spec, **all_installed()))
    assert question is not None
    assert question.nodes == ("node1", "node2", "node3")
    fresh = {f"node{number}": good_facts(number) for number in (1, 2, 3)}
    assert CHECK.question(view_of(spec, **fresh)) is None, "before the installation listeners of ours are led to"
    assert CHECK.question(view_of(spec, node1=claimed(good_facts(1)))) is None, "claimed, and nothing runs yet"
    alone = CHECK.question(view_of(spec, node2=installed(2)))
    assert alone is not None
    assert alone.nodes == ("node2",), "of servers that do not let us in others are asked"
    assert CHECK.question(view_of(spec_of(), **all_installed())) is None, "a VIP of keepalived leads to its holder"


@pytest.mark.parametrize(
    ("own", "met", "expected", "hosts"),
    [
        pytest.param(None, {"here": "abc"}, [], "", id="all are met"),
        pytest.param({"node1": "a"}, {"here": "aaaa"}, [], "", id="those that are dead are not missed"),
        pytest.param(None, {"here": "acac"}, [("RBD-LB-125", "warning")], "node2", id="one is forgotten"),
        pytest.param(None, {"here": "aa", "node2": "aa"}, [("RBD-LB-126", "warning")], "node2, node3", id="only one"),
        pytest.param(None, {}, [("RBD-LB-127", "warning")], "node1, node2, node3", id="nobody"),
        pytest.param(None, {"here": "aa", "node1": "bb"}, [("RBD-LB-128", "info")], "node3", id="clients are kept"),
        pytest.param({**OWN, "node2": "a"}, {"here": "ac"}, [("RBD-LB-129", "info")], "", id="alike"),
        pytest.param(None, {"here": "abcz"}, [("RBD-LB-130", "warning")], "", id="a stranger among them"),
        pytest.param(None, {"here": "zzz"}, [("RBD-LB-130", "warning")], "", id="nobody but a stranger"),
    ],
)
def test_what_is_met_becomes_a_finding(
    own: dict[str, str] | None, met: dict[str, str], expected: list[tuple[str, str]], hosts: str
) -> None:
    found = told(own, **met)
    assert [(finding.code, finding.severity.value) for finding in found] == expected
    for finding in found:
        assert finding.place.field == "kubernetes.api.address"
        assert finding.params.get("hosts", "") == hosts
        assert finding.evidence
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)


def test_no_answer_within_the_limit_is_a_finding() -> None:
    view = view_of(behind(), **all_installed())
    question = CHECK.question(view)
    assert question is not None
    assert api_front(view.spec) == question.front
    (finding,) = CHECK.judge(question, None, view)
    assert (finding.code, finding.severity.value) == ("RBD-LB-124", "warning")
