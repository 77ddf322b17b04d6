"""What a step tells while it is under way, and the alarm when it tells nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rbdtui.engine.events import (
    RunOutcome,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStirred,
)
from rbdtui.engine.logs import log_file
from rbdtui.plan.step import StepContext
from rbdtui.transport.base import (
    ConnectionLostError,
    UploadProgress,
)
from rbdtui.words import T
from tests.engine.support import QUICK, World, executing, lanes


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
        for number in range(40):
            await asyncio.sleep(0.1)
            match number % 3:
                case 0:
                    context.report.line(f"line {number}")
                case 1:
                    context.report.note(T("test.note", number=number))
                case _:
                    context.report.progress(UploadProgress(number, 100, 1.0))

    world.actions["a@n1"] = talking
    async with executing(tmp_path, lanes(world, ["n1"], ["a"], stall_s=3.0)) as run:
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
