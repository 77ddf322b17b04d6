"""Which step may start, and what the operator may wish meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rbdtui.engine import executor
from rbdtui.engine.events import (
    Choice,
    Outcome,
    RunFinished,
    RunOutcome,
    StepDescribed,
    StepFinished,
    StepStarted,
)
from rbdtui.engine.executor import CommandRefusedError
from rbdtui.engine.state import StepStatus
from rbdtui.plan.step import Pending, Plan, RetryPolicy, Step, StepClass, StepContext, StepError, StepKind
from rbdtui.transport.base import (
    ConnectionLostError,
    UploadProgress,
)
from tests.engine.support import QUICK, FakeStep, World, executing, failing, held, kind, lanes


async def test_a_step_starts_when_everything_before_it_is_done(tmp_path: Path) -> None:
    world = World()
    steps = lanes(world, ["n1", "n2"], ["a", "b"])
    gate = kind("gate", world, kind=StepKind.GATE)("", after=("b@n1", "b@n2"))
    last = kind("c", world)("n1", after=("gate",))
    async with executing(tmp_path, [*steps, gate, last]) as run:
        assert await run.outcome() is RunOutcome.DONE
        applied = world.applied()
        assert applied.index("a@n1") < applied.index("b@n1") < applied.index("gate") < applied.index("c@n1")
        assert applied.index("b@n2") < applied.index("gate")
        assert [what for what, step in world.did if step == "a@n1"] == ["look", "apply", "look"]
        events = run.events()
        finished = {event.step: event.outcome for event in events if isinstance(event, StepFinished)}
        assert finished.pop("gate") is Outcome.UNCHANGED, "a gate changes nothing"
        assert set(finished.values()) == {Outcome.CHANGED}
        last_line = events[-1]
        assert isinstance(last_line, RunFinished)
        assert (last_line.outcome, last_line.changed) == (RunOutcome.DONE, 5)


async def test_a_step_that_found_waiting_enough_is_no_change(tmp_path: Path) -> None:
    class Patient(FakeStep):
        name = "patient"

        async def apply(self, context: StepContext, pending: Pending[None]) -> bool:
            await super().apply(context, pending)
            return False

    world = World()
    Patient.world = world
    async with executing(tmp_path, [Patient("n1"), *lanes(world, ["n2"], ["a"])]) as run:
        assert await run.outcome() is RunOutcome.DONE
        events = run.events()
        finished = {event.step: event.outcome for event in events if isinstance(event, StepFinished)}
        assert finished == {"patient@n1": Outcome.UNCHANGED, "a@n2": Outcome.CHANGED}
        last = events[-1]
        assert isinstance(last, RunFinished)
        assert last.changed == 1


async def test_what_is_so_already_is_left_alone(tmp_path: Path) -> None:
    world = World()
    steps = lanes(world, ["n1"], ["a", "b"])
    async with executing(tmp_path / ".", steps) as run:
        await run.outcome()
    world.did.clear()
    second = tmp_path / "second"
    second.mkdir()
    async with executing(second, steps) as run:
        assert await run.outcome() is RunOutcome.DONE
        assert world.applied() == []
        assert run.state.counts() == {StepStatus.UNCHANGED: 2}
        assert run.state.finished is not None
        assert run.state.finished.changed == 0


async def test_the_journal_says_what_will_change_before_it_is_changed(tmp_path: Path) -> None:
    world = World()
    seen: list[list[str]] = []

    async def look(context: StepContext, attempt: int) -> None:
        seen.append([type(event).__name__ for event in run.events()])

    world.actions["a@n1"] = look
    async with executing(tmp_path, lanes(world, ["n1"], ["a"])) as run:
        await run.outcome()
        assert seen == [["RunCreated", "RunnerStarted", "StepStarted", "StepDescribed"]]
        described = next(event for event in run.events() if isinstance(event, StepDescribed))
        assert described.changes[0]["detail"] == "do a@n1"


async def test_a_slow_node_holds_nobody_up(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    world.actions["a@n2"] = held(release)
    async with executing(tmp_path, lanes(world, ["n1", "n2", "n3"], ["a", "b", "c"])) as run:
        await run.until(lambda: {"c@n1", "c@n3"} <= world.done)
        assert world.running == {"a@n2"}
        release.set()
        assert await run.outcome() is RunOutcome.DONE


async def test_one_step_at_a_time_on_each_node(tmp_path: Path) -> None:
    world = World()
    order: list[str] = []

    async def watch(context: StepContext, attempt: int) -> None:
        order.append("in")
        await asyncio.sleep(0.005)
        order.append("out")

    steps = [kind(name, world)("n1") for name in "abcd"]
    world.actions.update({step.id: watch for step in steps})
    async with executing(tmp_path, steps) as run:
        await run.outcome()
    assert order == ["in", "out"] * 4
    assert world.applied() == [f"{name}@n1" for name in "abcd"], "in the order of the plan"


async def test_steps_of_no_node_do_not_wait_for_each_other(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    world.actions["slow"] = held(release)
    async with executing(tmp_path, [kind("slow", world)(""), kind("quick", world)("")]) as run:
        await run.until(lambda: "quick" in world.done)
        release.set()
        await run.outcome()


async def test_limits_for_commands_and_uploads_are_separate(tmp_path: Path) -> None:
    world, nodes = World(), [f"n{number}" for number in range(12)]

    async def rest(context: StepContext, attempt: int) -> None:
        await asyncio.sleep(0.005)

    commands = [kind("cmd", world)(node) for node in nodes]
    uploads = [kind("up", world, step_class=StepClass.UPLOAD)(f"u{node}") for node in nodes]
    world.actions.update({step.id: rest for step in [*commands, *uploads]})
    async with executing(tmp_path, [*commands, *uploads], max_parallel_nodes=5, max_parallel_uploads=2) as run:
        await run.outcome()
    assert world.most == {"cmd": 5, "up": 2}


async def test_uploads_that_turn_out_to_be_slow_give_their_places_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two servers that take a byte now and then must not hold all others up for hours."""
    monkeypatch.setattr(executor, "SLOW_UPLOAD_AFTER_S", 0.2)
    world, release = World(), asyncio.Event()

    async def trickle(context: StepContext, attempt: int) -> None:
        sent_bytes = 0
        while not release.is_set():
            sent_bytes += 1
            context.report.progress(UploadProgress(sent_bytes, 10**9, 1.0))
            await asyncio.sleep(0.02)

    uploads = [kind("up", world, step_class=StepClass.UPLOAD)(f"u{number}") for number in range(4)]
    world.actions.update({"up@u0": trickle, "up@u1": trickle})
    async with executing(tmp_path, uploads, max_parallel_uploads=2) as run:
        await run.until(lambda: {"up@u2", "up@u3"} <= world.done)
        assert world.running == {"up@u0", "up@u1"}
        release.set()
        await run.outcome()


async def test_gates_take_nobodys_place(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    gates = [kind("gate", world, kind=StepKind.GATE)(f"g{number}") for number in range(4)]
    world.actions.update({gate.id: held(release) for gate in gates})
    async with executing(tmp_path, [*gates, kind("cmd", world)("n1")], max_parallel_nodes=1) as run:
        await run.until(lambda: "cmd@n1" in world.done)
        release.set()
        await run.outcome()


async def test_pause_lets_what_is_under_way_end_and_starts_nothing(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    world.actions["a@n1"] = held(release)
    async with executing(tmp_path, lanes(world, ["n1"], ["a", "b"])) as run:
        await run.until(lambda: world.running)
        run.executor.pause("op")
        run.executor.pause("other")
        release.set()
        await run.until(lambda: run.state.steps["a@n1"].status.settled)
        await asyncio.sleep(0.05)
        assert run.state.steps["b@n1"].status is StepStatus.READY
        assert run.state.paused_by == "op"
        run.executor.resume("op")
        assert await run.outcome() is RunOutcome.DONE


async def test_a_retry_that_falls_due_in_a_pause_waits(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(ConnectionLostError("n1"), times=1)
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], retry=RetryPolicy(3, 0.03))) as run:
        await run.until(lambda: run.state.steps["a@n1"].status is StepStatus.RETRYING)
        run.executor.pause("op")
        await asyncio.sleep(0.08)
        assert run.state.steps["a@n1"].attempts == 1
        run.executor.resume("op")
        assert await run.outcome() is RunOutcome.DONE


async def test_retry_does_not_wait_for_the_delay(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(ConnectionLostError("n1"), times=1)
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], retry=RetryPolicy(3, 3600.0))) as run:
        with pytest.raises(CommandRefusedError):
            run.executor.retry("a@n1", "op")
        await run.until(lambda: run.state.steps["a@n1"].status is StepStatus.RETRYING)
        with pytest.raises(CommandRefusedError):
            run.executor.retry("zzz@n1", "op")
        run.executor.retry("a@n1", "op")
        assert await run.outcome() is RunOutcome.DONE


async def test_stop_at_a_safe_point_and_go_on_later(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    steps = lanes(world, ["n1", "n2"], ["a", "b"])
    world.actions.update({"a@n1": held(release), "a@n2": failing(StepError("wrong"), times=1)})
    async with executing(tmp_path, steps) as run:
        await run.until(lambda: world.running and run.state.questions)
        run.executor.stop("op")
        assert run.state.questions == {}, "nobody is asked about a run that ends"
        await asyncio.sleep(0.02)
        assert not run.task.done(), "what is under way ends in peace"
        release.set()
        assert await run.outcome() is RunOutcome.STOPPED
        assert world.done == {"a@n1"}
        with pytest.raises(CommandRefusedError):
            run.executor.pause("late")
    async with executing(tmp_path, steps) as run:
        assert await run.outcome() is RunOutcome.DONE
        assert world.applied().count("a@n1") == 1
        assert run.state.steps["a@n2"].attempts == 2


async def test_stopping_ends_a_run_that_waits_for_an_answer(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(StepError("wrong"))
    async with executing(tmp_path, lanes(world, ["n1"], ["a"])) as run:
        await run.until(lambda: run.state.questions)
        run.executor.stop("op")
        assert await run.outcome() is RunOutcome.STOPPED


async def test_a_run_cut_off_after_any_line_goes_on_without_repeating(tmp_path: Path) -> None:
    """The journal of a whole run is cut after every line, and the rest is done by a second runner."""
    world = World()
    world.actions["b@n2"] = failing(ConnectionLostError("n2"), times=1)
    nodes, names = ["n1", "n2"], ["a", "b"]

    def plan(world: World) -> list[Step]:
        gate = kind("gate", world, kind=StepKind.GATE)("", after=("b@n1", "b@n2"))
        return [*lanes(world, nodes, names, retry=QUICK), gate, kind("c", world)("n1", after=("gate",))]

    async with executing(tmp_path, plan(world)) as run:
        await run.outcome()
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    for cut in range(1, len(lines)):
        again = tmp_path / f"cut{cut}"
        again.mkdir()
        (again / "events.jsonl").write_bytes(b"".join(lines[:cut]) + b'{"schema":1,"se')
        second = World()
        async with executing(again, plan(second)) as run:
            finished = {name for name, step in run.state.steps.items() if step.status.settled}
            second.done |= finished
            assert await run.outcome() is RunOutcome.DONE
            assert finished.isdisjoint(step for _, step in second.did), f"cut after line {cut}"
            assert {step for _, step in second.did} | finished == set(run.state.steps)


async def test_a_question_is_still_open_after_the_runner_died(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(StepError("wrong"), times=1)
    steps = lanes(world, ["n1", "n2"], ["a"])
    async with executing(tmp_path, steps) as run:
        await run.until(lambda: run.state.questions and "a@n2" in world.done)
    async with executing(tmp_path, steps) as run:
        await asyncio.sleep(0.02)
        (question,) = run.state.questions
        run.executor.answer(question, Choice.RETRY, "op")
        assert await run.outcome() is RunOutcome.DONE
        assert world.applied().count("a@n1") == 2
        assert world.applied().count("a@n2") == 1


def test_a_plan_that_could_never_end_is_refused() -> None:
    world = World()
    from rbdtui.engine.executor import _in_order

    step = kind("a", world)
    for steps in ([step("n1", after=("b@n1",))], [step("n1"), step("n1")], [step("n1", after=("a@n1",))]):
        with pytest.raises(ValueError, match="a@n1"):
            _in_order(Plan(tuple(steps)))


async def test_a_defect_of_ours_cuts_the_run_off_and_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    world.actions["a@n2"] = held(asyncio.Event())
    async with executing(tmp_path, lanes(world, ["n1", "n2"], ["a"])) as run:

        def broken(*_: object) -> None:
            raise RuntimeError("defect")

        monkeypatch.setattr(run.executor, "_failed", broken)
        world.actions["a@n1"] = failing(StepError("wrong"))
        with pytest.raises(RuntimeError, match="defect"):
            await run.outcome()
        assert world.running == set()
        assert StepStarted("a@n2", 1) in run.events()
        assert run.state.finished is None, "so that it can be taken up again"
