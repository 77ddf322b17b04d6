"""Which step may start, what becomes of one that fails, and what the operator may wish meanwhile."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rbdtui.engine.events import (
    Choice,
    FailurePolicy,
    NodeQuarantined,
    Outcome,
    QuestionAnswered,
    QuestionAsked,
    RunFinished,
    RunOutcome,
    StepDescribed,
    StepFailed,
    StepFinished,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStarted,
    StepStirred,
    StopCause,
    StopRequested,
)
from rbdtui.engine.executor import CommandRefusedError
from rbdtui.engine.logs import log_file
from rbdtui.engine.state import StepStatus
from rbdtui.plan.step import Plan, Probe, RetryPolicy, Step, StepClass, StepContext, StepError, StepKind
from rbdtui.transport.base import (
    CommandResult,
    ConnectionLostError,
    LoginRefusedError,
    RemoteScriptError,
    UploadProgress,
)
from rbdtui.words import T
from tests.engine.support import Action, FakeStep, World, executing, kind, lanes

QUICK = RetryPolicy(attempts=3, delay_s=0.01)


def failing(error: Exception, times: int = 10**6) -> Action:
    async def action(context: StepContext, attempt: int) -> None:
        if attempt <= times:
            raise error

    return action


def held(gate: asyncio.Event) -> Action:
    async def action(context: StepContext, attempt: int) -> None:
        await gate.wait()

    return action


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
        assert [what for what, step in world.did if step == "a@n1"] == ["probe", "apply", "probe"]
        events = run.events()
        finished = {event.step: event.outcome for event in events if isinstance(event, StepFinished)}
        assert finished.pop("gate") is Outcome.UNCHANGED, "a gate changes nothing"
        assert set(finished.values()) == {Outcome.CHANGED}
        last_line = events[-1]
        assert isinstance(last_line, RunFinished)
        assert (last_line.outcome, last_line.changed) == (RunOutcome.DONE, 5)


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


async def test_gates_take_nobodys_place(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    gates = [kind("gate", world, kind=StepKind.GATE)(f"g{number}") for number in range(4)]
    world.actions.update({gate.id: held(release) for gate in gates})
    async with executing(tmp_path, [*gates, kind("cmd", world)("n1")], max_parallel_nodes=1) as run:
        await run.until(lambda: "cmd@n1" in world.done)
        release.set()
        await run.outcome()


async def test_what_can_be_retried_is_retried_a_few_times(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(ConnectionLostError("n1"), times=2)
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], retry=QUICK)) as run:
        assert await run.outcome() is RunOutcome.DONE
        failures = [event for event in run.events() if isinstance(event, StepFailed)]
        assert [(event.attempt, event.retry_in_s) for event in failures] == [(1, 0.01), (2, 0.02)]
        assert {event.code for event in failures} == {"RBD-SSH-007"}
        assert run.state.steps["a@n1"].attempts == 3


@pytest.mark.parametrize(
    ("error", "code", "attempts"),
    [
        (ConnectionLostError("n1"), "RBD-SSH-007", 3),
        (LoginRefusedError("n1"), "RBD-SSH-004", 1),
        (StepError("busy", retryable=True), "busy", 3),
        (StepError("wrong", evidence="seen"), "wrong", 1),
        (FileNotFoundError(2, "No such file or directory", "/bundle/x.tar"), "jump_host_file", 1),
        (ValueError("defect"), "unexpected", 1),
        (asyncio.CancelledError("a library gave up"), "unexpected", 1),
        (ExceptionGroup("several", [LoginRefusedError("n1")]), "RBD-SSH-004", 1),
    ],
)
async def test_a_failure_in_words(tmp_path: Path, error: Exception, code: str, attempts: int) -> None:
    world = World()
    world.actions["a@n1"] = failing(error)
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], retry=QUICK), policy=FailurePolicy.STOP) as run:
        assert await run.outcome() is RunOutcome.FAILED
        failures = [event for event in run.events() if isinstance(event, StepFailed)]
        assert [event.code for event in failures] == [code] * attempts
        assert failures[-1].retry_in_s is None
        for text in (failures[-1].text, failures[-1].remedy):
            assert "Traceback" not in str(text)


async def test_the_output_of_a_script_that_failed_is_evidence_without_secrets(tmp_path: Path) -> None:
    world = World()
    result = CommandResult(1, b"working\n" * 3000, b"bad password hunter22\n", 0.1)
    world.actions["a@n1"] = failing(RemoteScriptError("n1", "write-file", result))
    steps = lanes(world, ["n1"], ["a"])
    async with executing(tmp_path, steps, policy=FailurePolicy.STOP, secrets={"s": "hunter22"}) as run:
        await run.outcome()
        event = next(event for event in run.events() if isinstance(event, StepFailed))
        assert event.evidence.endswith("bad password ******")
        assert len(event.evidence) <= 8000
        assert "hunter22" not in str(event.text)


async def test_asking_holds_one_lane_and_any_answer_is_final(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(StepError("wrong"), times=1)
    async with executing(tmp_path, lanes(world, ["n1", "n2"], ["a", "b"])) as run:
        await run.until(lambda: run.state.questions and "b@n2" in world.done)
        assert not run.task.done()
        (question,) = run.state.questions.values()
        assert question.choices == (Choice.RETRY, Choice.STOP), "the first server is never left out"
        with pytest.raises(CommandRefusedError):
            run.executor.answer(question.question, Choice.SKIP, "op")
        with pytest.raises(CommandRefusedError):
            run.executor.answer("no-such", Choice.RETRY, "op")
        run.executor.answer(question.question, Choice.RETRY, "op")
        with pytest.raises(CommandRefusedError) as late:
            run.executor.answer(question.question, Choice.STOP, "slow hand")
        assert late.value.text == T("command.answered_already", choice="retry", by="op")
        assert await run.outcome() is RunOutcome.DONE
        assert [event for event in run.events() if isinstance(event, QuestionAnswered)] == [
            QuestionAnswered(question.question, Choice.RETRY, "op")
        ]


async def test_a_retry_by_hand_gets_its_own_retries(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(ConnectionLostError("n1"), times=5)
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], retry=QUICK)) as run:
        await run.until(lambda: run.state.questions)
        assert run.state.steps["a@n1"].attempts == 3
        run.executor.retry(None, "op")
        assert await run.outcome() is RunOutcome.DONE
        assert run.state.steps["a@n1"].attempts == 6


async def test_skip(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(StepError("wrong"))
    async with executing(tmp_path, lanes(world, ["n1"], ["a", "b"], skippable=True)) as run:
        await run.until(lambda: run.state.questions)
        (question,) = run.state.questions
        run.executor.answer(question, Choice.SKIP, "op")
        assert await run.outcome() is RunOutcome.DONE
        assert run.state.steps["a@n1"].status is StepStatus.SKIPPED
        assert "b@n1" in world.done


class LeavingOut(FakeStep):
    """A gate that waits for every node that is not in quarantine."""

    __slots__ = ()

    async def probe(self, context: StepContext) -> Probe:
        wanted = {f"a@{node}" for node in ("n1", "n2", "n3") if node not in context.quarantined}
        return Probe(wanted <= self.world.done)

    async def apply(self, context: StepContext) -> None:
        while not (await self.probe(context)).satisfied:
            await asyncio.sleep(0.002)


@pytest.mark.parametrize("policy", [FailurePolicy.ASK, FailurePolicy.QUARANTINE])
async def test_a_node_in_quarantine_holds_nobody_up(tmp_path: Path, policy: FailurePolicy) -> None:
    world = World()
    world.actions["a@n3"] = failing(StepError("wrong"))
    steps = lanes(world, ["n1", "n2", "n3"], ["a"])
    gate = type("Gate", (LeavingOut,), {"__slots__": (), "name": "gate", "world": world, "kind": StepKind.GATE})
    early: Step = gate("", after=("a@n1",))
    behind: list[Step] = [kind("b", world)(node, after=("a@n3", "gate")) for node in ("n1", "n3")]
    async with executing(tmp_path, [*steps, early, *behind], policy=policy) as run:
        if policy is FailurePolicy.ASK:
            await run.until(lambda: run.state.questions)
            (question,) = run.state.questions.values()
            assert Choice.QUARANTINE in question.choices
            run.executor.answer(question.question, Choice.QUARANTINE, "op")
        assert await run.outcome() is RunOutcome.PARTIAL
        assert NodeQuarantined("n3", "a@n3") in run.events()
        assert run.state.steps["b@n3"].status is StepStatus.QUARANTINED
        assert run.state.steps["b@n1"].status is StepStatus.CHANGED


@pytest.mark.parametrize(
    ("bad", "left_out", "outcome"),
    [
        (["n1"], set(), RunOutcome.FAILED),
        (["n4"], {"n4"}, RunOutcome.PARTIAL),
        (["n4", "n3"], {"n3", "n4"}, RunOutcome.PARTIAL),
        (["n2", "n3"], {"n2"}, RunOutcome.FAILED),
    ],
)
async def test_quarantine_only_while_quorum_stays_safe(
    tmp_path: Path, bad: list[str], left_out: set[str], outcome: RunOutcome
) -> None:
    """n1, n2, n3 carry etcd; n1 is the first server."""
    world = World()
    steps: list[Step] = []
    for node in bad:
        step = kind("a", world)(node, after=tuple(step.id for step in steps))
        world.actions[step.id] = failing(StepError("wrong"))
        steps.append(step)
    async with executing(tmp_path, steps, policy=FailurePolicy.QUARANTINE) as run:
        assert await run.outcome() is outcome
        assert run.state.quarantined == left_out


async def test_an_answer_that_became_unsafe_is_refused(tmp_path: Path) -> None:
    world = World()
    steps = [kind("a", world)(node) for node in ("n2", "n3")]
    world.actions.update({step.id: failing(StepError("wrong")) for step in steps})
    async with executing(tmp_path, steps) as run:
        await run.until(lambda: len(run.state.questions) == 2)
        first, second = run.state.questions
        run.executor.answer(first, Choice.QUARANTINE, "op")
        with pytest.raises(CommandRefusedError) as refused:
            run.executor.answer(second, Choice.QUARANTINE, "op")
        assert refused.value.text.key == "command.quorum"
        run.executor.answer(second, Choice.STOP, "op")
        assert await run.outcome() is RunOutcome.STOPPED


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


async def test_the_policy_stop(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    world.actions.update({"a@n1": failing(StepError("wrong")), "a@n2": held(release)})
    async with executing(tmp_path, lanes(world, ["n1", "n2"], ["a", "b"]), policy=FailurePolicy.STOP) as run:
        await run.until(lambda: run.state.stop)
        assert run.state.stop == StopRequested("", StopCause.FAILURE)
        release.set()
        assert await run.outcome() is RunOutcome.FAILED
        assert world.done == {"a@n2"}
        assert not [event for event in run.events() if isinstance(event, QuestionAsked)]


async def test_a_step_that_takes_too_long(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = held(asyncio.Event())
    steps = lanes(world, ["n1"], ["a"], time_limit_s=0.05, retry=QUICK)
    async with executing(tmp_path, steps, policy=FailurePolicy.STOP) as run:
        assert await run.outcome() is RunOutcome.FAILED
        assert [event.code for event in run.events() if isinstance(event, StepFailed)] == ["step_out_of_time"]
        assert world.running == set(), "the step was cut off"


async def test_a_timeout_of_the_steps_own_is_not_ours(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(TimeoutError())
    async with executing(tmp_path, lanes(world, ["n1"], ["a"]), policy=FailurePolicy.STOP) as run:
        await run.outcome()
        assert [event.code for event in run.events() if isinstance(event, StepFailed)] == ["unexpected"]


async def test_silence_raises_an_alarm_again_and_again_at_growing_intervals(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()

    async def silent(context: StepContext, attempt: int) -> None:
        context.report.line("Waiting for hunter22 to come")
        await release.wait()
        context.report.line("here it is")
        await asyncio.sleep(0.01)

    world.actions["a@n1"] = silent
    steps = lanes(world, ["n1"], ["a"], stall_s=0.03)
    async with executing(tmp_path, steps, secrets={"s": "hunter22"}) as run:

        def stalls() -> list[StepStalled]:
            return [event for event in run.events() if isinstance(event, StepStalled)]

        await run.until(lambda: len(stalls()) == 3)
        assert run.state.steps["a@n1"].stall is not None
        silences = [event.silent_s for event in stalls()]
        assert silences[1] >= 2 * 0.03 - 0.01
        assert silences[2] >= 4 * 0.03 - 0.01
        assert stalls()[0].last_line == "Waiting for ****** to come"
        release.set()
        assert await run.outcome() is RunOutcome.DONE
        assert StepStirred("a@n1") in run.events()


async def test_a_step_that_talks_raises_no_alarm(tmp_path: Path) -> None:
    world = World()

    async def talking(context: StepContext, attempt: int) -> None:
        for number in range(20):
            await asyncio.sleep(0.01)
            match number % 3:
                case 0:
                    context.report.line(f"line {number}")
                case 1:
                    context.report.note(T("test.note", number=number))
                case _:
                    context.report.progress(UploadProgress(number, 100, 1.0))

    world.actions["a@n1"] = talking
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], stall_s=0.15)) as run:
        await run.outcome()
        assert not [event for event in run.events() if isinstance(event, StepStalled)]


async def test_progress_is_told_seldom_and_notes_once(tmp_path: Path) -> None:
    world = World()

    async def busy(context: StepContext, attempt: int) -> None:
        for sent in range(1000):
            context.report.progress(UploadProgress(sent + 1, 1000, 5.0))
            context.report.note(T("test.note"))

    world.actions["a@n1"] = busy
    async with executing(tmp_path, lanes(world, ["n1"], ["a"])) as run:
        await run.outcome()
        told = [event.sent_bytes for event in run.events() if isinstance(event, StepProgressed)]
        assert told == [1, 1000], "the first and the last; no more than two a second between"
        assert len([event for event in run.events() if isinstance(event, StepNoted)]) == 1


async def test_the_log_has_every_line_of_every_attempt(tmp_path: Path) -> None:
    world = World()

    async def telling(context: StepContext, attempt: int) -> None:
        context.report.line(f"try {attempt}: password hunter22")
        if attempt == 1:
            raise ConnectionLostError("n1")

    world.actions["a@n1"] = telling
    steps = lanes(world, ["n1"], ["a"], retry=QUICK)
    async with executing(tmp_path, steps, secrets={"s": "hunter22"}) as run:
        await run.outcome()
        lines = log_file(tmp_path, "a@n1").read_text(encoding="utf-8").splitlines()
        assert [line.partition(" ")[2] for line in lines if "try" in line] == [
            "try 1: password ******",
            "try 2: password ******",
        ]
        assert [line.split(",")[0] for line in lines if line.startswith("---")] == ["--- attempt 1", "--- attempt 2"]


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
