"""An NFS server that the plan makes, from the check to health, on embedded hosts with the runner of a real site."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from rbdtui.engine.events import FailurePolicy, Outcome
from rbdtui.engine.inputs import RunOptions
from rbdtui.findings import Severity, has_errors
from rbdtui.probes.model import Health, ProbeState
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.demo_site import RAINBOND
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.machine import install_nfs_server
from rbdtui.words import say
from tests.e2e.embedded import SPEED, EmbeddedSite, embedded_site, finished, outcomes

PATH = "/data/rainbond"


def with_server(text: str) -> str:
    """The fourth server for nothing but the volumes of the others."""
    text, count = re.subn(r"(name: node4,.*roles: )\[[^]]*\]", r"\1[service]", text)
    assert count == 1, text
    return f"{text}storage: {{mode: nfs-server, node: node4, path: {PATH}}}\n"


async def found(site: EmbeddedSite) -> Mapping[str, Severity]:
    """What the check says of the NFS server."""
    async with site.session.hosts() as hosts:
        result = await site.session.preflight(hosts)
    return {each.code: each.severity for each in result.findings if each.code.startswith("RBD-NFS-")}


@pytest.mark.timeout(400)
async def test_it_is_checked_made_watched_and_left_alone_by_a_second_run(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with (
        SimulatedFleet(4, speed=SPEED) as fleet,
        embedded_site(fleet, tmp_path / "site", bundle, profile=RAINBOND, change=with_server) as site,
    ):
        machine = fleet.machines["node4"]
        assert await found(site) == {"RBD-NFS-134": Severity.INFO, "RBD-NFS-146": Severity.WARNING}
        install_nfs_server(machine)
        machine.files.put("/etc/exports", "/srv *(rw)\n")
        machine.files.put(f"{PATH}/somebody's", b"data")
        wrong = await found(site)
        assert {code for code, severity in wrong.items() if severity is Severity.ERROR} == {
            "RBD-NFS-141",
            "RBD-NFS-142",
        }
        machine.files.put("/etc/exports", "")
        machine.files.remove(f"{PATH}/somebody's")

        await site.run()
        assert list(machine.exported) == [PATH]
        cluster = fleet.network.clusters["node1"]
        assert set(cluster.nodes) == {"node1", "node2", "node3"}
        async with site.session.hosts() as hosts:
            health = await HealthMonitor(site.session.spec, hosts, site.session.site.kubeconfig_file).once()
        assert health.health is Health.OK, [(probe.key.id, say(probe.detail)) for probe in health.probes]
        assert "nfs" in {probe.key.id for probe in health.probes}

        assert await found(site) == {}
        async with site.session.hosts() as hosts:
            result = await site.session.preflight(hosts)
        assert not has_errors(result.findings)
        second = await site.session.start(result.facts, RunOptions(policy=FailurePolicy.STOP))
        assert set(outcomes(await finished(second)).values()) == {Outcome.UNCHANGED}

        await machine.systemd.stop("nfs-server")
        assert "not running" in await said_of_it(site)
        await fleet.power_off("node4")
        assert "2049" in await said_of_it(site), "the nodes are asked when the server itself cannot be"


async def said_of_it(site: EmbeddedSite) -> str:
    """What health says of a server that is down."""
    async with site.session.hosts() as hosts:
        health = await HealthMonitor(site.session.spec, hosts, site.session.site.kubeconfig_file).once()
    assert health.health is Health.DEGRADED
    (told,) = [probe for probe in health.probes if probe.key.id == "nfs"]
    assert told.state is ProbeState.DOWN
    return say(told.detail)
