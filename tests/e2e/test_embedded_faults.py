"""Trouble during and after a run on embedded hosts, as the demo shows it: a failed step, a restart, a power cut."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from rbdtui.engine.client import RunClient
from rbdtui.engine.events import Choice, Event, FailurePolicy, QuestionAsked, StepFailed
from rbdtui.engine.inputs import RunOptions
from rbdtui.probes.model import Health, HealthSnapshot
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from tests.e2e.embedded import RATE_BYTES_PER_S, RUN_LIMIT_S, SPEED, EmbeddedSite, embedded_site, events_of, finished


async def asked(client: RunClient) -> QuestionAsked:
    """The first question that the run asks."""
    async with asyncio.timeout(RUN_LIMIT_S):
        while True:
            for event in await events_of(client, follow=False):
                if isinstance(event, QuestionAsked):
                    return event
            await asyncio.sleep(0.02)


async def begun(client: RunClient, step: str) -> None:
    async with asyncio.timeout(RUN_LIMIT_S):
        while not any(_is_about(event, step) for event in await events_of(client, follow=False)):
            await asyncio.sleep(0.02)


def _is_about(event: Event, step: str) -> bool:
    return getattr(event, "step", "") == step


async def health(site: EmbeddedSite) -> HealthSnapshot:
    async with site.session.hosts() as hosts:
        return await HealthMonitor(site.session.spec, hosts, site.session.site.kubeconfig_file).once()


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_failed_step_is_retried_and_a_dead_holder_is_survived(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with (
        SimulatedFleet(4, speed=SPEED, rate_bytes_per_s=RATE_BYTES_PER_S) as fleet,
        embedded_site(fleet, tmp_path / "site", bundle) as site,
    ):
        fleet.fail_next("node2", "rke2-unpack", status=3, message="tar: Unexpected EOF in archive")
        client = await site.session.start(await site.facts(), RunOptions(policy=FailurePolicy.ASK))
        await begun(client, "ship-bundle@node4")
        await fleet.reboot("node4", down_s=20.0)
        question = await asked(client)
        assert question.step == "rke2-unpack@node2"
        await client.answer(question.question, Choice.RETRY)
        events = await finished(client)
        failed = [event for event in events if isinstance(event, StepFailed)]
        assert any("Unexpected EOF in archive" in event.evidence for event in failed)

        (holder,) = fleet.network.holders(fleet.vip.ip)
        await fleet.power_off(holder.name)
        other = next(machine for machine in fleet.machines.values() if machine is not holder)
        async with asyncio.timeout(RUN_LIMIT_S):
            while not await answers_on_vip(fleet, other.name):
                await asyncio.sleep(0.02)
        assert (await health(site)).health is Health.DEGRADED

        await fleet.power_on(holder.name)
        deadline = time.monotonic() + RUN_LIMIT_S
        while (seen := await health(site)).health is not Health.OK:
            assert time.monotonic() < deadline, [probe.key.id for probe in seen.probes if not probe.state.good]


async def answers_on_vip(fleet: SimulatedFleet, source: str) -> bool:
    """Whether the API is reached through the address from a machine, and has a quorum behind it."""
    try:
        target, _ = await fleet.network.find(fleet.machines[source], str(fleet.vip.ip), 6443)
    except OSError:
        return False
    return bool(fleet.network.clusters[target.name].serves(target))
