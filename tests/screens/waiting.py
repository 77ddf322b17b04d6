"""Bounded waits for what happens behind a screen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from textual.pilot import Pilot

from rbdtui.workbench.sections import RUN
from screens.app import RbdTuiApp
from tests.screens.conftest import settled
from tests.waiting import LIMIT_S


async def until(pilot: Pilot[int], condition: Callable[[], bool], limit_s: float = LIMIT_S) -> None:
    """Return when a condition holds and the screen has been drawn."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "this did not come about in time"
        await asyncio.sleep(0.02)
        await pilot.pause()
    await settled(pilot)


def program(pilot: Pilot[int]) -> RbdTuiApp:
    """The program, with its own type."""
    assert isinstance(pilot.app, RbdTuiApp)
    return pilot.app


async def drawn(pilot: Pilot[int]) -> None:
    """Return when all that has changed is on the screen, without waiting for the moment that it would be drawn at."""
    program(pilot)._draw()
    await settled(pilot)


async def caught_up(pilot: Pilot[int]) -> None:
    """Return when all of the journal has been read and drawn."""
    app = program(pilot)
    workbench = app.workbench
    assert workbench is not None
    run = workbench.run
    assert run is not None
    await until(pilot, lambda: run.caught_up)
    app._draw()
    await settled(pilot)


async def show_run(pilot: Pilot[int]) -> None:
    """Show the run screen with all of the journal on it."""
    app = program(pilot)
    with app._context():
        app.show_section(RUN)
    await caught_up(pilot)
