"""The fold: any journal, whole or cut, read at once or bit by bit, gives the same picture."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.engine.events import (
    Choice,
    Event,
    FailurePolicy,
    NodeQuarantined,
    Outcome,
    ProbeChanged,
    QuestionAnswered,
    QuestionAsked,
    Record,
    RunCreated,
    RunFinished,
    RunnerStarted,
    RunOutcome,
    RunPaused,
    RunResumed,
    StepDescribed,
    StepFailed,
    StepFinished,
    StepInfo,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStarted,
    StepStirred,
    StopCause,
    StopRequested,
)
from rbdtui.engine.state import RunState, StepStatus
from rbdtui.words import T

W, READY, RUN, RETRY = StepStatus.WAITING, StepStatus.READY, StepStatus.RUNNING, StepStatus.RETRYING
FAILED, ASK, BLOCKED = StepStatus.FAILED, StepStatus.ASKING, StepStatus.BLOCKED
CHANGED, SAME, SKIPPED, QUAR = StepStatus.CHANGED, StepStatus.UNCHANGED, StepStatus.SKIPPED, StepStatus.QUARANTINED

PLAN = (
    StepInfo("a@n1", "a", "n1", T("t.a"), "work"),
    StepInfo("a@n2", "a", "n2", T("t.a"), "work"),
    StepInfo("b@n1", "b", "n1", T("t.b"), "work", ("a@n1",), skippable=True),
    StepInfo("b@n2", "b", "n2", T("t.b"), "work", ("a@n2",)),
    StepInfo("gate", "gate", "", T("t.gate"), "gate", ("b@n1", "b@n2")),
    StepInfo("c@n1", "c", "n1", T("t.c"), "work", ("gate",)),
)
IDS = [info.id for info in PLAN]
CREATED = RunCreated("r1", "site-a", "kubernetes-only", PLAN, "0" * 64, "1")
STARTED = RunnerStarted(1, "jump", "op", "", FailurePolicy.ASK)


def records(events: Sequence[Event]) -> list[Record]:
    return [Record(number, 100.0 + number, event) for number, event in enumerate(events, start=1)]


def statuses(*events: Event) -> dict[str, StepStatus]:
    state = RunState.of(records([CREATED, STARTED, *events]))
    return {step_id: step.status for step_id, step in state.steps.items()}


def failed(step: str, retry_in_s: float | None = None) -> StepFailed:
    return StepFailed(step, 1, "c", T("e.m"), T("e.r"), "", retry_in_s)


def done(step: str, outcome: Outcome = Outcome.CHANGED) -> StepFinished:
    return StepFinished(step, outcome, 1.0)


def asked(step: str) -> QuestionAsked:
    return QuestionAsked(f"{step}#1", step, T("q"), (Choice.RETRY, Choice.SKIP, Choice.QUARANTINE, Choice.STOP))


FAILS = [StepStarted("a@n1", 1), failed("a@n1"), asked("a@n1")]

TABLE: list[tuple[str, list[Event], list[StepStatus]]] = [
    ("at first", [], [READY, READY, W, W, W, W]),
    ("running", [StepStarted("a@n1", 1)], [RUN, READY, W, W, W, W]),
    ("next is ready", [StepStarted("a@n1", 1), done("a@n1")], [CHANGED, READY, READY, W, W, W]),
    ("unchanged", [done("a@n1", Outcome.UNCHANGED)], [SAME, READY, READY, W, W, W]),
    ("retrying holds only its own", [StepStarted("a@n1", 1), failed("a@n1", 2.0)], [RETRY, READY, W, W, W, W]),
    ("failed blocks what needs it", FAILS[:2], [FAILED, READY, BLOCKED, W, BLOCKED, BLOCKED]),
    ("asking", FAILS, [ASK, READY, BLOCKED, W, BLOCKED, BLOCKED]),
    ("others go on", [*FAILS, done("a@n2")], [ASK, CHANGED, BLOCKED, READY, BLOCKED, BLOCKED]),
    ("to be retried", [*FAILS, QuestionAnswered("a@n1#1", Choice.RETRY, "x")], [READY, READY, W, W, W, W]),
    (
        "skipped",
        [*FAILS, QuestionAnswered("a@n1#1", Choice.SKIP, "x"), done("a@n1", Outcome.SKIPPED)],
        [SKIPPED, READY, READY, W, W, W],
    ),
    (
        "a quarantined node holds nobody up",
        [*FAILS, QuestionAnswered("a@n1#1", Choice.QUARANTINE, "x"), NodeQuarantined("n1", "a@n1"), done("a@n2"),
         done("b@n2")],
        [QUAR, CHANGED, QUAR, CHANGED, READY, QUAR],
    ),
    ("stopping leaves no question", [*FAILS, StopRequested("x")], [FAILED, READY, BLOCKED, W, BLOCKED, BLOCKED]),
    ("a new runner begins what was cut off again", [StepStarted("a@n1", 1), STARTED], [READY, READY, W, W, W, W]),
    ("a new runner tries what failed again", [*FAILS, StopRequested("x"), STARTED], [READY, READY, W, W, W, W]),
    ("a question outlives its runner", [*FAILS, STARTED], [ASK, READY, BLOCKED, W, BLOCKED, BLOCKED]),
    (
        "the end puts back what was cut off",
        [StepStarted("a@n1", 1), RunFinished(RunOutcome.FAILED, 0, 1.0)],
        [READY, READY, W, W, W, W],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_statuses(events: list[Event], expected: list[StepStatus]) -> None:
    assert statuses(*events) == dict(zip(IDS, expected, strict=True))


def test_a_failure_stops_its_lane_even_for_steps_that_do_not_need_it() -> None:
    plan = (StepInfo("a@n1", "a", "n1", T("t"), "work"), StepInfo("z@n1", "z", "n1", T("t"), "work"))
    created = RunCreated("r", "s", "p", plan, "", "")
    state = RunState.of(records([created, STARTED, failed("a@n1"), asked("a@n1")]))
    assert state.steps["z@n1"].status is BLOCKED
    state.apply(Record(5, 200.0, QuestionAnswered("a@n1#1", Choice.RETRY, "op")))
    assert state.steps["z@n1"].status is READY


def test_what_a_step_shows() -> None:
    progress = StepProgressed("a@n1", 10, 100, 5.0)
    state = RunState.of(
        records(
            [CREATED, STARTED, StepStarted("a@n1", 1), StepDescribed("a@n1", ({"kind": "file"},)),
             StepNoted("a@n1", T("n")), progress, StepStalled("a@n1", 60.0, "last")]
        )
    )  # fmt: skip
    step = state.steps["a@n1"]
    assert (step.attempts, step.started_at, step.note, step.progress) == (1, 103.0, T("n"), progress)
    assert progress.eta_s == 18.0
    assert step.changes == ({"kind": "file"},)
    assert step.stall == StepStalled("a@n1", 60.0, "last")
    state.apply(Record(8, 110.0, StepStirred("a@n1")))
    assert step.stall is None
    state.apply(Record(9, 111.0, failed("a@n1", 4.0)))
    assert (step.status, step.retry_at, step.failure) == (RETRY, 115.0, failed("a@n1", 4.0))
    state.apply(Record(10, 120.0, StepStarted("a@n1", 2)))
    assert (step.attempts, step.tries, step.note, step.progress, step.changes) == (2, 2, None, None, ())
    assert step.failure == failed("a@n1", 4.0), "why it is being tried again can still be read"


def test_the_run_as_a_whole() -> None:
    probe = ProbeChanged("api@VIP", "VIP", 6443, "down", T("d"), None)
    state = RunState.of(records([CREATED, STARTED, RunPaused("op"), probe]))
    assert (state.run_id, state.nodes, state.step_names) == ("r1", ("n1", "n2"), ("a", "b", "gate", "c"))
    assert state.paused_by == "op"
    assert (state.probes["api@VIP"].event, state.probes["api@VIP"].since) == (probe, 104.0)
    assert state.runner is not None
    assert state.runner.user == "op"
    state.apply(Record(5, 105.0, RunResumed("op")))
    assert state.paused_by is None
    state.apply(Record(6, 106.0, StopRequested("", StopCause.FAILURE)))
    assert state.stop is not None
    assert state.counts()[READY] == 2
    assert state.counts("n1")[READY] == 1


def test_time_with_a_runner_at_work_leaves_out_the_night_between() -> None:
    state = RunState()
    for at, event in [(0.0, CREATED), (1.0, STARTED), (11.0, StepStarted("a@n1", 1)), (5000.0, STARTED)]:
        state.apply(Record(state.seq + 1, at, event))
    assert state.active_s() == 10.0
    assert state.active_s(now=5005.0) == 15.0
    state.apply(Record(5, 5020.0, RunFinished(RunOutcome.STOPPED, 0, 30.0)))
    assert state.active_s(now=9999.0) == 30.0


@pytest.mark.parametrize("jump_s", [-7200.0, 86_400.0])
def test_a_clock_that_is_set_during_a_run_changes_nothing_about_the_time_that_it_took(jump_s: float) -> None:
    state = RunState()
    for seq, (at, steady_s, event) in enumerate(
        [
            (1000.0, 50.0, CREATED),
            (1001.0, 51.0, STARTED),
            (1011.0 + jump_s, 61.0, StepStarted("a@n1", 1)),
        ],
        start=1,
    ):
        state.apply(Record(seq, at, event, steady_s))
    assert state.active_s() == 10.0
    assert state.active_s(state.present(1015.0 + jump_s, 65.0)) == 14.0
    assert state.active_s(state.present(1015.0, 65.0)) == 14.0, "set a second time, before anything is written"
    state.apply(Record(4, 1021.0 + jump_s, RunFinished(RunOutcome.STOPPED, 0, 20.0), 71.0))
    assert state.active_s(now=9e9) == 20.0
    state.apply(Record(5, 5000.0, STARTED, 4.0))  # after the machine was started anew
    state.apply(Record(6, 5003.0, StepStarted("a@n1", 2), 7.5))
    assert state.active_s() == 23.5


@pytest.mark.parametrize("jump_s", [-7200.0, 86_400.0])
def test_a_clock_that_is_set_during_a_step_changes_nothing_about_how_long_it_has_been_under_way(jump_s: float) -> None:
    state = RunState()
    waits = StepFailed("a@n2", 1, "odd", T("t.a"), T("t.a"), "", 60.0)
    note = StepNoted("a@n1", T("t.a"))
    begun = [(1000.0, 50.0, CREATED), (1001.0, 51.0, STARTED), (1002.0, 52.0, StepStarted("a@n1", 1))]
    waiting = [(1003.0, 53.0, StepStarted("a@n2", 1)), (1004.0, 54.0, waits)]
    for seq, (at, steady_s, event) in enumerate([*begun, *waiting, (1012.0 + jump_s, 62.0, note)], start=1):
        state.apply(Record(seq, at, event, steady_s))
    now = state.present(1013.0 + jump_s, 63.0)
    assert now - (state.steps["a@n1"].started_at or 0.0) == 11.0
    assert (state.steps["a@n2"].retry_at or 0.0) - now == 51.0
    state.apply(Record(8, 1013.5 + jump_s, note, 63.0))
    assert state.steps["a@n1"].started_at == 1002.0 + jump_s, "two clocks are never quite alike"


step_ids = st.sampled_from([*IDS, "unknown@n9"])
anything: st.SearchStrategy[Event] = st.one_of(
    st.builds(StepStarted, step_ids, st.integers(1, 5)),
    st.builds(done, step_ids, st.sampled_from(Outcome)),
    st.builds(failed, step_ids, st.one_of(st.none(), st.just(2.0))),
    st.builds(asked, step_ids),
    st.builds(QuestionAnswered, step_ids.map("{}#1".format), st.sampled_from(Choice), st.just("op")),
    st.builds(NodeQuarantined, st.sampled_from(["n1", "n2"]), step_ids),
    st.builds(StepNoted, step_ids, st.just(T("n"))),
    st.builds(StepStalled, step_ids, st.just(1.0), st.just("")),
    st.just(RunPaused("op")),
    st.just(StopRequested("op")),
    st.just(STARTED),
    st.just(RunFinished(RunOutcome.FAILED, 0, 0.0)),
)


@settings(max_examples=200, deadline=None)
@given(events=st.lists(anything, max_size=40), cut=st.integers(0, 42))
def test_reading_in_two_parts_is_reading_at_once(events: list[Event], cut: int) -> None:
    journal = records([CREATED, STARTED, *events])
    state = RunState.of(journal[:cut])
    state = copy.deepcopy(state)
    for record in journal[cut:]:
        state.apply(record)
    assert state == RunState.of(journal)


@settings(max_examples=200, deadline=None)
@given(events=st.lists(anything, max_size=40))
def test_no_journal_breaks_the_fold(events: list[Event]) -> None:
    for journal in (records(events), records([CREATED, *events])):
        state = RunState.of(journal)
        asking = {step_id for step_id, step in state.steps.items() if step.status is ASK}
        assert {q.step for q in state.questions.values()} >= asking
        for step in state.steps.values():
            needed = [state.steps[name].status for name in step.info.after]
            assert step.needs == sum(not status.settled for status in needed)
            assert step.status is not READY or step.needs == 0


def test_a_big_run_is_folded_without_walking_the_plan_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """50 nodes, 30 steps each, 20 lines a step: the whole plan is looked through twice, not 30 000 times."""
    infos: list[StepInfo] = []
    for node in range(50):
        before: tuple[str, ...] = ()
        for name in range(30):
            infos.append(StepInfo(f"s{name}@n{node}", f"s{name}", f"n{node}", T("t"), "work", before))
            before = (infos[-1].id,)
    events: list[Event] = [RunCreated("r", "s", "p", tuple(infos), "", ""), STARTED]
    for info in infos:
        noted: list[Event] = [StepNoted(info.id, T("n"))] * 18
        events += [StepStarted(info.id, 1), *noted, done(info.id)]
    walks: list[int] = []
    walk = RunState._sort_out

    def counted(state: RunState) -> None:
        walks.append(state.seq)
        walk(state)

    monkeypatch.setattr(RunState, "_sort_out", counted)
    state = RunState.of(records(events))
    assert state.all_settled
    assert walks == [1, 2]
