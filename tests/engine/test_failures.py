"""What becomes of a step that fails: retry, question, quarantine, stop."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rbdtui.engine.events import (
    Choice,
    FailurePolicy,
    NodeQuarantined,
    QuestionAnswered,
    QuestionAsked,
    RunOutcome,
    StepFailed,
    StopCause,
    StopRequested,
)
from rbdtui.engine.executor import CommandRefusedError
from rbdtui.engine.logs import log_file
from rbdtui.engine.state import StepStatus
from rbdtui.plan.step import Pending, RetryPolicy, Step, StepContext, StepError, StepKind
from rbdtui.transport.base import (
    CommandResult,
    ConnectionLostError,
    LoginRefusedError,
    RemoteScriptError,
)
from rbdtui.words import T
from tests.engine.support import QUICK, FakeStep, World, executing, failing, held, kind, lanes


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


@pytest.mark.parametrize("followed", [False, True])
async def test_what_a_failed_script_said_is_in_the_log_once(tmp_path: Path, followed: bool) -> None:
    world = World()
    result = CommandResult(1, b"working\n", b"bad password hunter22\n", 0.1)

    async def fail(context: StepContext, _: int) -> None:
        for line in result.error_text.splitlines() if followed else ():
            context.report.line(line)
        raise RemoteScriptError("n1", "write-file", result)

    world.actions["a@n1"] = fail
    steps = lanes(world, ["n1"], ["a"])
    async with executing(tmp_path, steps, policy=FailurePolicy.STOP, secrets={"s": "hunter22"}) as run:
        await run.outcome()
    log = log_file(tmp_path, "a@n1").read_text(encoding="utf-8")
    assert log.count("bad password ******") == 1
    assert "hunter22" not in log
    assert ("working" in log) is not followed


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

    async def pending(self, context: StepContext) -> Pending[None]:
        wanted = {f"a@{node}" for node in ("n1", "n2", "n3") if node not in context.quarantined}
        return Pending(waits=None if wanted <= self.world.done else StepError("unused"))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        while not (await self.pending(context)).is_done:
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


async def test_a_step_that_ran_out_of_time_is_tried_again(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    world.actions["a@n1"] = held(release)
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], time_limit_s=0.2, retry=RetryPolicy(1))) as run:
        await run.until(lambda: run.state.questions)
        assert run.state.steps["a@n1"].failure is not None
        assert run.state.steps["a@n1"].failure.code == "step_out_of_time"
        release.set()
        run.executor.retry(None, "op")
        assert await run.outcome() is RunOutcome.DONE


async def test_a_secret_that_was_missing_is_handed_over(tmp_path: Path) -> None:
    """Set, the run stopped and started again."""
    world, secrets = World(), dict[str, str]()

    async def action(context: StepContext, attempt: int) -> None:
        if "sudo" not in secrets:
            raise StepError("secret_not_handed_over", name="sudo")
        context.report.line(context.secret("sudo"))

    world.actions["a@n1"] = action
    async with executing(tmp_path, lanes(world, ["n1"], ["a"])) as run:
        await run.until(lambda: run.state.questions)
        run.executor.stop("op")
        assert await run.outcome() is RunOutcome.STOPPED
    secrets["sudo"] = "hunter22"
    async with executing(tmp_path, lanes(world, ["n1"], ["a"]), secrets=secrets) as run:
        assert await run.outcome() is RunOutcome.DONE


async def test_a_timeout_of_the_steps_own_is_not_ours(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(TimeoutError())
    async with executing(tmp_path, lanes(world, ["n1"], ["a"]), policy=FailurePolicy.STOP) as run:
        await run.outcome()
        assert [event.code for event in run.events() if isinstance(event, StepFailed)] == ["unexpected"]
