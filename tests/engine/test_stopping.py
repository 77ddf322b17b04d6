"""Stopping a run: what only waits lets go at once and is taken up again later, what works ends in peace."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from rbdtui.engine.client import RunClient, resume_run
from rbdtui.engine.events import FailurePolicy, RunOutcome, StepLetGo
from rbdtui.engine.lock import holder_of
from rbdtui.engine.state import StepStatus
from rbdtui.plan.step import RetryPolicy, StepContext, StepError, StepKind
from rbdtui.site import Site
from rbdtui.transport.base import ConnectionLostError
from tests.engine.disk_runs import SECRETS, assert_whole, ended, runner, start, until
from tests.engine.support import Execution, World, executing, failing, held, kind, lanes

AT_ONCE_S = 1.0


def for_ever(world: World) -> Callable[[StepContext, int], Awaitable[None]]:
    """Wait for what never comes about, the first time."""

    async def action(context: StepContext, attempt: int) -> None:
        world.did.append(("began", "work"))
        async with context.waiting():
            if attempt == 1:
                await asyncio.sleep(3600)

    return action


async def stopped_at_once(run: Execution, step: str) -> None:
    await run.until(lambda: run.state.steps[step].status is StepStatus.RUNNING and step in run.executor._tasks)
    await asyncio.sleep(0.02)
    asked = time.monotonic()
    run.executor.stop("op")
    assert await run.outcome() is RunOutcome.STOPPED
    assert time.monotonic() - asked < AT_ONCE_S
    assert StepLetGo(step) in run.events()
    assert not run.state.steps[step].status.settled
    assert run.state.steps[step].failure is None


@pytest.mark.parametrize("step_kind", [StepKind.GATE, StepKind.WORK])
async def test_what_only_waits_lets_go_at_once_and_is_taken_again(tmp_path: Path, step_kind: StepKind) -> None:
    world = World()
    steps = [kind("wait", world, kind=step_kind)("n1"), kind("b", world)("n1", after=("wait@n1",))]
    world.actions["wait@n1"] = for_ever(world)
    async with executing(tmp_path, steps) as run:
        await stopped_at_once(run, "wait@n1")
        assert world.done == set()
    async with executing(tmp_path, steps) as run:
        assert await run.outcome() is RunOutcome.DONE
        assert world.applied() == ["wait@n1", "wait@n1", "b@n1"]
        assert run.state.steps["wait@n1"].attempts == 2


async def test_a_gate_that_hangs_in_its_first_look_lets_go(tmp_path: Path) -> None:
    class Hanging(kind("look", World(), kind=StepKind.GATE)):  # type: ignore[misc]
        __slots__ = ()

        async def pending(self, context: StepContext) -> None:
            await asyncio.sleep(3600)

    async with executing(tmp_path, [Hanging("n1")]) as run:
        await stopped_at_once(run, "look@n1")


async def test_work_before_the_wait_ends_and_the_wait_does_not_begin(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()

    async def action(context: StepContext, attempt: int) -> None:
        await release.wait()
        world.did.append(("changed", "a@n1"))
        async with context.waiting():
            await asyncio.sleep(3600)

    world.actions["a@n1"] = action
    async with executing(tmp_path, lanes(world, ["n1"], ["a"])) as run:
        await run.until(lambda: world.running)
        run.executor.stop("op")
        await asyncio.sleep(0.05)
        assert not run.task.done(), "what is under way ends in peace"
        release.set()
        assert await run.outcome() is RunOutcome.STOPPED
        assert ("changed", "a@n1") in world.did


async def test_who_let_go_is_not_shown_at_work_while_others_end(tmp_path: Path) -> None:
    world, release = World(), asyncio.Event()
    steps = [*lanes(world, ["n1"], ["a"]), kind("wait", world, kind=StepKind.GATE)("n2")]
    world.actions.update({"a@n1": held(release), "wait@n2": for_ever(world)})
    async with executing(tmp_path, steps) as run:
        await run.until(lambda: len(world.running) == 2)
        run.executor.stop("op")
        await run.until(lambda: run.state.steps["wait@n2"].status is StepStatus.READY)
        assert run.state.steps["a@n1"].status is StepStatus.RUNNING
        release.set()
        assert await run.outcome() is RunOutcome.STOPPED
        assert world.done == {"a@n1"}


async def test_a_failure_that_stops_the_run_ends_the_waits_too(tmp_path: Path) -> None:
    world = World()
    steps = [*lanes(world, ["n1"], ["a"]), kind("wait", world, kind=StepKind.GATE)("n2")]
    world.actions.update({"a@n1": failing(StepError("wrong")), "wait@n2": for_ever(world)})
    async with executing(tmp_path, steps, policy=FailurePolicy.STOP) as run:
        assert await run.outcome() is RunOutcome.FAILED
        assert StepLetGo("wait@n2") in run.events()


async def test_a_wait_that_fails_by_itself_fails(tmp_path: Path) -> None:
    world = World()

    async def action(context: StepContext, attempt: int) -> None:
        async with context.waiting():
            raise StepError("wrong")

    world.actions["a@n1"] = action
    async with executing(tmp_path, lanes(world, ["n1"], ["a"])) as run:
        await run.until(lambda: run.state.questions)
        assert run.state.steps["a@n1"].status is StepStatus.ASKING


async def test_a_delay_before_the_next_attempt_is_not_waited_for(tmp_path: Path) -> None:
    world = World()
    world.actions["a@n1"] = failing(ConnectionLostError("n1"))
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], retry=RetryPolicy(3, 3600.0))) as run:
        await run.until(lambda: run.state.steps["a@n1"].status is StepStatus.RETRYING)
        asked = time.monotonic()
        run.executor.stop("op")
        assert await run.outcome() is RunOutcome.STOPPED
        assert time.monotonic() - asked < AT_ONCE_S


async def stop_by_command(client: RunClient) -> None:
    await client.stop()


async def stop_by_signal(client: RunClient) -> None:
    holder = holder_of(client.site)
    assert holder is not None
    os.kill(holder.pid, signal.SIGTERM)


@pytest.mark.parametrize("stop", [stop_by_command, stop_by_signal])
async def test_a_runner_whose_gate_waits_is_gone_at_once(
    site: Site, stop: Callable[[RunClient], Awaitable[None]]
) -> None:
    client = await start(site, "--gate=3600")
    await until(lambda: client.state().steps["gate"].status is StepStatus.RUNNING)
    asked = time.monotonic()
    await stop(client)
    assert (await ended(client)).outcome is RunOutcome.STOPPED
    assert time.monotonic() - asked < 2 * AT_ONCE_S
    await resume_run(client.run_dir, secrets=SECRETS, runner=runner())
    assert (await ended(client)).outcome is RunOutcome.DONE
    assert_whole(client, site)
