"""The network between the hosts: which connections are tried, and what their outcomes mean."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.checks import check_network, check_node
from rbdtui.checks.hosts.ports import Way, listening_needs, ways
from rbdtui.checks.services import judge_service, vip
from rbdtui.checks.services.asking import Asking, no_secret
from rbdtui.checks.services.vip import VipAnswer
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.profiles import PROFILES, Profile
from rbdtui.spec.model import ClusterSpec, Role
from rbdtui.transport.base import Reach, ReachResult
from rbdtui.words import LANGUAGES, say
from tests.checks.cases import KUBERNETES, RAINBOND, E, W
from tests.checks.cases import holding_vip as held
from tests.checks.scripted_host import ScriptedHost
from tests.checks.support import VIP, claimed, good_facts, mac, place, spec_of

FOREIGN_MAC = "00:0c:29:01:02:03"


def outcome(reach: Reach, detail: str = "") -> ReachResult:
    return ReachResult(reach, 1.0, detail)


def all_ways(spec: ClusterSpec, reach: Reach = Reach.REFUSED) -> dict[Way, ReachResult]:
    return {way: outcome(reach) for way in ways(spec)}


def judged(
    tried: dict[Way, ReachResult] | None = None,
    *,
    seen: dict[str, VipAnswer] | None = None,
    ours: tuple[int, ...] = (),
    **facts: object,
) -> list[Finding]:
    known = {f"node{i}": claimed(good_facts(i)) if i in ours else good_facts(i) for i in (1, 2, 3)}
    all_facts: dict[str, NodeFacts] = {**known, **facts}  # type: ignore[dict-item]
    view = ClusterView(KUBERNETES, all_facts, place, KUBERNETES.profile.limits)
    return [*check_network(KUBERNETES, all_facts, tried or {}, place), *judge_service(vip.CHECK, seen or {}, view)]


def codes(findings: list[Finding]) -> dict[str, Severity]:
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
    return {finding.code: finding.severity for finding in findings}


def test_refused_and_open_mean_that_the_way_is_free() -> None:
    tried = all_ways(KUBERNETES)
    tried[Way("node1", "node2", 6443)] = outcome(Reach.OPEN)
    assert judged(tried) == []


@pytest.mark.parametrize("reach", [Reach.TIMED_OUT, Reach.UNREACHABLE])
def test_a_filter_between_two_nodes(reach: Reach) -> None:
    tried = all_ways(KUBERNETES)
    for port in (2379, 2380):
        tried[Way("node1", "node3", port)] = outcome(reach, "No route to host")
    findings = judged(tried)
    assert codes(findings) == {"RBD-NET-110": E}
    assert str(findings[0].message) == "node1 cannot reach node3 (10.0.0.13) on TCP 2379, 2380."
    assert f"node1 -> node3:2379 {reach} No route to host" in findings[0].evidence
    assert findings[0].place.node == "node3"


def test_nobody_reaches_an_address_that_its_host_does_not_have_and_that_is_told_once() -> None:
    tried = {way: outcome(Reach.TIMED_OUT if way.target == "node3" else Reach.REFUSED) for way in all_ways(KUBERNETES)}
    assert codes(judged(tried)) == {"RBD-NET-111": E}
    elsewhere = replace(good_facts(3), interfaces=good_facts(9).interfaces)
    assert judged(tried, node3=elsewhere) == []
    assert codes(check_node(KUBERNETES, elsewhere, place)).get("RBD-NET-101") == E
    unknown = replace(good_facts(3), interfaces=())
    assert codes(judged(tried, node3=unknown)) == {"RBD-NET-111": E}


def test_a_filter_on_one_node_against_all_is_one_finding() -> None:
    tried = all_ways(KUBERNETES)
    for way in tried:
        if way.target == "node2" and way.port == 9345:
            tried[way] = outcome(Reach.TIMED_OUT)
    findings = judged(tried)
    assert codes(findings) == {"RBD-NET-111": E}
    assert "node1, node3" in str(findings[0].message)


def test_a_node_that_forwards_nothing_is_one_warning() -> None:
    tried = all_ways(KUBERNETES)
    for name in ("node2", "node3"):
        tried[next(way for way in tried if way.source == name)] = outcome(
            Reach.FORBIDDEN, "administratively prohibited"
        )
    findings = judged(tried)
    assert codes(findings) == {"RBD-NET-112": W}
    assert "node2, node3" in str(findings[0].message)


def test_nobody_answers_for_the_vip() -> None:
    free = {name: VipAnswer(outcome(Reach.UNREACHABLE)) for name in ("node1", "node2", "node3")}
    assert judged(seen=free) == []


def test_a_foreign_machine_has_the_vip() -> None:
    answers = {name: VipAnswer(outcome(Reach.TIMED_OUT), (FOREIGN_MAC,)) for name in ("node1", "node2")}
    findings = judged(seen=answers)
    assert codes(findings) == {"RBD-VIP-105": E}
    assert FOREIGN_MAC in str(findings[0].message)
    assert "node1, node2" in str(findings[0].message)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(VipAnswer(outcome(Reach.TIMED_OUT), (FOREIGN_MAC,), for_all=True), id="seen at other addresses"),
        pytest.param(VipAnswer(outcome(Reach.TIMED_OUT), ("ee:ff:ff:ff:ff:ff",)), id="a cloud's known one"),
    ],
)
def test_a_network_that_answers_for_every_address_is_no_proof(answer: VipAnswer) -> None:
    findings = judged(seen={"node1": answer, "node2": answer})
    assert codes(findings) == {"RBD-VIP-111": Severity.WARNING}
    assert "allowed_address_pairs" in str(findings[0].remedy)


@pytest.mark.parametrize(
    ("elsewhere", "for_all"), [(FOREIGN_MAC, True), ("02:00:00:00:00:99", False), ("", False)], ids=str
)
async def test_other_addresses_are_asked_for_once_the_vip_has_an_answer(elsewhere: str, for_all: bool) -> None:
    def neighbours(args: tuple[str, ...]) -> str:
        if "forget" in args:
            return "forgotten\n"
        found = FOREIGN_MAC if args[0] == VIP else elsewhere
        return f"neighbour {found} eth0\n" if found else ""

    host = ScriptedHost("node1", {}, reaches=lambda address, port: Reach.TIMED_OUT, neighbours=neighbours)
    question = vip.CHECK.question(spec_of())
    assert question is not None
    answer = await vip.CHECK.ask(question, Asking(no_secret, host))
    assert answer.for_all is for_all
    asked = {address for address, _ in host.reached} - {VIP}
    assert len(asked) == 2
    assert not asked & {str(node.address) for node in spec_of().nodes}


def test_a_virtual_router_has_the_vip() -> None:
    findings = judged(seen={"node1": VipAnswer(outcome(Reach.REFUSED), ("00:00:5e:00:01:33",))})
    assert codes(findings) == {"RBD-VIP-109": E}
    assert "id 51" in str(findings[0].message)


def test_a_node_of_the_plan_has_the_vip_and_nobody_knows_why() -> None:
    findings = judged(seen={"node1": VipAnswer(outcome(Reach.OPEN), (mac(3),))})
    assert codes(findings) == {"RBD-VIP-107": E}
    assert "node3" in str(findings[0].message)


def test_our_own_gateway_has_the_vip_on_a_second_run() -> None:
    answers = {
        "node1": VipAnswer(outcome(Reach.OPEN), (mac(3),)),
        "node2": VipAnswer(outcome(Reach.OPEN)),
        "node3": VipAnswer(own=True),
    }
    third = held(claimed(good_facts(3)))
    assert judged(seen=answers, ours=(1, 2, 3), node3=third) == []


def test_something_beyond_a_router_has_the_vip() -> None:
    findings = judged(seen={"node1": VipAnswer(outcome(Reach.REFUSED))})
    assert codes(findings) == {"RBD-VIP-106": E}
    assert VIP in str(findings[0].message)


@given(st.integers(1, 60), st.sampled_from(PROFILES), st.integers(1, 400))
@settings(deadline=None, max_examples=30)
def test_what_is_tried_covers_every_server_and_stays_within_bounds(count: int, profile: Profile, budget: int) -> None:
    spec = spec_of(count, profile=profile)
    tried = ways(spec, pair_budget=budget)
    assert len(set(tried)) == len(tried)
    assert all(way.source != way.target for way in tried)
    names = [node.name for node in spec.nodes]
    for server in spec.nodes_with(Role.CONTROL_PLANE):
        for name in names:
            if name != server.name:
                assert Way(name, server.name, 6443) in tried
                assert Way(name, server.name, 9345) in tried
    for source in spec.servers:
        for target in spec.servers:
            if source.name != target.name:
                assert Way(source.name, target.name, 2380) in tried
    pairs = [way for way in tried if way.port == 10250]
    assert len(pairs) <= max(budget, count)
    if count > 1:
        assert set(Counter(way.source for way in pairs)) == set(names)
        assert set(Counter(way.target for way in pairs)) == set(names)


def test_what_is_tried_on_three_nodes() -> None:
    ports = {way.port for way in ways(RAINBOND) if (way.source, way.target) == ("node1", "node2")}
    assert ports == {80, 443, 2379, 2380, 6060, 6443, 7070, 8443, 9345, 10250}


def test_what_listens_follows_the_roles() -> None:
    spec = spec_of(4)
    on = {node.name: {need.port for need in listening_needs(spec, node) if need.essential} for node in spec.nodes}
    assert {6443, 9345, 2379, 2380, 2381, 10250, 8472, 80, 443, 6060, 7070, 8443, 7080, 8889, 9180} <= on["node1"]
    assert on["node4"] == {10250, 10248, 10249, 10256, 10010, 6443, 6444, 8472, 9099}
    etcd_only = spec.nodes[0].model_copy(update={"roles": [Role.ETCD]})
    assert {need.port for need in listening_needs(spec, etcd_only)} >= {9345, 2379}
    assert {need.purpose for need in listening_needs(spec, etcd_only) if need.port == 6443} == {"RKE2 balancer"}


def test_a_single_node_tries_nothing() -> None:
    single = replace_nodes(spec_of(3), 1)
    assert ways(single) == ()


def replace_nodes(spec: ClusterSpec, count: int) -> ClusterSpec:
    return spec.model_copy(update={"nodes": spec.nodes[:count]})


def test_macs_are_compared_for_all_interfaces_of_a_node() -> None:
    first = good_facts(1)
    bridge = replace(first.interfaces[1], name="br0", mac="52:54:00:99:99:99", addresses=())
    with_bridge = replace(first, interfaces=(*first.interfaces, bridge))
    answers = {"node2": VipAnswer(outcome(Reach.OPEN), ("52:54:00:99:99:99",))}
    assert codes(judged(seen=answers, node1=with_bridge)) == {"RBD-VIP-107": E}
