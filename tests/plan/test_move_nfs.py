"""The NFS server of Rainbond 5.17 moved to another node on simulated hosts: whole, cut off anywhere, refused, back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.engine.inputs import Purpose
from rbdtui.errors import StepError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.recipes.move_nfs import BACK, NODE, RECIPE
from rbdtui.plan.recipes.move_storage import DROP
from rbdtui.plan.recipes.recipe import Request
from rbdtui.plan.step import Step, StepContext
from rbdtui.plan.steps import scaling
from rbdtui.plan.steps.moving import pods, server_finish
from rbdtui.plan.steps.moving.server_looking import look_at_server
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.rainbond.moving import node_of, notes_of
from rbdtui.rainbond.nfs_server import CLAIM, KEPT, SERVER
from rbdtui.rainbond.releases import release_of
from rbdtui.rainbond.workloads import name_of
from rbdtui.simulator.rainbond.parts_old import NFS_DIRECTORY
from rbdtui.site import SiteError
from rbdtui.spec.model import ClusterSpec
from rbdtui.workbench.upkeep.storage_move import server_purpose
from tests.plan.moves import KilledError, carried, cluster_of, killed_after, store_of
from tests.plan.support import Bench, bench
from tests.plan.walk import walk

TEAM = "team"
APPS = f"/apis/apps/v1/namespaces/{TEAM}"
CLASS = "rainbondvolumerwx"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated pods are done within a moment."""
    monkeypatch.setattr(pods, "EVERY_S", 0.1)
    for module in (scaling, server_finish):
        monkeypatch.setattr(module, "LOOK_EVERY_S", 0.1)


@asynccontextmanager
async def rainbond(tmp_path: Path) -> AsyncIterator[tuple[Bench, StepContext]]:
    """A whole 5.17 with all built in, and an application with shared storage."""
    async with bench(tmp_path, 3, old=True) as at:
        data = at.context.spec.model_dump(mode="json", exclude_unset=True)
        nodes = [{**node, "roles": [*node["roles"], "build"]} for node in data["nodes"]]
        more = {"etcd": {"mode": "reuse"}, "rainbond": {"domain_suffix": "apps.lan"}}
        spec = ClusterSpec.model_validate({**data, "profile": "rainbond-5.17", "nodes": nodes, **more})
        context = replace(at.context, spec=spec)
        await walk(build_plan(spec, context.facts), context)
        async with open_api(context) as api:
            await api.kube.create("/api/v1/namespaces", {"metadata": {"name": TEAM}})
            claim = {
                "metadata": {"name": "shared"},
                "spec": {
                    "accessModes": ["ReadWriteMany"],
                    "storageClassName": CLASS,
                    "resources": {"requests": {"storage": "1Gi"}},
                },
            }
            await api.kube.create(f"/api/v1/namespaces/{TEAM}/persistentvolumeclaims", claim)
            proxy = await api.kube.get("/apis/apps/v1/namespaces/rbd-system/deployments/rbd-resource-proxy")
            image = proxy["spec"]["template"]["spec"]["containers"][0]["image"]
            await api.kube.create(f"{APPS}/deployments", _application("shop", "shared", image))
        await _ready(context)
        yield at, context


def _application(name: str, claim: str, image: str) -> dict[str, Any]:
    volume = {"name": "data", "persistentVolumeClaim": {"claimName": claim}}
    pod = {"containers": [{"name": name, "image": image}], "volumes": [volume]}
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": template},
    }


async def _ready(context: StepContext) -> None:
    async with asyncio.timeout(60):
        late = [""]
        while late:
            async with open_api(context) as api:
                looked = await look_at_server(api.kube)
            late = [each.shown for each in (looked.server, *looked.users) if not each.is_ready]


def steps(context: StepContext, to: str = "node2") -> tuple[Step, ...]:
    return RECIPE.build(Request(context.spec, {}, {NODE: to})).steps


async def standing(context: StepContext) -> dict[str, Any]:
    """Where the server is, what is noted of it, and how many pods all that use it are to have."""
    async with open_api(context) as api:
        looked = await look_at_server(api.kube)
        claim = await api.kube.find(f"/api/v1/namespaces/rbd-system/persistentvolumeclaims/{CLAIM}")
        listed = (await api.kube.get("/api/v1/namespaces/rbd-system/pods"))["items"]
    return {
        "node": node_of(looked.volume) if looked.volume is not None else "",
        "notes": {key: value for key, value in looked.notes.items() if key.startswith("rbdtui")},
        "claim": (claim or {}).get("status", {}).get("phase"),
        "users": {each.shown: each.replicas for each in looked.users},
        "held": [each.shown for each in looked.held],
        "moving": [name_of(each) for each in listed if name_of(each).startswith("rbdtui-move-")],
    }


def directory(at: Bench, node: str) -> dict[str, str]:
    return store_of(at).contents.setdefault(f"{node}:{NFS_DIRECTORY}", {})


USERS = {"rbd-hub", "rbd-api", "rbd-worker", "rbd-chaos", "rbd-node", "rbd-eventlog", "rbd-monitor", "rbd-app-ui"}


@pytest.mark.timeout(240)
async def test_all_of_it_goes_to_another_node_and_a_second_time_nothing_changes(tmp_path: Path) -> None:
    async with rainbond(tmp_path) as (at, context):
        before = await standing(context)
        assert (before["node"], before["claim"], before["notes"]) == ("node1", "Bound", {})
        assert {*USERS, "team/shop", "rainbond-operator"} <= before["users"].keys()
        directory(at, "node1")["vfs.conf"] = "exports"
        held = dict(directory(at, "node1"))
        assert any("shop.starts" in name for name in held), "users write into the directory of the server's node"
        changes = [change for step in steps(context) for change in (await step.pending(context)).changes]
        shown = "\n".join(f"{change.title} {change.detail}" for change in changes)
        for user in ("team/shop: 0", "rbd-hub: 0", "daemonset/rbd-chaos", "statefulset/nfs-provisioner"):
            assert user in shown
        assert await standing(context) == before, "looking changes nothing"

        did = await carried(context, steps(context))

        assert did == ["server-copy", "server-compare", "server-exchange", "server-start", "server-trial"]
        after = await standing(context)
        assert (after["node"], after["claim"], after["notes"]) == ("node2", "Bound", {KEPT: "node1"})
        assert (after["users"], after["held"], after["moving"]) == (before["users"], [], [])
        new = directory(at, "node2")
        assert new["vfs.conf"] == "exports"
        for name, content in held.items():
            assert new[name].startswith(content), "users go on with what they had"
        shops = next(name for name in held if name.endswith("shop.starts"))
        assert len(new[shops]) > len(directory(at, "node1")[shops]), "and in the new place"
        assert await carried(context, steps(context)) == []
        done = await walk(build_plan(context.spec, context.facts), context)
        assert {one.step for one in done.values() if one.changed} <= {"rainbond-release", "rainbond-trial"}
        await _old_goes_when_told(at, context)


async def _old_goes_when_told(at: Bench, context: StepContext) -> None:
    with pytest.raises(StepError) as caught:
        await carried(context, steps(context, "node1"))
    assert caught.value.code == "nfs_move_kept"
    drop = DROP.build(Request(context.spec, {}, {})).steps
    new = dict(directory(at, "node2"))
    assert await carried(context, drop) == ["server-drop"]
    assert (directory(at, "node1"), directory(at, "node2")) == ({}, new)
    assert (await standing(context))["notes"] == {}
    assert await carried(context, drop) == []


@pytest.mark.timeout(500)
async def test_killed_anywhere_it_is_brought_to_its_end_and_no_file_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rainbond(tmp_path) as (at, context):
        drop = DROP.build(Request(context.spec, {}, {})).steps
        nodes = ("node1", "node2", "node3")
        changes_of_a_move = (6, 15, 31, 32, 33, 34, 35, 40, 47)
        for turn, changes in enumerate(changes_of_a_move):
            here, there = nodes[turn % 3], nodes[(turn + 1) % 3]
            before = await standing(context)
            assert before["node"] == here
            directory(at, here)["mark"] = f"turn {turn}"
            with pytest.raises(KilledError), killed_after(monkeypatch, changes):
                await carried(context, steps(context, there))
            await carried(context, steps(context, there))
            after = await standing(context)
            assert (after["node"], after["notes"], after["claim"]) == (there, {KEPT: here}, "Bound"), changes
            assert (after["users"], after["held"], after["moving"]) == (before["users"], [], []), changes
            assert directory(at, there)["mark"] == f"turn {turn}", changes
            assert directory(at, here)["mark"] == f"turn {turn}", changes
            assert await carried(context, drop) == ["server-drop"]


@pytest.mark.timeout(240)
async def test_what_goes_wrong_leaves_all_running_with_what_it_had_and_back_takes_the_copy_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "STOP_S", 2.0)
    async with rainbond(tmp_path) as (at, context):
        faults, before = cluster_of(at).faults, await standing(context)

        async def refused(code: str, word: str, to: str = "node2") -> None:
            with pytest.raises(StepError) as caught:
                await carried(context, steps(context, to))
            assert caught.value.code == code
            assert word in f"{caught.value}{caught.value.evidence}"
            now = await standing(context)
            assert (now["node"], now["users"], now["held"]) == ("node1", before["users"], [])

        directory(at, "node2")["somebodys"] = "file"
        await refused("nfs_move_not_empty", NFS_DIRECTORY)
        assert directory(at, "node2") == {"somebodys": "file"}
        directory(at, "node2").clear()
        directory(at, "node1")["large"] = "x" * (1 << 20)
        faults.room_kib = 1000
        await refused("move_no_room", "/dev/simulated")
        faults.room_kib = 1 << 30
        await refused("nfs_move_node", "nowhere", "nowhere")
        assert (await standing(context))["notes"] == {}, "nothing was begun"
        faults.torn = {SERVER}
        await refused("move_differs", SERVER)
        faults.torn = set()
        faults.staying = {"rbd-hub"}
        await refused("move_pods", "rbd-hub")
        faults.staying = set()
        await _ready(context)
        await refused("nfs_move_other", "node2", "node3")

        back = BACK.build(Request(context.spec, {}, {})).steps
        assert directory(at, "node2")
        assert await carried(context, back) == ["server-back"]
        assert directory(at, "node2") == {}
        assert await standing(context) == before
        assert await carried(context, back) == []


async def _offered(context: StepContext, node: str) -> Purpose:
    release = release_of("v5.17.3-release")
    assert release is not None
    async with open_api(context) as api:
        return await server_purpose(api.kube, release, node, "", back=False)


@pytest.mark.timeout(240)
async def test_who_cannot_be_stopped_is_named_and_after_the_exchange_there_is_no_way_back(tmp_path: Path) -> None:
    async with rainbond(tmp_path) as (_, context):
        volume = {"name": "data", "persistentVolumeClaim": {"claimName": "shared"}}
        pod = {
            "metadata": {"name": "somebodys"},
            "spec": {"containers": [{"name": "c", "image": "rancher/mirrored-pause:3.6"}], "volumes": [volume]},
        }
        path = f"/api/v1/namespaces/{TEAM}/pods"
        async with open_api(context) as api:
            await api.kube.create(path, pod)
        with pytest.raises(StepError) as caught:
            await carried(context, steps(context))
        assert (caught.value.code, "team/somebodys" in str(caught.value)) == ("nfs_move_strangers", True)
        async with open_api(context) as api:
            await api.kube.delete(f"{path}/somebodys")
        with pytest.raises(SiteError):
            await _offered(context, "")
        asked = await _offered(context, "node2")
        assert (asked.recipe, asked.arguments[NODE], "team/shop" in asked.arguments["users"]) == (
            "move-nfs",
            "node2",
            True,
        )
        await carried(context, [step for step in steps(context) if step.name != "server-start"][:4])
        assert await _offered(context, "") == asked, "a move that was cut off is gone on with, also without its node"
        with pytest.raises(StepError) as caught:
            await carried(context, BACK.build(Request(context.spec, {}, {})).steps)
        assert caught.value.code == "move_too_far"
        await carried(context, steps(context))
        assert (await standing(context))["notes"] == {KEPT: "node1"}
        async with open_api(context) as api:
            assert notes_of((await look_at_server(api.kube)).server.item)[KEPT] == "node1"
