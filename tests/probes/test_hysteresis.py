"""When answers become states: by table, and for any sequence of answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rbdtui.probes import api, board, certificates, cluster, components, hosts, turns
from rbdtui.probes.hysteresis import HISTORY, Hysteresis, Tracker
from rbdtui.probes.model import Answer, HealthEvent, ProbeKey, ProbeState
from rbdtui.probes.settings import Cadence
from rbdtui.words import T

KEY = ProbeKey(api.API, "node1", 6443)
LETTERS = {
    "o": ProbeState.OK,
    "e": ProbeState.EXPECTED,
    "g": ProbeState.DEGRADED,
    "d": ProbeState.DOWN,
    "u": ProbeState.UNKNOWN,
}


def answer(state: ProbeState, latency_ms: float | None = None) -> Answer:
    return Answer(KEY, state, T("probe.api.ok"), latency_ms)


def tracker(hysteresis: Hysteresis | None = None) -> Tracker:
    return Tracker(KEY, hysteresis or Hysteresis(), T("probe.waiting"), 0.0)


@pytest.mark.parametrize(
    ("answers", "states"),
    [
        ("o", "o"),
        ("d", "d"),
        ("u", "u"),
        ("od", "oo"),
        ("oddd", "oood"),
        ("oddoddd", "ooooood"),
        ("dod", "ddd"),
        ("doo", "ddo"),
        ("dodoo", "ddddo"),
        ("odud", "oood"),
        ("oddu", "ooou"),
        ("ogdg", "ooog"),
        ("uoo", "uuo"),
        ("eoo", "eeo"),
        ("oeee", "oooe"),
        ("ddgg", "dddg"),
    ],
)
def test_states_after_answers(answers: str, states: str) -> None:
    probe = tracker()
    seen = []
    for at, letter in enumerate(answers, 1):
        probe.feed(answer(LETTERS[letter]), float(at))
        seen.append(probe.status().state)
    assert seen == [LETTERS[letter] for letter in states]


def test_first_answer_counts_at_once_and_is_marked() -> None:
    probe = tracker()
    assert probe.status().state is ProbeState.UNKNOWN
    assert str(probe.status().detail) == "Not checked yet."
    event = probe.feed(answer(ProbeState.DOWN), 5.0)
    assert event == HealthEvent(KEY, ProbeState.UNKNOWN, ProbeState.DOWN, T("probe.api.ok"), None, 5.0, first=True)


def test_since_is_the_time_of_the_change_and_not_of_the_newest_answer() -> None:
    probe = tracker()
    for at, state in enumerate([ProbeState.OK, ProbeState.OK, ProbeState.DOWN, ProbeState.DOWN, ProbeState.DOWN], 1):
        probe.feed(answer(state), float(at))
    assert probe.status().since == 5.0
    probe.feed(answer(ProbeState.DOWN), 9.0)
    status = probe.status()
    assert (status.since, status.answered_at) == (5.0, 9.0)


def test_answers_that_do_not_count_yet_are_kept_for_a_closer_look() -> None:
    probe = tracker()
    probe.feed(answer(ProbeState.OK, 2.0), 1.0)
    probe.feed(answer(ProbeState.DOWN), 2.0)
    status = probe.status()
    assert status.state is ProbeState.OK
    assert status.newest is not None
    assert status.newest.state is ProbeState.DOWN
    assert status.latencies_ms == (2.0, None)


def test_another_fact_is_an_event_at_once_though_the_state_stays() -> None:
    probe = tracker()
    said = []
    for at, holder in enumerate(["node1", "node1", "", "node2", "node2"], 1):
        event = probe.feed(replace(answer(ProbeState.OK), fact=holder), float(at))
        said.append(event and (event.old, event.new, event.first))
    ok = ProbeState.OK
    assert said == [(ProbeState.UNKNOWN, ok, True), None, None, (ok, ok, False), None]
    assert probe.status().since == 4.0


@pytest.mark.parametrize(("answers", "unsettled"), [("o", False), ("od", True), ("odo", False), ("oddd", False)])
def test_wavering(answers: str, unsettled: bool) -> None:
    probe = tracker()
    for letter in answers:
        probe.feed(answer(LETTERS[letter]), 1.0)
    assert probe.unsettled is unsettled


def test_history_is_a_ring() -> None:
    probe = tracker()
    for number in range(HISTORY + 30):
        probe.feed(answer(ProbeState.OK, float(number)), float(number))
    assert probe.status().latencies_ms == tuple(float(number) for number in range(30, HISTORY + 30))


states = st.sampled_from(list(ProbeState))


@given(st.lists(states, min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 5))
def test_any_sequence(sequence: list[ProbeState], down_after: int, up_after: int) -> None:
    probe = tracker(Hysteresis(down_after, up_after))
    longest = max(down_after, up_after)
    last_other = 0
    for number, state in enumerate(sequence, 1):
        before = probe.status().state
        event = probe.feed(answer(state), float(number))
        after = probe.status().state
        assert (event is not None) == (after is not before)
        if event is not None:
            assert (event.old, event.new) == (before, after)
            assert after is state
            # Every answer since the last change or the last agreeing answer was against the old state.
            assert number == 1 or number - last_other >= min(down_after, up_after)
        if state is before or event is not None:
            last_other = number
        tail = sequence[max(0, number - longest) : number]
        if len(tail) == longest and set(tail) == {state}:
            assert after is state


@given(st.lists(st.sampled_from([ProbeState.OK, ProbeState.DOWN]), min_size=1, max_size=60))
def test_shorter_runs_than_the_limits_never_change_a_state(sequence: list[ProbeState]) -> None:
    probe = tracker(Hysteresis(down_after=3, up_after=2))
    run = 0
    for number, state in enumerate(sequence):
        before = probe.status().state
        run = run + 1 if number and state is sequence[number - 1] else 1
        event = probe.feed(answer(state), float(number))
        if number and run < (3 if state is ProbeState.DOWN else 2):
            assert event is None
            assert probe.status().state is before


def test_by_its_pace_a_fault_counts_within_ten_seconds() -> None:
    cadence, hysteresis = Cadence(), Hysteresis()
    for interval_s in (cadence.vip_s, cadence.api_s, cadence.etcd_s, cadence.gateway_s):
        first_s = interval_s * (1 + turns.NEARNESS)
        assert first_s * (1 + (hysteresis.down_after - 1) / board._HASTE) <= 10.01
    for measured_s in (cadence.host_s, cadence.cluster_s):
        assert measured_s * (1 + turns.NEARNESS) <= 10.01
    assert all(kind.is_measured for kind in (hosts.DISK, cluster.NODE, components.COMPONENT, certificates.CERTIFICATE))
