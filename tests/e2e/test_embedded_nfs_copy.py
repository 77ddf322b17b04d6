"""The copy of a made NFS server, from the check to health, on embedded hosts with the runner of a real site."""

from __future__ import annotations

import asyncio
import re
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
from rbdtui.simulator.nfs_copy import COPY
from rbdtui.spec.nfs_copy import SECRET
from rbdtui.words import say
from tests.e2e.embedded import SPEED, EmbeddedSite, embedded_site, finished, outcomes

PATH = "/data/rainbond"
ACCEPTED = "acknowledged:\n  - {code: RBD-STORAGE-014, reason: a backup is all we want}\n"


def with_copy(text: str) -> str:
    """The fourth server for the volumes of the others, a node for its copy."""
    text, count = re.subn(r"(name: node4,.*roles: )\[[^]]*\]", r"\1[service]", text)
    assert count == 1, text
    return f"{text}storage: {{mode: nfs-server, node: node4, copy_node: node3, path: {PATH}}}\n{ACCEPTED}"


async def found(site: EmbeddedSite) -> dict[str, Severity]:
    """What the check says of the copy."""
    async with site.session.hosts() as hosts:
        result = await site.session.preflight(hosts)
    return {each.code: each.severity for each in result.findings if each.code.startswith("RBD-NFS-")}


@pytest.mark.timeout(400)
async def test_it_is_acknowledged_made_watched_and_left_alone_by_a_second_run(tmp_path: Path) -> None:
    bundle = write_bundle(tmp_path / "bundle")
    async with (
        SimulatedFleet(4, speed=SPEED) as fleet,
        embedded_site(fleet, tmp_path / "site", bundle, profile=RAINBOND, change=with_copy) as site,
    ):
        told = {each.code for each in site.session.rule_findings()}
        assert "RBD-STORAGE-014" in told
        assert "RBD-STORAGE-015" not in told, "acknowledged"
        assert (await found(site))["RBD-NFS-136"] is Severity.INFO

        await site.run()
        source, copy = fleet.machines["node4"], fleet.machines["node3"]
        source.files.put(f"{PATH}/volume/file", b"data")
        async with asyncio.timeout(20):
            while copy.files.text(f"{PATH}/volume/file") != "data":
                await asyncio.sleep(0.05)
        password = site.session.secret(SECRET)
        assert password in copy.files.text("/etc/rbdtui-rsyncd.secrets")
        async with site.session.hosts() as hosts:
            health = await HealthMonitor(site.session.spec, hosts, site.session.site.kubeconfig_file).once()
        assert health.health is Health.OK, [(probe.key.id, say(probe.detail)) for probe in health.probes]
        assert {"nfs", "nfs-copy", "nfs-copy-server", "nfs-copy-watches"} <= {probe.key.id for probe in health.probes}

        async with site.session.hosts() as hosts:
            result = await site.session.preflight(hosts)
        assert not has_errors(result.findings)
        second = await site.session.start(result.facts, RunOptions(policy=FailurePolicy.STOP))
        assert set(outcomes(await finished(second)).values()) == {Outcome.UNCHANGED}

        await copy.systemd.stop(COPY)
        async with site.session.hosts() as hosts:
            health = await HealthMonitor(site.session.spec, hosts, site.session.site.kubeconfig_file).once()
        assert health.health is Health.DEGRADED
        (taker,) = [probe for probe in health.probes if probe.key.id == "nfs-copy-server"]
        assert taker.state is ProbeState.DOWN
