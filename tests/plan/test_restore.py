"""A cluster set back to a snapshot: what was made after it is gone, and all servers are one cluster again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.kube import etcd_seen_by, nodes_seen_by
from rbdtui.plan.recipes import Request, recipe_named
from rbdtui.plan.snapshots import COPIES, SnapshotState, copies_in, snapshots_on
from rbdtui.plan.step import Plan, StepContext
from rbdtui.plan.steps.restore import PlaceSnapshot, Wanted
from rbdtui.simulator.kubernetes.cluster import ETCD_DIR, Cluster, cluster_of
from rbdtui.simulator.kubernetes.snapshots import DIRECTORY
from rbdtui.transport.scripts import script
from tests.plan.support import Bench, carry_out, spec_of
from tests.plan.test_snapshots import cluster
from tests.plan.test_snapshots import plan as snapshot_plan
from tests.plan.walk import walk

SERVER = ("control-plane", "etcd")


def restore_plan(context: StepContext, name: str, digest: str, **arguments: str) -> Plan:
    chosen = {"name": name, "digest": digest, "taken": "yesterday", **arguments}
    return recipe_named("restore").build(Request(context.spec, context.facts, chosen))


def make(at: Bench, name: str) -> None:
    store = _cluster(at).store
    store.create(store.kind("", "configmaps"), "default", {"metadata": {"name": name}, "data": {}})


def made(at: Bench) -> set[str]:
    store = _cluster(at).store
    return {item["metadata"]["name"] for item in store.listed(store.kind("", "configmaps"), "default")}


def _cluster(at: Bench) -> Cluster:
    found = cluster_of(at.machine())
    assert found is not None
    return found


async def test_the_cluster_is_as_it_was_and_all_servers_belong_to_it(tmp_path: Path) -> None:
    async with cluster(tmp_path, 4) as (at, context):
        make(at, "before")
        await walk(snapshot_plan(context), context)
        make(at, "after")
        (copy,) = copies_in(context.site_dir)
        at.machine().files.remove(f"{DIRECTORY}/{copy.name}")

        walked = await walk(restore_plan(context, copy.name, copy.digest), context)

        assert made(at) == {"before"}
        assert list(walked) == [step.id for step in restore_plan(context, copy.name, copy.digest).steps]
        servers = [node.name for node in etcd_nodes(context.spec)]
        view = await etcd_seen_by(context.hosts["node1"])
        assert len(view.members) == len(servers) == 3
        nodes = (await nodes_seen_by(context.hosts["node1"])).nodes
        assert {name for name, node in nodes.items() if node.is_ready} == set(at.fleet.machines)
        there = (await snapshots_on(context.hosts["node1"], DIRECTORY)).found
        assert [(each.name, each.state) for each in there] == [(copy.name, SnapshotState.WHOLE)]
        for name in servers:
            files = at.machine(name).files
            assert [entry for entry in files.listdir(ETCD_DIR.rpartition("/")[0]) if entry.startswith("etcd-old-")]
            assert at.machine(name).enabled("rke2-server")


async def test_a_lost_server_is_left_alone(tmp_path: Path) -> None:
    async with cluster(tmp_path, 3) as (at, context):
        make(at, "before")
        await walk(snapshot_plan(context), context)
        (copy,) = copies_in(context.site_dir)
        await at.machine("node2").systemd.stop("rke2-server")
        await at.machine("node3").systemd.stop("rke2-server")
        steps = restore_plan(context, copy.name, copy.digest, without="node3")
        assert not [step for step in steps.steps if step.node == "node3"]
        await walk(steps, context)
        assert made(at) == {"before"}
        assert {member.node_name for member in _cluster(at).members} == {"node1", "node2"}


async def test_a_snapshot_that_rke2_refuses_changes_no_other_server(tmp_path: Path) -> None:
    async with cluster(tmp_path, 3) as (at, context):
        await walk(snapshot_plan(context), context)
        (copy,) = copies_in(context.site_dir)
        _cluster(at).snapshots.clear()
        with pytest.raises(ExceptionGroup) as raised:
            await walk(restore_plan(context, copy.name, copy.digest), context)
        codes = {error.code for error in raised.value.exceptions if isinstance(error, StepError)}
        assert codes == {"restore_refused"}
        assert at.machine("node2").files.is_dir(ETCD_DIR), "their data are still there"


async def test_it_comes_from_another_server_and_only_the_chosen_one(tmp_path: Path) -> None:
    async with cluster(tmp_path, 3) as (at, context):
        await walk(snapshot_plan(context, "node2"), context)
        (copy,) = copies_in(context.site_dir)
        (context.site_dir / COPIES / f"{copy.name}.sealed").unlink()
        await carry_out(PlaceSnapshot("node1", wanted=Wanted(copy.name, copy.digest, "node2")), context)
        assert at.machine("node1").files.read(f"{DIRECTORY}/{copy.name}") == at.machine("node2").files.read(
            f"{DIRECTORY}/{copy.name}"
        )
        for wanted in (Wanted(copy.name, "0" * 64, "node2"), Wanted("none", copy.digest, "node2"), Wanted("none", "a")):
            with pytest.raises(StepError) as raised:
                await PlaceSnapshot("node1", wanted=wanted).pending(context)
            assert raised.value.code == "snapshot_gone"


async def test_a_copy_that_was_changed_is_not_put_on_a_server(tmp_path: Path) -> None:
    async with cluster(tmp_path) as (at, context):
        await walk(snapshot_plan(context), context)
        (copy,) = copies_in(context.site_dir)
        at.machine().files.remove(f"{DIRECTORY}/{copy.name}")
        path = context.site_dir / COPIES / f"{copy.name}.sealed"
        content = bytearray(path.read_bytes())
        content[-1] ^= 1
        path.write_bytes(content)
        place = PlaceSnapshot("node1", wanted=Wanted(copy.name, copy.digest))
        with pytest.raises(StepError) as raised:
            await place.apply(context, await place.pending(context))
        assert raised.value.code == "snapshot_not_opened"
        assert not at.machine().files.exists(f"{DIRECTORY}/{copy.name}")


@pytest.mark.parametrize(
    ("roles", "without", "first"),
    [
        ({"n1": SERVER, "n2": SERVER, "n3": SERVER}, "", "n1"),
        ({"n1": SERVER, "n2": SERVER, "n3": SERVER}, "n1", "n2"),
        ({"n1": ("etcd",), "n2": ("etcd",), "n3": SERVER}, "", "n3"),
        ({"n1": ("etcd",), "n2": ("etcd",), "n3": SERVER}, "n1", "n3"),
        ({"n1": ("control-plane",), "n2": ("etcd",), "n3": ("etcd",), "n4": ("etcd",)}, "", "n2"),
    ],
)
def test_which_server_begins(roles: dict[str, tuple[str, ...]], without: str, first: str) -> None:
    spec = spec_of(roles)
    plan = recipe_named("restore").build(
        Request(spec, {}, {"name": "x", "digest": "ab", "without": without, "taken": ""})
    )
    assert plan.steps[0].id == f"restore-snapshot@{first}"
    halted = {step.node for step in plan.steps if step.name == "restore-halt"}
    assert halted == {node.name for node in spec.servers} - {without}
    aside = {step.node for step in plan.steps if step.name == "restore-set-aside"}
    assert aside == {node.name for node in etcd_nodes(spec)} - {without, first}
    started = [step.node for step in plan.steps if step.name == "restore-start"]
    assert started[0] == first
    assert set(started) == halted


def test_nobody_is_left(tmp_path: Path) -> None:
    spec = spec_of({"n1": SERVER})
    with pytest.raises(StepError):
        recipe_named("restore").build(Request(spec, {}, {"name": "x", "digest": "ab", "without": "n1"}))


def test_a_part_that_came_twice_and_a_cut_one(tmp_path: Path) -> None:
    """The script itself, on this machine."""
    path = tmp_path / "db" / "snapshots" / "s"

    def receive(offset: int, data: bytes, size: int = 10) -> int:
        words = ["sh", "-c", script("snapshot-receive").text, "x", str(path), str(offset), str(size)]
        return subprocess.run(words, input=data, check=False, timeout=30, capture_output=True).returncode

    assert receive(5, b"56789") == 7
    assert receive(0, b"0123") == 0
    assert receive(4, b"45x") == 0
    assert receive(4, b"45") == 0
    assert not path.exists()
    assert receive(6, b"6789") == 0
    assert path.read_bytes() == b"0123456789"
    assert path.stat().st_mode & 0o777 == 0o600
    assert receive(6, b"6789") == 0, "the answer to the last part was lost"
    assert path.read_bytes() == b"0123456789"
    assert [entry.name for entry in path.parent.iterdir()] == ["s"]
