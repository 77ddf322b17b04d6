"""A node that leaves: what keeps it, what is done, and that the others are as they shall be afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.recipes.remove import refuse_needed
from rbdtui.plan.step import Plan, StepContext
from rbdtui.plan.steps.leave import DrainNode, ForgetNode, LeavePlan, NodeGone
from rbdtui.simulator.kubernetes.cluster import cluster_of
from tests.plan.support import bench, settle, spec_of
from tests.plan.test_snapshots import cluster
from tests.plan.walk import walk

ALL = ("control-plane", "etcd", "worker", "gateway")


def plan(context: StepContext, node: str, host: str = "yes") -> Plan:
    return recipe_named("remove").build(Request(context.spec, context.facts, {"node": node, "host": host}))


@pytest.mark.parametrize(
    ("roles", "node", "well", "code"),
    [
        ({"n1": ALL, "n2": ALL, "n3": ALL}, "n3", "n1 n2 n3", ""),
        ({"n1": ALL, "n2": ALL, "n3": ALL}, "n3", "n1 n2", ""),
        ({"n1": ALL, "n2": ALL, "n3": ALL}, "n2", "n1 n2", "leave_quorum"),
        ({"n1": ALL, "n2": ALL, "n3": ALL}, "n3", "", "leave_quorum"),
        ({"n1": ALL, "n2": ALL}, "n2", "n1 n2", "leave_quorum"),
        ({"n1": ALL, "n2": ALL, "n3": ALL, "n4": ("worker",)}, "n4", "", ""),
        ({"n1": ALL, "n2": ("worker",)}, "n1", "n1", "leave_last_of_role"),
        ({"n1": ("control-plane", "etcd"), "n2": ("worker",)}, "n2", "n1", "leave_last_of_role"),
        ({"n1": ALL, "n2": ALL, "n3": ALL, "n4": ("build",)}, "n4", "n1 n2 n3", "leave_last_of_role"),
    ],
)
def test_whom_the_cluster_needs(roles: dict[str, tuple[str, ...]], node: str, well: str, code: str) -> None:
    spec = spec_of(roles, profile="rainbond-6" if "build" in str(roles) else "kubernetes-only")
    if not code:
        refuse_needed(spec, node, well.split())
        return
    with pytest.raises(StepError) as raised:
        refuse_needed(spec, node, well.split())
    assert raised.value.code == code
    if code == "leave_quorum":
        members = len(etcd_nodes(spec))
        assert raised.value.params["members"] == members
        assert raised.value.params["needed"] == members // 2 + 1


@pytest.mark.parametrize("host", ["yes", ""])
def test_a_balancer_leaves_without_a_word_to_kubernetes(host: str) -> None:
    roles = {"n1": ALL, "n2": ALL, "n3": ALL, "lb1": ("balancer",), "lb2": ("balancer",)}
    gateway = {"mode": "haproxy", "vip": "10.0.0.100/24", "virtual_router_id": 87}
    spec = spec_of(roles, sections={"gateway": gateway})
    refuse_needed(spec, "lb2", [])
    steps = recipe_named("remove").build(Request(spec, {}, {"node": "lb2", "host": host})).steps
    assert {step.node for step in steps} == {"", *(["lb2"] if host else [])}
    assert [step.id for step in steps if not step.node] == ["leave-plan-lb2"]
    assert not any(isinstance(step, DrainNode | ForgetNode | NodeGone) for step in steps)


def test_whoever_has_the_apis_address_stays() -> None:
    roles = {"n1": ALL, "n2": ALL, "n3": ALL}
    spec = spec_of(roles, sections={"kubernetes": {"api": {"mode": "first-server"}}, "gateway": {"mode": "external"}})
    with pytest.raises(StepError) as raised:
        refuse_needed(spec, "n1", list(roles))
    assert raised.value.code == "leave_api_address"
    refuse_needed(spec, "n2", list(roles))


async def test_a_server_that_lives_is_drained_and_bare_and_its_member_is_gone(tmp_path: Path) -> None:
    async with cluster(tmp_path, 4) as (at, context):
        members = [node.name for node in etcd_nodes(context.spec)]
        done = await walk(plan(context, "node3"), context)
        known = cluster_of(at.machine())
        assert known is not None
        assert set(known.nodes) == set(at.fleet.machines) - {"node3"}
        assert [member.node_name for member in known.members] == [name for name in members if name != "node3"]
        files = at.machine("node3").files
        assert not files.exists("/var/lib/rancher/rke2")
        assert not files.exists("/var/lib/rbdtui")
        order = list(done)
        assert order.index("leave-drain-node3") < order.index("reset-stop@node3") < order.index("leave-delete-node3")
        again = await walk(plan(context, "node3"), context)
        assert not any(step.changed for step in again.values())


async def test_a_dead_one_has_nothing_to_drain_and_nobody_asks_it(tmp_path: Path) -> None:
    async with cluster(tmp_path, 4) as (at, context):
        await at.machine("node3").systemd.stop("rke2-server")
        known = cluster_of(at.machine())
        assert known is not None
        known.nodes["node3"].beat_s = -1000.0
        steps = plan(context, "node3", host="")
        assert [step.id for step in steps.steps] == [
            f"leave-{what}-node3" for what in ("drain", "delete", "proof", "plan")
        ]
        done = await walk(steps, context)
        assert not done["leave-drain-node3"].changed
        assert done["leave-delete-node3"].changed
        assert "node3" not in known.nodes
        assert len(known.members) == 2


async def test_what_does_not_leave_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with cluster(tmp_path, 3) as (at, context):
        gone = NodeGone("", leaving="node3")
        error = await gone.waiting_for(context)
        assert error is not None
        assert error.code == "leave_not_gone"
        assert "node node3" in error.evidence
        assert "members" in error.evidence
        for name in ("node1", "node2"):
            await at.machine(name).systemd.stop("rke2-server")
        for step in (DrainNode("", leaving="node3"), ForgetNode("", leaving="node3")):
            with pytest.raises(StepError) as raised:
                await settle(step, context)
            assert raised.value.code == "leave_refused"


def test_a_node_that_is_not_there_makes_no_plan() -> None:
    with pytest.raises(StepError):
        recipe_named("remove").build(Request(spec_of({"n1": ALL}), {}, {"node": "nobody"}))


COMMENTED = """# Ours.
nodes:
  - {name: node1, address: 10.0.0.1}
  # It stands in the other room.
  - {name: node3, address: 10.0.0.3}  # the old one
"""


async def test_who_left_is_out_of_the_plan_and_nothing_else_of_it_changes(tmp_path: Path) -> None:
    async with bench(tmp_path, 1) as at:
        file = at.context.site_dir / "cluster.yaml"
        file.write_text(COMMENTED, encoding="utf-8")
        step = LeavePlan("", leaving="node3")
        (change,) = (await step.pending(at.context)).changes
        assert "-  - {name: node3, address: 10.0.0.3}  # the old one" in change.detail
        await settle(step, at.context)
        assert file.read_text(encoding="utf-8").startswith("# Ours.\nnodes:\n  - {name: node1, address: 10.0.0.1}\n")
        assert "node3" not in file.read_text(encoding="utf-8")
        assert file.with_name("cluster.yaml.bak").read_text(encoding="utf-8") == COMMENTED
        assert (await step.pending(at.context)).is_done


async def test_a_plan_that_cannot_be_edited_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    async with bench(tmp_path, 1) as at:
        file = at.context.site_dir / "cluster.yaml"
        file.write_text("nodes: [", encoding="utf-8")
        with pytest.raises(StepError) as raised:
            await LeavePlan("", leaving="node3").pending(at.context)
        assert raised.value.code == "leave_not_edited"
        assert LeavePlan.skippable
        assert file.read_text(encoding="utf-8") == "nodes: ["
