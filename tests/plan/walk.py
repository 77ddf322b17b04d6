"""Carry out a plan without a runner: every step as soon as those it waits for are done, nothing journalled."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from rbdtui.plan.step import Plan, Step, StepContext


@dataclass(frozen=True, slots=True)
class Walked:
    """What became of a step."""

    step: str
    changed: bool
    changes: tuple[str, ...]
    started_s: float
    """Since the walk began."""
    duration_s: float


async def walk(plan: Plan, context: StepContext, *, on_done: object = None) -> dict[str, Walked]:
    """Ask what is pending of every step, apply and verify it; raises what a step raises."""
    begin = time.monotonic()
    tasks: dict[str, asyncio.Task[Walked]] = {}

    async def one(step: Step) -> Walked:
        await asyncio.gather(*(tasks[before] for before in step.after))
        started = time.monotonic()
        changes: tuple[str, ...] = ()
        changed = False
        pending = await step.pending(context)
        if not pending.is_done:
            changes = tuple(str(change.title) for change in pending.changes)
            async with asyncio.timeout(step.time_limit_s):
                await step.apply(context, pending)
                await step.verify(context)
            changed = bool(changes)
        done = Walked(step.id, changed, changes, started - begin, time.monotonic() - started)
        if callable(on_done):
            on_done(done)
        return done

    async with asyncio.TaskGroup() as group:
        for step in plan.steps:
            tasks[step.id] = group.create_task(one(step))
    return {name: task.result() for name, task in tasks.items()}
