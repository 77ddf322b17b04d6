"""Hosts side by side: what shows only then."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.checks import check_cluster
from rbdtui.facts.model import Clock, Interface, NodeFacts, Route
from rbdtui.findings import Severity
from rbdtui.words import LANGUAGES, say
from tests.checks.cases import RAINBOND, E, I, W
from tests.checks.support import VIP, claimed, good_facts, mac, place

Facts = dict[str, NodeFacts]


def three() -> Facts:
    return {f"node{index}": good_facts(index) for index in (1, 2, 3)}


def changed(nodes: tuple[int, ...], **changes: object) -> Facts:
    """All is well, but for the named nodes."""
    spoilt = {f"node{index}": replace(good_facts(index), **changes) for index in nodes}  # type: ignore[arg-type]
    return {**three(), **spoilt}


def clocks(*readings: tuple[float, float]) -> Facts:
    nodes = enumerate(readings, start=1)
    return {f"node{index}": replace(good_facts(index), clock=Clock(*reading)) for index, reading in nodes}


def with_nic(index: int, *, address: str = "", **changes: object) -> NodeFacts:
    facts = good_facts(index)
    loopback, nic = facts.interfaces
    extra = (IPv4Interface(address),) if address else ()
    return replace(
        facts,
        interfaces=(loopback, replace(nic, addresses=(*nic.addresses, *extra), **changes)),  # type: ignore[arg-type]
    )


ETH9 = Interface("eth9", "52:54:00:aa:aa:a9", 1500, True, (IPv4Interface("192.168.9.7/24"),))
ELSEWHERE = Route(IPv4Network("0.0.0.0/0"), IPv4Address("192.168.9.1"), "eth9")


def two_cards(index: int, name: str = "eth0") -> NodeFacts:
    """The plan's address on one, the default route on the other."""
    facts = with_nic(index, name=name, mac=mac(index))
    last = replace(ETH9, mac=f"52:54:00:aa:ab:{index:02x}")
    return replace(facts, interfaces=(*facts.interfaces, last), routes=(ELSEWHERE,))


CASES: tuple[tuple[str, Callable[[], Facts], dict[str, Severity], str], ...] = (
    ("all is well", three, {}, ""),
    ("nobody answered", dict, {}, ""),
    ("canal is told of the other card by the plan", lambda: {f"node{i}": two_cards(i) for i in (1, 2, 3)}, {}, ""),
    (
        "an address that is on no card is told of its server alone",
        lambda: {"node1": two_cards(1), "node2": replace(two_cards(2), interfaces=(ETH9,)), "node3": two_cards(3)},
        {},
        "",
    ),
    (
        "cards are called differently",
        lambda: {**three(), "node2": two_cards(2, "eno1")},
        {"RBD-NET-109": W},
        "eno1",
    ),
    ("one name for two", lambda: changed((2, 3), hostname="localhost"), {"RBD-NAME-102": W}, "node2, node3"),
    ("names differ only in case", lambda: changed((1,), hostname="NODE2"), {"RBD-NAME-102": W}, "node1, node2"),
    ("cloned", lambda: changed((1, 3), machine_id="a" * 32), {"RBD-ID-101": W}, "node1, node3"),
    (
        "copied with their hardware id",
        lambda: changed((1, 2, 3), product_uuid="4c4c4544-0042-3510-8052-b4c04f333832"),
        {"RBD-ID-102": W},
        "node1, node2, node3",
    ),
    ("firmware without an id", lambda: changed((1, 2), product_uuid="00000000-0000-0000-0000-000000000000"), {}, ""),
    ("firmware with a word", lambda: changed((1, 2), product_uuid="Not Settable"), {}, ""),
    ("one MAC for two", lambda: {**three(), "node2": with_nic(2, mac=mac(1))}, {"RBD-ID-103": E}, mac(1)),
    ("two sizes of packets", lambda: {**three(), "node2": with_nic(2, mtu=9000)}, {"RBD-NET-103": W}, "9000: node2"),
    ("two architectures", lambda: changed((2,), arch="arm64"), {"RBD-OS-106": I}, "arm64: node2"),
    (
        "two hold the VIP",
        lambda: {name: claimed(with_nic(i, address=f"{VIP}/16")) for i, name in ((1, "node1"), (2, "node2"))},
        {"RBD-VIP-108": W},
        "node1, node2",
    ),
    ("clocks agree", lambda: clocks((0.1, 0.05), (0.2, 0.05), (-0.1, 0.05)), {}, ""),
    ("one clock is off", lambda: clocks((0.0, 0.01), (0.01, 0.01), (0.7, 0.01)), {"RBD-TIME-101": W}, "+0.69 s"),
    ("one clock is far off", lambda: clocks((0.0, 0.01), (-90.0, 0.01), (0.0, 0.01)), {"RBD-TIME-102": E}, "-90.00 s"),
    ("far off, if measured well", lambda: clocks((0.0, 0.01), (1.2, 0.3), (0.0, 0.01)), {"RBD-TIME-101": W}, "±0.30 s"),
    ("measured too roughly", lambda: clocks((0.0, 0.01), (0.9, 0.8), (0.0, 0.01)), {"RBD-TIME-105": I}, "±0.80 s"),
    ("the jump host is off", lambda: clocks((60.0, 0.1), (60.1, 0.1), (60.0, 0.1)), {"RBD-TIME-103": W}, "+60.00 s"),
    (
        "of two the jump host decides",
        lambda: clocks((0.0, 0.1), (5.0, 0.1)),
        {"RBD-TIME-102": E, "RBD-TIME-103": W},
        "",
    ),
    ("one clock was not read", lambda: changed((1,), clock=None), {}, ""),
)


@pytest.mark.parametrize(("name", "facts", "expected", "says"), CASES, ids=[case[0] for case in CASES])
def test_what_is_found(name: str, facts: Callable[[], Facts], expected: dict[str, Severity], says: str) -> None:
    findings = check_cluster(RAINBOND, facts(), place)
    assert {finding.code: finding.severity for finding in findings} == expected
    assert says in "\n".join(f"{finding.message}\n{finding.evidence}" for finding in findings)
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)


def test_of_two_clocks_only_the_one_that_is_off_is_blamed() -> None:
    findings = check_cluster(RAINBOND, clocks((0.0, 0.1), (5.0, 0.1)), place)
    assert [finding.place.node for finding in findings if finding.code == "RBD-TIME-102"] == ["node2"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(0, 3)), min_size=3, max_size=3))
def test_no_clock_is_called_wrong_on_a_rough_reading(readings: list[tuple[float, float]]) -> None:
    """Whatever was measured: a clock within its uncertainty of the median is never a warning or an error."""
    middle = sorted(offset for offset, _ in readings)[1]
    for finding in check_cluster(RAINBOND, clocks(*readings), place):
        if finding.code in ("RBD-TIME-101", "RBD-TIME-102"):
            offset, uncertainty = readings[int(finding.place.node[-1]) - 1]
            assert abs(offset - middle) - uncertainty > 0.5
