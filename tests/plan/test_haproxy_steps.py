"""A pair of balancers on simulated hosts: installed, nothing to do a second time, moved, and taken away again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.content import Content
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps import haproxy
from rbdtui.plan.steps.haproxy import CONFIG_FILE, Haproxy, ServersBalanced, configuration
from rbdtui.plan.steps.keepalived import CHECK_FILE, KeepalivedBalancer
from rbdtui.plan.steps.keepalived import CONFIG_FILE as KEEPALIVED_CONF
from rbdtui.plan.steps.ship import InstallHostPackages
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.simulator.fleet import Build
from rbdtui.simulator.machine import System
from rbdtui.simulator.units import Active
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import Bench, bench, carry_out
from tests.plan.walk import walk
from tests.spec.test_balancers import spec_of as pair_of
from tests.waiting import until

BALANCERS = ("node4", "node5")


def as_pair(data: dict[str, Any]) -> None:
    for node in data["nodes"]:
        if node["name"] in BALANCERS:
            node["roles"] = ["balancer"]
    data["gateway"] = {key: data["gateway"][key] for key in ("vip", "virtual_router_id")} | {"mode": "haproxy"}


@asynccontextmanager
async def pair(tmp_path: Path, *, builds: tuple[Build, ...] = (Build(),)) -> AsyncIterator[tuple[Bench, StepContext]]:
    async with bench(tmp_path, 5, builds=builds) as at:
        yield at, at.with_spec(as_pair)


async def health(context: StepContext) -> dict[str, str]:
    """How everything stands, by the ids of probes."""
    monitor = HealthMonitor(context.spec, context.hosts, kubeconfig_file(context))
    return {status.key.id: status.state.value for status in (await monitor.once()).probes}


def test_the_configuration_says_all_that_is_forwarded_and_how_it_is_checked() -> None:
    text = configuration(pair_of()).shown
    assert text.startswith("# Written by rbdtui for site site-a;")
    assert "listen port-6443\n    bind :6443\n    option httpchk GET /readyz\n" in text
    assert "http-check expect rstatus ^(200|401|403)$" in text
    assert "    server n3 10.0.0.13:6443 check check-ssl verify none\n" in text
    assert "listen port-9345\n    bind :9345\n    option httpchk GET /ping\n    http-check expect status 200\n" in text
    assert (
        "listen port-443\n    bind :443\n    server n1 10.0.0.11:443 check\n    server n2 10.0.0.12:443 check\n" in text
    )
    assert "bind 127.0.0.1:8404" in text
    assert text == configuration(pair_of()).actual.decode()


def test_balancers_come_first_and_know_nothing_of_rke2() -> None:
    plan = build_plan(pair_of(), {})
    own = [step.name for step in plan.steps if step.node == "lb1"]
    assert own == ["claim", "hosts-file", "host-packages", "haproxy", "keepalived-balancer"]
    assert not any(step.name.startswith("keepalived") for step in plan.steps if step.node == "n1")
    assert "vip-to-server" not in [step.id for step in plan.steps]
    up = plan.step("vip-up")
    assert {"keepalived-balancer@lb1", "keepalived-balancer@lb2"} == set(up.after)
    assert "vip-up" in plan.step("rke2-first-server@n1").after
    assert "servers-balanced" in plan.step("kubeconfig").after
    last = plan.step("gateways-balanced")
    assert last is plan.steps[-1]
    only_gateways = build_plan(pair_of(("mode: vip", "mode: first-server")), {})
    assert "servers-balanced" not in [step.id for step in only_gateways.steps]


async def test_a_cluster_is_installed_behind_a_pair_and_a_second_time_nothing_changes(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        plan = build_plan(context.spec, context.facts)
        done = await walk(plan, context)
        assert done["servers-balanced"].step
        for name in BALANCERS:
            machine = at.machine(name)
            assert machine.systemd.unit("haproxy").active is Active.ACTIVE
            assert machine.enabled("haproxy")
            assert machine.enabled("keepalived")
            assert "nopreempt" in at.file(KEEPALIVED_CONF, name)
            assert "127.0.0.1/8404" in at.file(CHECK_FILE, name)
            assert not machine.files.exists("/var/lib/rancher")
            assert machine.unit_file("rke2-agent") is None
            assert not machine.modules & {"br_netfilter"}
        holders = [m.name for m in at.fleet.network.holders(at.fleet.vip.ip)]
        assert len(holders) == 1
        assert holders[0] in BALANCERS
        seen = await health(context)
        assert {key: seen[key] for key in seen if key.endswith(BALANCERS)} == {
            f"{kind}@{name}": "ok"
            for name in BALANCERS
            for kind in ("ssh", "disk", "clock", "keepalived", "haproxy", "restart")
        }
        assert (seen["vip-holder"], seen["api@VIP"]) == ("ok", "ok")
        again = await walk(build_plan(context.spec, context.facts), context)
        assert {one.step: one.changes for one in again.values() if one.changes} == {}


async def test_rainbond_is_proven_through_the_pair_and_every_gateway_is_led_to(tmp_path: Path) -> None:
    def with_rainbond(data: dict[str, Any]) -> None:
        as_pair(data)
        data["profile"] = "rainbond-6"
        for node in data["nodes"]:
            node["roles"] += ["build"] if node["name"] not in BALANCERS else []

    async with bench(tmp_path, 5) as at:
        context = at.with_spec(with_rainbond)
        plan = build_plan(context.spec, context.facts)
        assert plan.steps[-1].id == "gateways-balanced"
        first = await walk(plan, context)
        assert first["rainbond-trial"].changed
        for name in BALANCERS:
            gateways = [each for each in at.machine(name).balanced or [] if each.port in (80, 443, 6060, 7070, 8443)]
            assert len(gateways) == 15
            assert all(each.is_up for each in gateways)
        seen = await health(context)
        assert {seen[f"gateway-{port}@VIP"] for port in (80, 443, 6060, 7070, 8443)} == {"ok"}
        assert not any(key.startswith("names@") and key.endswith(BALANCERS) for key in seen)


async def test_the_address_moves_when_haproxy_or_its_host_dies_and_what_is_dead_is_not_led_to(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await walk(build_plan(context.spec, context.facts), context)
        network = at.fleet.network

        def holder() -> str:
            found = network.holders(at.fleet.vip.ip)
            return found[0].name if len(found) == 1 else ""

        first = holder()
        await at.machine(first).systemd.stop("haproxy")
        await until(lambda: holder() not in ("", first))
        second = holder()
        at.machine(first).start_unit("haproxy")
        await at.fleet.power_off("node2")

        def sees_two_down() -> bool:
            balanced = at.machine(second).balanced or []
            down = {server.name for server in balanced if not server.is_up and server.port in (6443, 9345)}
            return down == {"node2"}

        await until(sees_two_down)
        gate = ServersBalanced("")
        error = await gate.waiting_for(context)
        assert error is not None
        assert error.code == "balancer_not_leading"
        assert "node2" in error.evidence
        left_out = replace(context, quarantined=frozenset({"node2"}))
        await until(lambda: at.machine(first).balanced is not None)

        await gate.apply(left_out, await gate.pending(left_out))
        await at.machine(first).systemd.stop("haproxy")
        silent = await gate.waiting_for(left_out)
        assert silent is not None
        assert silent.code == "haproxy_silent"
        seen = await health(context)
        assert (seen[f"haproxy@{first}"], seen[f"haproxy@{second}"]) == ("down", "degraded")
        await at.machine(second).systemd.stop("haproxy")
        await until(lambda: not network.holders(at.fleet.vip.ip))
        seen = await health(context)
        assert (seen["vip-holder"], seen["api@VIP"], seen[f"haproxy@{second}"]) == ("down", "down", "down")


async def test_a_configuration_that_was_there_is_kept_and_comes_back_with_a_reset(tmp_path: Path) -> None:
    async with pair(tmp_path) as (at, context):
        await carry_out(InstallHostPackages("node4"), context)
        machine = at.machine("node4")
        machine.files.put(CONFIG_FILE, "listen somebody\n  bind :81\n")
        await walk(build_plan(context.spec, context.facts), context)
        kept = f"/var/lib/rbdtui/backup/run1{CONFIG_FILE}"
        assert at.file(kept, "node4") == "listen somebody\n  bind :81\n"
        steps = build_reset(context.spec, [node.name for node in context.spec.nodes], whole=True)
        assert steps.step("reset-stop@node4").after, "balancers go last"
        await walk(steps, context)
        assert at.file(CONFIG_FILE, "node4") == "listen somebody\n  bind :81\n"
        for name in BALANCERS:
            assert at.machine(name).systemd.unit("haproxy").active is Active.INACTIVE
            assert not at.machine(name).enabled("haproxy")
            assert not at.machine(name).files.exists("/var/lib/rbdtui")
        assert at.fleet.network.holders(at.fleet.vip.ip) == []


async def test_haproxy_refuses_a_bad_configuration_before_it_is_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pair(tmp_path) as (at, context):
        await carry_out(InstallHostPackages("node4"), context)
        before = at.file(CONFIG_FILE, "node4")
        good = haproxy.configuration

        def bad(spec: ClusterSpec) -> Content:
            return Content(good(spec).shown, good(spec).actual.replace(b"balance", b"ballance"))

        monkeypatch.setattr(haproxy, "configuration", bad)
        step = Haproxy("node4")
        with pytest.raises(StepError) as refused:
            await step.apply(context, await step.pending(context))
        assert refused.value.code == "content_refused"
        assert "unknown keyword 'ballance'" in refused.value.evidence
        assert at.file(CONFIG_FILE, "node4") == before


async def test_selinux_lets_haproxy_listen_and_a_reset_takes_that_back(tmp_path: Path) -> None:
    builds = (Build(system=System(selinux="enforcing")),)
    async with pair(tmp_path, builds=builds) as (at, context):
        await carry_out(InstallHostPackages("node4"), context)
        machine = at.machine("node4")
        titles = await carry_out(Haproxy("node4"), context)
        assert any("haproxy_connect_any" in title for title in titles)
        assert machine.booleans == {"haproxy_connect_any": True}
        assert (await Haproxy("node4").pending(context)).is_done
        await walk(build_reset(context.spec, ["node4"], whole=False), context)
        assert machine.booleans == {"haproxy_connect_any": False}


async def test_keepalived_says_when_haproxy_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rbdtui.plan.steps.keepalived._SEEN_WITHIN_S", 1.0)
    async with pair(tmp_path) as (_, context):
        await carry_out(InstallHostPackages("node4"), context)
        step = KeepalivedBalancer("node4")
        await step.apply(context, await step.pending(context))
        with pytest.raises(StepError) as failed:
            await step.verify(context)
        assert failed.value.code in ("haproxy_check_fails", "check_silent")
