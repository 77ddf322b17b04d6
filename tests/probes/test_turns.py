"""When questions are asked: those about one target together, the targets spread, and none later than its interval."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.probes.settings import Cadence
from rbdtui.probes.turns import NEARNESS, Turns

SPAN_S = Cadence().gateway_s


def moments(turns: Turns, target: str, interval_s: float, until_s: float) -> list[float]:
    """When a target is asked at that pace, if each round takes no time."""
    at, found = 0.0, []
    while (at := turns.next_s(target, interval_s, at)) < until_s:
        found.append(at)
    return found


@pytest.mark.parametrize("field", ["vip_s", "api_s", "etcd_s", "cluster_s", "host_s", "services_s", "slow_s"])
def test_questions_about_one_target_meet_whatever_their_intervals(field: str) -> None:
    cadence = Cadence()
    turns = Turns(["node1", "node2", "node3", "VIP"], 0.0, SPAN_S)
    often = moments(turns, "node2", cadence.certificates_s, 300.0)
    for at in moments(turns, "node2", getattr(cadence, field), 280.0):
        assert min(abs(at - other) for other in often) < 1e-6


def test_targets_are_asked_apart_from_each_other() -> None:
    names = [f"node{number}" for number in range(50)]
    turns = Turns(names, 0.0, SPAN_S)
    firsts = sorted(turns.next_s(name, SPAN_S, 0.0) for name in names)
    gaps = [later - earlier for earlier, later in itertools.pairwise(firsts)]
    assert min(gaps) > 0.9 * SPAN_S / len(names)


@given(
    st.integers(1, 60), st.integers(0, 59), st.floats(0.05, 100.0), st.floats(0.0, 1e6), st.floats(0.0, 1e5),
)  # fmt: skip
def test_a_turn_comes_soon_and_never_at_once(
    targets: int, number: int, interval_s: float, begun_at_s: float, later_s: float
) -> None:
    turns = Turns([f"t{n}" for n in range(targets)], begun_at_s, SPAN_S)
    asked_at_s = begun_at_s + later_s
    wait_s = turns.next_s(f"t{number % targets}", interval_s, asked_at_s) - asked_at_s
    slack_s = 1e-6 * interval_s + 1e-7 * (1 + later_s)
    assert NEARNESS * interval_s - slack_s <= wait_s <= (1 + NEARNESS) * interval_s + slack_s


def test_a_round_begun_at_its_turn_is_followed_after_one_interval() -> None:
    turns = Turns(["a", "b"], 10.0, SPAN_S)
    first = turns.next_s("b", SPAN_S, 10.0)
    assert turns.next_s("b", SPAN_S, first + 0.01) == pytest.approx(first + SPAN_S)


def test_a_target_named_twice_has_one_share() -> None:
    turns = Turns(["a", "a", "b"], 0.0, 8.0)
    assert turns.next_s("b", 8.0, 0.0) == pytest.approx(4.0)
