"""Real gates and real waits on hosts that do not answer any more: when the run is to stop, they let go at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.plan.step import LetGoError, Step, StepKind, StopSignal
from rbdtui.plan.steps.finish import ClusterProof
from rbdtui.plan.steps.gates import VipToServer, VipUp
from rbdtui.plan.steps.keepalived import Keepalived
from rbdtui.plan.steps.rke2_config import ConfigureRke2
from rbdtui.plan.steps.rke2_start import ApiReached, StartFirstServer
from rbdtui.plan.steps.ship import ShipBundle, UnpackRke2
from tests.plan.support import Bench, bench, carry_out, settle

AT_ONCE_S = 1.0


async def nothing(at: Bench) -> None:
    """The hosts are as they were."""


async def hung(at: Bench) -> None:
    """Every host hangs: it is asked, and does not answer."""
    for name in at.fleet.stations:
        at.fleet.hang(name)


@pytest.mark.parametrize("trouble", [nothing, hung])
@pytest.mark.parametrize("step", [VipUp(""), ApiReached("node2"), ClusterProof("")], ids=lambda step: step.id)
async def test_a_gate(tmp_path: Path, step: Step, trouble: Callable[[Bench], Awaitable[None]]) -> None:
    async with bench(tmp_path, 3) as at:
        await trouble(at)
        await lets_go(at, step)
        for name in at.fleet.stations:
            at.fleet.wake(name)


async def test_a_server_that_starts(tmp_path: Path) -> None:
    async with bench(tmp_path) as at:
        for kind in (ShipBundle, UnpackRke2, ConfigureRke2):
            await carry_out(kind("node1"), at.context)
        step = StartFirstServer("node1")
        await lets_go(at, step, during=lambda: bool(at.heard.lines))
        restarts = at.machine().systemd.unit(step.unit).invocations
        await carry_out(step, replace(at.context, stop=StopSignal()))
        assert at.machine().systemd.unit(step.unit).invocations <= max(restarts, 1), "it is not started twice"


async def test_the_address_that_is_given_away(tmp_path: Path) -> None:
    """No gateway's API server is ready, so it is given away from one to the next."""
    async with bench(tmp_path, 3) as at:
        for name in at.fleet.stations:
            await carry_out(Keepalived(name), at.context)
        await lets_go(at, VipToServer(""))


async def lets_go(at: Bench, step: Step, during: Callable[[], bool] = lambda: True) -> None:
    async def carry() -> None:
        if step.kind is StepKind.GATE:
            async with at.context.waiting():
                await settle(step, at.context)
        else:
            await settle(step, at.context)

    task = asyncio.create_task(carry())
    async with asyncio.timeout(30):
        while not during():
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)
    assert not task.done()
    asked = time.monotonic()
    at.context.stop.give()
    with pytest.raises(LetGoError):
        await task
    assert time.monotonic() - asked < AT_ONCE_S
