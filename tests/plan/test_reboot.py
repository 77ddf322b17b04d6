"""Servers started anew: the order, what is taken up again after a cut, and who is left as it was."""

from __future__ import annotations

import itertools
import subprocess
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.step import Plan, StepContext
from rbdtui.plan.steps import reboot as reboot_steps
from rbdtui.plan.steps.leave import DrainNode
from rbdtui.plan.steps.reboot import RebootNode, Uncordon, boot_of
from rbdtui.this_machine import own_boot
from rbdtui.transport.scripts import script
from tests.plan.support import settle, spec_of
from tests.plan.test_snapshots import cluster
from tests.plan.walk import walk

ALL = ("control-plane", "etcd", "worker", "gateway")


def plan(context: StepContext, boots: dict[str, str], closed: str = "") -> Plan:
    arguments = {"boots": " ".join(f"{name}={boot}" for name, boot in boots.items()), "closed": closed}
    return recipe_named("reboot").build(Request(context.spec, {}, arguments))


def test_one_after_the_other_and_each_waits_for_the_whole_to_be_well() -> None:
    roles = {"n1": ALL, "n2": ALL, "n3": ALL, "n4": ("service",)}
    storage = {"mode": "nfs-server", "server": "n4", "path": "/data"}
    spec = spec_of(roles, sections={"storage": storage})
    arguments = {"boots": "n1=a n4=b n2=c", "closed": "n2"}
    steps = recipe_named("reboot").build(Request(spec, {}, arguments)).steps
    assert [step.id for step in steps] == [
        "whole-before",
        "leave-drain-n1", "reboot@n1", "uncordon-n1", "all-well@n1",
        "reboot@n4", "all-well@n4",
        "leave-drain-n2", "reboot@n2", "all-well@n2",
    ]  # fmt: skip
    for before, after in itertools.pairwise(steps):
        assert after.after == (before.id,), "one thing at a time"


def test_a_single_server_has_nowhere_to_drain_to() -> None:
    spec = spec_of({"n1": ALL}, sections={"kubernetes": {"api": {"mode": "first-server"}}, "gateway": {"mode": "none"}})
    steps = recipe_named("reboot").build(Request(spec, {}, {"boots": "n1=a"})).steps
    assert [step.id for step in steps] == ["whole-before", "reboot@n1", "all-well@n1"]


@pytest.mark.parametrize("boots", ["nobody=a", "n1", "n1="])
def test_what_is_no_server_of_the_plan_is_refused(boots: str) -> None:
    with pytest.raises(StepError):
        recipe_named("reboot").build(Request(spec_of({"n1": ALL}), {}, {"boots": boots}))


@pytest.mark.timeout(300)
async def test_both_come_back_take_pods_again_and_a_second_time_nothing_is_done(tmp_path: Path) -> None:
    async with cluster(tmp_path, 3) as (at, context):
        boots = {name: await boot_of(context.hosts[name]) for name in ("node1", "node3")}
        done = await walk(plan(context, boots), context)
        assert [step for step, walked in done.items() if walked.changed and step.startswith("reboot")] == [
            "reboot@node1", "reboot@node3"
        ]  # fmt: skip
        known = at.machine("node2")
        assert known.powered
        for name, before in boots.items():
            assert await boot_of(context.hosts[name]) != before
            look = await context.hosts["node2"].must(script("kube-uncordon"), "look", name)
            assert look.text.strip() == "no", f"{name} takes no pods"
        assert (await RebootNode("node1", boot=boots["node1"]).pending(context)).is_done


async def test_a_node_that_was_closed_before_stays_closed(tmp_path: Path) -> None:
    async with cluster(tmp_path, 3) as (_, context):
        drain = DrainNode("", leaving="node3")
        await settle(drain, context)
        boot = await boot_of(context.hosts["node3"])
        assert (await Uncordon("", leaving="node3", boot=boot).pending(context)).changes, "it is closed before it goes"
        step = Uncordon("", leaving="node3", boot="before")
        assert (await step.pending(context)).changes
        assert not any(isinstance(each, Uncordon) for each in plan(context, {"node3": "x"}, "node3").steps)
        await settle(step, context)
        assert (await step.pending(context)).is_done
        gone = await Uncordon("", leaving="node2", boot="before").pending(context)
        assert gone.is_done, "what takes pods is not opened"


async def test_one_that_does_not_come_back_or_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reboot_steps, "REBOOT_LIMIT_S", 1.0)
    monkeypatch.setattr(reboot_steps, "_LOOK_EVERY_S", 0.2)
    async with cluster(tmp_path, 3) as (at, context):
        step = RebootNode("node3", boot=await boot_of(context.hosts["node3"]))
        at.machine("node3").wants_reboot = lambda: None
        with pytest.raises(StepError) as gone:
            await settle(step, context)
        assert gone.value.code == "reboot_not_back"
        at.fleet.fail_next("node3", "host-reboot", status=3, message="Operation inhibited by backup")
        with pytest.raises(StepError) as refused:
            await settle(step, context)
        assert refused.value.code == "reboot_refused"
        assert "inhibited" in refused.value.evidence


def test_the_script_tells_this_machine_as_the_product_tells_it_of_itself() -> None:
    said = subprocess.run(["sh", "-c", script("host-boot").text], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == own_boot()
    assert len(own_boot().split("-")) == 6
