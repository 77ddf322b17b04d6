"""A full disk on the jump host: the run stops at once, says why, starts nothing that is not journalled, and goes on."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from rbdtui.engine.events import RunFinished, RunOutcome, StepStarted
from rbdtui.engine.journal import read_journal
from rbdtui.engine.state import RunState
from rbdtui.plan.step import StepContext
from tests.disks import fill, small_disk
from tests.engine.support import Execution, World, executing, lanes


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as place:
        yield place


def started(run: Execution) -> set[str]:
    return {event.step for event in run.events() if isinstance(event, StepStarted)}


async def test_on_a_disk_that_is_really_full(disk: Path) -> None:
    world, full = World(), asyncio.Event()
    ballast: list[Path] = []

    async def filling(context: StepContext, attempt: int) -> None:
        ballast.append(fill(disk))
        full.set()
        for number in range(200):  # the last page of the journal may have some room left
            context.report.line(f"line {number} " + "x" * 100)

    async def under_way(context: StepContext, attempt: int) -> None:
        await asyncio.sleep(3600)

    world.actions.update({"a@n1": filling, "a@n2": under_way})
    steps = lanes(world, ["n1", "n2"], [*"abcdefghijklmnopqrstuvwxyz"])
    async with executing(disk, steps) as run:
        assert await run.outcome() is RunOutcome.FAILED
        last = run.events()[-1]
        assert isinstance(last, RunFinished)
        assert last.reason is not None
        assert last.reason.key == "journal.full"
        assert world.running == set(), "what was under way is cut off: nothing goes on that cannot be journalled"
        assert {step for what, step in world.did if what == "apply"} <= started(run)
    ballast[0].unlink()
    world.actions.clear()
    before = RunState.of(read_journal(disk / "events.jsonl"))
    done_before = {name for name, step in before.steps.items() if step.status.settled}
    world.did.clear()
    async with executing(disk, steps) as run:
        assert await run.outcome() is RunOutcome.DONE
        assert done_before.isdisjoint(step for _, step in world.did)
        assert run.state.all_settled


@pytest.mark.parametrize("writes_left", range(0, 12))
async def test_wherever_the_write_fails_nothing_runs_that_is_not_journalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writes_left: int
) -> None:
    """`os.write` is made to fail for the journal from some write on, until the reserve is given back."""
    world, real = World(), os.write
    steps = lanes(world, ["n1", "n2"], ["a", "b"])
    async with executing(tmp_path, steps) as run:
        journal = run.executor._journal
        left = writes_left

        def failing(file: int, data: bytes) -> int:
            nonlocal left
            if file == journal._file and (tmp_path / "events.reserve").exists():
                left -= 1
                if left < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(file, data)

        monkeypatch.setattr(os, "write", failing)
        assert await run.outcome() is RunOutcome.FAILED
        monkeypatch.setattr(os, "write", real)
        assert {step for _, step in world.did} <= started(run)
        assert run.state.finished is not None
        assert run.state.finished.reason is not None
    world.did.clear()
    async with executing(tmp_path, steps) as run:
        finished = {name for name, step in run.state.steps.items() if step.status.settled}
        assert await run.outcome() is RunOutcome.DONE
        assert finished.isdisjoint(step for _, step in world.did)
