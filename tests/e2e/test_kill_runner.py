"""The runner is killed at ten places of the plan; the run goes on each time, and the machines end as if nothing was."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from rbdtui.engine.client import RunClient
from rbdtui.engine.events import Event, RunCreated, RunnerStarted, StepFinished, StepStarted
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from tests.e2e.embedded import (
    LACKS_KEEPALIVED,
    RATE_BYTES_PER_S,
    RUN_LIMIT_S,
    SPEED,
    embedded_site,
    events_of,
    finished,
)

KILLS = 10
SEED = 20
LONG_STEPS = ("ship-bundle@node1", "rke2-first-server@node1", "rke2-server@node3")
LONG_STEP_S = 0.3
"""How far into a long step a kill goes: something has been begun on the host, and it is not over."""
INTO_STEP_S = (0.0, 0.05, 0.15, 0.4)
"""How far into a step a kill goes, at most; a step that is over by then was killed behind."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a runner is killed: when the journal has the event, and so much later."""

    event: type[StepStarted] | type[StepFinished]
    step: str
    delay_s: float

    def reached(self, events: Sequence[Event]) -> bool:
        return any(isinstance(event, self.event) and event.step == self.step for event in events)


def places(events: Sequence[Event]) -> list[Place]:
    """Ten places, in the order of an undisturbed run: inside the long steps, and at the ends or inside of others."""
    chooser = random.Random(SEED)
    finished_steps = [event.step for event in events if isinstance(event, StepFinished)]
    others = [step for step in finished_steps[:-2] if step not in LONG_STEPS]
    found = [Place(StepStarted, step, LONG_STEP_S) for step in LONG_STEPS]
    for number, step in enumerate(chooser.sample(others, KILLS - len(LONG_STEPS))):
        inside = Place(StepStarted, step, chooser.choice(INTO_STEP_S))
        found.append(Place(StepFinished, step, 0.0) if number % 2 else inside)
    return sorted(found, key=lambda place: next(n for n in range(len(events)) if place.reached(events[n : n + 1])))


async def kill_at(client: RunClient, place: Place) -> None:
    """Wait for the place and end the runner with SIGKILL."""
    async with asyncio.timeout(RUN_LIMIT_S):
        while not place.reached(await events_of(client, follow=False)):
            assert client.alive(), "the runner ended by itself"
            await asyncio.sleep(0.01)
        await asyncio.sleep(place.delay_s)
        runners = [event for event in await events_of(client, follow=False) if isinstance(event, RunnerStarted)]
        with suppress(ProcessLookupError):
            os.kill(runners[-1].pid, signal.SIGKILL)
        while client.alive():
            await asyncio.sleep(0.01)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_runner_killed_at_ten_places_repeats_nothing_and_ends_the_same(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with (
        SimulatedFleet(4, speed=SPEED, builds=LACKS_KEEPALIVED, rate_bytes_per_s=RATE_BYTES_PER_S) as calm,
        embedded_site(calm, tmp_path / "calm", bundle) as site,
    ):
        run = await site.run()
        undisturbed = await events_of(run, follow=False)
        expected = site.state(run.run_id)

    async with (
        SimulatedFleet(4, speed=SPEED, builds=LACKS_KEEPALIVED, rate_bytes_per_s=RATE_BYTES_PER_S) as fleet,
        embedded_site(fleet, tmp_path / "disturbed", bundle) as site,
    ):
        client = await site.start()
        for place in places(undisturbed):
            await kill_at(client, place)
            client = await site.session.take_up(client)
        events = await finished(client)

        runners = [event.pid for event in events if isinstance(event, RunnerStarted)]
        assert len(set(runners)) == KILLS + 1
        assert sum(isinstance(event, RunCreated) for event in events) == 1
        inside = set().union(*cut_off(events))
        assert set(LONG_STEPS) <= inside, f"killed inside {sorted(inside)} only"
        assert repeated(events) == []
        assert site.state(client.run_id) == expected


def cut_off(events: Sequence[Event]) -> list[set[str]]:
    """For every runner that was killed inside steps, which these were."""
    found: list[set[str]] = []
    under_way: set[str] = set()
    for event in events:
        if isinstance(event, StepStarted):
            under_way.add(event.step)
        elif isinstance(event, StepFinished):
            under_way.discard(event.step)
        elif isinstance(event, RunnerStarted) and under_way:
            found.append(under_way)
            under_way = set()
    return found


def repeated(events: Sequence[Event]) -> list[str]:
    """Steps that were begun again after they had been done, or that were done twice."""
    done: set[str] = set()
    again = []
    for event in events:
        if isinstance(event, StepStarted) and event.step in done:
            again.append(event.step)
        elif isinstance(event, StepFinished):
            done.add(event.step)
    counts = Counter(event.step for event in events if isinstance(event, StepFinished))
    return again + [step for step, count in counts.items() if count > 1]
