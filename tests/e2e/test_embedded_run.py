"""The whole plan on embedded hosts: it installs a healthy cluster, and a second run finds nothing to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.engine.events import FailurePolicy, Outcome, RunFinished
from rbdtui.engine.inputs import RunOptions
from rbdtui.plan.step import Change
from rbdtui.probes.model import Health
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.state import fleet_state
from rbdtui.words import Text, say
from tests.e2e.embedded import LACKS_KEEPALIVED, SPEED, EmbeddedSite, embedded_site, finished, outcomes


class Silent:
    """A reporter that nobody listens to."""

    def line(self, text: str) -> None: ...

    def note(self, text: Text) -> None: ...

    def progress(self, progress: object) -> None: ...


@pytest.mark.timeout(300)
async def test_a_run_installs_a_healthy_cluster_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with (
        SimulatedFleet(4, speed=SPEED, builds=LACKS_KEEPALIVED) as fleet,
        embedded_site(fleet, tmp_path / "site", bundle) as site,
    ):
        before = fleet_state(fleet)
        assert await planned_changes(site), "a fresh host lacks everything"
        assert fleet_state(fleet) == before, "a dry run changes nothing"

        first = await site.run()
        cluster = fleet.network.clusters["node1"]
        assert {name: cluster.ready(node) for name, node in cluster.nodes.items()} == dict.fromkeys(
            ("node1", "node2", "node3", "node4"), "True"
        )
        assert [member.machine.name for member in cluster.members] == ["node1", "node2", "node3"]
        assert len(fleet.network.holders(fleet.vip.ip)) == 1
        async with site.session.hosts() as hosts:
            health = await HealthMonitor(site.session.spec, hosts, site.session.site.kubeconfig_file).once()
        assert health.health is Health.OK, [(probe.key.id, say(probe.detail)) for probe in health.probes]

        after = site.state(first.run_id)
        assert await planned_changes(site) == []
        second = await site.session.start(await site.facts(), RunOptions(policy=FailurePolicy.STOP))
        events = await finished(second)
        assert set(outcomes(events).values()) == {Outcome.UNCHANGED}
        last = events[-1]
        assert isinstance(last, RunFinished)
        assert last.changed == 0
        assert site.state(first.run_id) == after


async def planned_changes(site: EmbeddedSite) -> list[Change]:
    """What a dry run says would change."""
    facts = await site.facts()
    async with site.session.hosts() as hosts:
        context = site.session.dry_context(hosts, facts, Silent())
        return [change for step in site.session.plan(facts).steps for change in (await step.pending(context)).changes]
