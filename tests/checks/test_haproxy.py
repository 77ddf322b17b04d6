"""What is asked of balancers, and what is not; and the proof through a pair that stands."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rbdtui.checks import check_cluster, check_node
from rbdtui.checks.hosts.ports import Way, listening_needs, ways
from rbdtui.checks.services.balancer import CHECK
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Listener, NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from tests.checks.cases import ALL_FACTS
from tests.checks.support import GIB, Packages, claimed, good_facts, on_mount, place, spec_of

PORTS = (80, 443, 6060, 7070, 8443)


def pair_of(**changed: Any) -> ClusterSpec:
    data = spec_of(5).model_dump(mode="json", exclude_unset=True)
    for node in data["nodes"][3:]:
        node["roles"] = ["balancer"]
    data["gateway"] = {"mode": "haproxy", "vip": "10.0.0.100/16", "virtual_router_id": 87}
    return ClusterSpec.model_validate({**data, **changed})


SPEC = pair_of()


def found(facts: NodeFacts, **more: Any) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in check_node(SPEC, facts, place, **more)}


def told(facts: NodeFacts, **more: Any) -> list[Finding]:
    return check_node(SPEC, facts, place, **more)


def haproxy_on(facts: NodeFacts, *ports: int) -> NodeFacts:
    listeners = tuple(Listener("tcp", "0.0.0.0", port, "haproxy", 700, "haproxy.service") for port in ports)
    return replace(facts, listeners=(*facts.listeners, *listeners), active_units=facts.active_units | {"haproxy"})


def test_a_small_clean_server_is_good_enough_for_a_balancer() -> None:
    small = replace(good_facts(4), cpu_count=2, kernel="3.10.0-300")
    small = replace(small, memory=replace(small.memory, total_bytes=2 * GIB))
    assert found(small) == {}
    assert found(replace(small, tools=small.tools - {"iptables", "mount.nfs", "modprobe"})) == {}
    assert found(replace(small, leftovers=("/etc/cni",))) == {}


def test_what_a_balancer_needs_is_asked_for() -> None:
    facts = good_facts(4)
    assert found(replace(facts, tools=facts.tools - {"bash"})) == {"RBD-TOOL-101": Severity.ERROR}
    without = replace(facts, tools=facts.tools - {"haproxy"})
    packages = Packages("debian-12-amd64 with haproxy")
    assert found(without) == {}, "nobody has looked at the bundle yet"
    assert found(without, bundle=packages) == {"RBD-LB-105": Severity.INFO}
    assert found(without, bundle=Packages("debian-12-amd64")) == {"RBD-LB-106": Severity.ERROR}
    assert "RBD-LB-102" in found(replace(facts, tools=facts.tools - {"keepalived"}), bundle=packages)
    assert "RBD-LB-106" not in found(replace(good_facts(1), tools=facts.tools - {"haproxy"}), bundle=packages)


def test_somebody_elses_haproxy_is_found_and_a_configuration_is_said_to_be_kept() -> None:
    facts = good_facts(4)
    (used,) = [each for each in told(haproxy_on(facts, 443, 5432)) if each.code == "RBD-LB-107"]
    assert used.params["ports"] == "443, 5432"
    assert found(haproxy_on(facts, 443))["RBD-PORT-101"] is Severity.ERROR
    idle = replace(facts, files=facts.files | {"/etc/haproxy/haproxy.cfg"})
    (kept,) = told(idle)
    assert (kept.code, kept.params["path"]) == ("RBD-LB-104", "/etc/haproxy/haproxy.cfg")
    ours = claimed(haproxy_on(idle, *PORTS, 6443, 9345, 8404))
    assert found(ours) == {}
    assert found(replace(good_facts(1), files=idle.files)) == {}


def test_a_keepalived_of_ours_that_stayed_on_a_gateway_is_found() -> None:
    stayed = claimed(replace(good_facts(1), active_units=good_facts(1).active_units | {"keepalived"}))
    assert found(stayed) == {"RBD-LB-108": Severity.ERROR}
    assert check_node(spec_of(), stayed, place) == []


def test_the_ports_of_the_pair_are_kept_free_and_reached_by_all() -> None:
    needs = {need.port for need in listening_needs(SPEC, SPEC.node("node4"))}
    assert needs == {*PORTS, 6443, 9345, 8404}
    tried = ways(SPEC)
    assert Way("node1", "node4", 443) in tried
    assert Way("node4", "node1", 6443) in tried
    assert Way("node4", "node2", 8443) in tried
    assert not any(way.port == 10250 and "node4" in (way.source, way.target) for way in tried)
    assert not any(way.port in (2379, 2380) and way.source == "node4" for way in tried)


def test_what_only_nodes_of_kubernetes_must_have_in_common_leaves_balancers_out() -> None:
    facts = {f"node{index}": good_facts(index) for index in range(1, 6)}
    facts["node4"] = replace(facts["node4"], arch="arm64")
    codes = [finding.code for finding in check_cluster(SPEC, facts, place)]
    assert "RBD-OS-106" not in codes


@pytest.mark.parametrize("fact", ALL_FACTS)
def test_a_balancer_of_which_one_thing_is_not_known_is_judged_all_the_same(fact: str) -> None:
    assert "RBD-FACT-101" in found(replace(good_facts(4), failed={fact: "no answer"}))


def view_of(**changed: NodeFacts) -> ClusterView:
    facts = {f"node{index}": good_facts(index) for index in range(1, 6)} | changed
    return ClusterView(SPEC, facts, place, SPEC.profile.limits)


def test_the_gateway_ports_are_proven_through_a_pair_that_stands() -> None:
    assert CHECK.question(view_of()) is None, "the pair is still to be made"
    stands = claimed(haproxy_on(good_facts(4), *PORTS, 6443, 9345))
    question = CHECK.question(view_of(node4=stands, node1=claimed(good_facts(1))))
    assert question is not None
    assert [(door.address, door.port, door.servers) for door in question.doors] == [
        ("10.0.0.100", port, ("node1", "node2", "node3")) for port in PORTS
    ]
    listens = replace(good_facts(1), listeners=(Listener("tcp", "0.0.0.0", 443, "rbd-gateway", 9, ""),))
    question = CHECK.question(view_of(node4=stands, node1=listens))
    assert question is not None
    assert [door.port for door in question.doors] == [80, 6060, 7070, 8443]


def test_room_for_rke2_is_not_asked_of_a_balancer() -> None:
    assert GIB < 12 * GIB
    mount = good_facts(4).mounts[0]
    little = on_mount(good_facts(4), replace(mount, size_bytes=12 * GIB, available_bytes=6 * GIB))
    assert found(little) == {}
