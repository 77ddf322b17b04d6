"""A MySQL pair that the plan makes and a failover of it, on embedded hosts with the runner of a real site."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rbdtui.engine.events import FailurePolicy, Outcome
from rbdtui.engine.inputs import RunOptions
from rbdtui.findings import Severity
from rbdtui.plan.step import Change
from rbdtui.probes.model import Health, ProbeState
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import RAINBOND
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.mysql import data_of
from rbdtui.site import Site
from rbdtui.spec.mysql_accounts import SECRETS
from rbdtui.words import say
from rbdtui.workbench.upkeep.failover_survey import look_at_failover
from tests.e2e.embedded import SPEED, EmbeddedSite, Passphrase, embedded_site, finished, outcomes

PASSWORD = "canary-of-rainbond"


def with_pair(text: str) -> str:
    """The last two servers for nothing but the databases."""
    text, count = re.subn(r"(name: node[45],.*roles: )\[[^]]*\]", r"\1[service]", text)
    assert count == 2, text
    return f"{text}mysql: {{mode: pair, source: node4, replica: node5, username: rainbond, password: secret:mysql}}\n"


async def rows(site: EmbeddedSite) -> tuple[Health, dict[str, tuple[ProbeState, str]]]:
    async with site.session.hosts() as hosts:
        health = await site.session.health_monitor(hosts).once()
    return health.health, {probe.key.id: (probe.state, say(probe.detail)) for probe in health.probes}


def opened_anew(site: EmbeddedSite) -> None:
    """What somebody does who comes back: the file is read as it is now."""
    site.session = type(site.session).open(site.session.site.path, Passphrase())
    site.session.unlock()


@pytest.mark.timeout(500)
async def test_it_is_checked_made_watched_and_survives_its_source_by_a_failover(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with (
        SimulatedFleet(5, speed=SPEED) as fleet,
        embedded_site(fleet, tmp_path / "site", bundle, profile=RAINBOND, change=with_pair) as site,
    ):
        site.session.unlock().set("mysql", PASSWORD)
        facts = await site.facts()
        async with site.session.hosts() as hosts:
            told = (await site.session.preflight(hosts)).findings
        assert {each.code: each.severity for each in told if each.code.startswith("RBD-MYSQL-")} == {
            "RBD-MYSQL-160": Severity.INFO
        }
        first = await site.session.start(facts, RunOptions(policy=FailurePolicy.STOP))
        await finished(first)
        vault = site.session.unlock()
        assert all(name in vault for name in SECRETS)
        health, seen = await rows(site)
        assert health is Health.OK, seen
        assert {"mysql", "mysql-source", "mysql-replica", "mysql-dump"} <= set(seen)
        again = await site.start()
        assert set(outcomes(await finished(again)).values()) == {Outcome.UNCHANGED}

        await fleet.power_off("node4")
        planned = await look_at_failover(site.session)
        assert planned.silent is not None
        shown = await site.session.preview_recipe(planned.purpose, {})
        changes: list[Change] = [change for step in shown for change in step.changes]
        assert "RESET REPLICA ALL;" in [change.detail for change in changes]
        run = await site.session.start_recipe(planned.purpose, {}, RunOptions(policy=FailurePolicy.STOP))
        done = await finished(run)
        assert [step for step in outcomes(done) if step.startswith("failover")] == [
            f"failover-{part}" for part in ("stop", "close", "promote", "switch", "start", "plan")
        ]
        opened_anew(site)
        assert (site.session.spec.mysql.source, site.session.spec.mysql.replica) == ("node5", "node4")
        _, seen = await rows(site)
        assert (seen["mysql"][0], seen["mysql-source"][0]) == (ProbeState.OK, ProbeState.OK), seen
        assert seen["mysql-replica"][0] is ProbeState.UNKNOWN

        await fleet.power_on("node4")
        await finished(await site.start())
        health, seen = await rows(site)
        assert health is Health.OK, seen
        assert data_of(fleet.machines["node4"]).copying is not None
        for file in Site(site.session.site.path).runs_dir.rglob("*"):
            content = file.read_bytes() if file.is_file() else b""
            for secret in (PASSWORD, *(vault.get(name) for name in SECRETS)):
                assert secret.encode() not in content, file
