"""A site behind a balancer, somebody else's or a pair of ours, that later forgets a server."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.balanced_api import CHECK
from rbdtui.checks.services.fleet import ask_fleet
from rbdtui.checks.view import ClusterView
from rbdtui.facts.gather import gather_all
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Place
from rbdtui.plan.builder import build_plan
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import NO_RUN_YET, StepContext
from rbdtui.plan.steps import led_to
from rbdtui.plan.steps.finish import ClusterProof
from rbdtui.probes import balanced_api, hosts, registry
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.simulator.haproxy import CONFIG_FILE
from rbdtui.words import say
from tests.plan.foreign_balancer import SERVERS, behind_a_foreign_balancer
from tests.plan.support import Heard
from tests.plan.test_haproxy_steps import BALANCERS, pair
from tests.plan.walk import walk
from tests.waiting import until


async def behind(context: StepContext) -> dict[str, str]:
    """How health sees each API server through the balancer."""
    monitor = HealthMonitor(context.spec, context.hosts, kubeconfig_file(context))
    probes = (await monitor.once()).probes
    return {status.key.target: status.state.value for status in probes if status.key.kind.value == "balanced"}


async def found(context: StepContext) -> list[tuple[str, object]]:
    """What `check` finds of it, with the servers that are named."""
    facts = {
        name: answer for name, answer in (await gather_all(context.hosts)).items() if isinstance(answer, NodeFacts)
    }
    view = ClusterView(context.spec, facts, Place, context.spec.profile.limits)
    findings = await ask_fleet(CHECK, view, context.hosts, no_secret)
    return [(finding.code, finding.params["hosts"]) for finding in findings]


async def proven(context: StepContext, heard: Heard) -> str:
    """What the last proof says of it; it passes whatever the balancer does."""
    heard.notes.clear()
    assert (await ClusterProof("").pending(context)).is_done
    (note,) = heard.notes
    return say(note, "en")


async def test_the_last_proof_waits_for_a_balancer_that_finds_a_server_up_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(led_to, "_LOOK_EVERY_S", 0.5)
    async with behind_a_foreign_balancer(tmp_path) as (at, context, balancer):
        await walk(build_plan(context.spec, context.facts), context)
        await balancer.lead_to(("node1", "node3"))
        told = asyncio.create_task(proven(context, at.heard))
        await until(lambda: bool(at.heard.lines) and "node2 shows" in at.heard.lines[-1])
        await balancer.lead_to(SERVERS)
        assert (await told).endswith("each server: node1, node2, node3.")
        previewed = replace(context, run_id=NO_RUN_YET)
        at.heard.notes.clear()
        assert (await ClusterProof("").pending(previewed)).is_done
        assert at.heard.notes == [], "a preview does not look so closely"


async def test_a_balancer_that_forgets_a_server_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(led_to, "_PATIENCE_S", 1.0)
    monkeypatch.setattr(registry, "PROBES", (hosts.PROBE, balanced_api.PROBE))
    async with behind_a_foreign_balancer(tmp_path) as (at, context, balancer):
        await walk(build_plan(context.spec, context.facts), context)
        assert say(at.heard.notes[-1], "en").endswith("leads to the API of each server: node1, node2, node3.")
        assert await behind(context) == dict.fromkeys(SERVERS, "ok")
        assert await found(context) == []
        await balancer.lead_to(("node1", "node3"))
        assert await behind(context) == {"node1": "ok", "node2": "degraded", "node3": "ok"}
        assert await found(context) == [("RBD-LB-125", "node2")]
        assert "the API of node1, node3 was met, but not that of node2" in await proven(context, at.heard)
        await balancer.lead_to(("node1",))
        assert await behind(context) == {"node1": "ok", "node2": "degraded", "node3": "degraded"}
        assert await found(context) == [("RBD-LB-126", "node2, node3")]
        await balancer.lead_to(SERVERS)
        await at.fleet.power_off("node3")
        assert await behind(context) == {"node1": "ok", "node2": "ok", "node3": "unknown"}
        assert await found(context) == []


async def test_a_pair_of_ours_that_somebody_has_changed_is_told_through_the_vip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "PROBES", (hosts.PROBE, balanced_api.PROBE))
    async with pair(tmp_path) as (at, context):
        await walk(build_plan(context.spec, context.facts), context)
        assert any("leads to the API of each server" in say(note, "en") for note in at.heard.notes)
        assert await behind(context) == dict.fromkeys(SERVERS, "ok")
        for name in BALANCERS:
            lines = at.file(CONFIG_FILE, name).splitlines(keepends=True)
            kept = "".join(line for line in lines if not line.startswith("    server node2 "))
            at.machine(name).files.put(CONFIG_FILE, kept)
            await at.machine(name).systemd.stop("haproxy")
            at.machine(name).start_unit("haproxy")
        await until(lambda: len(at.fleet.network.holders(at.fleet.vip.ip)) == 1)
        assert await behind(context) == {"node1": "ok", "node2": "degraded", "node3": "ok"}
        assert await found(context) == [("RBD-LB-125", "node2")]
