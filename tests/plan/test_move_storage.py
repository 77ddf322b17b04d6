"""Rainbond's own volumes moved to another class on simulated hosts: whole, cut off anywhere, refused, and put back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services.claim_trial import Seat, seats
from rbdtui.errors import StepError
from rbdtui.kube.session import KubeSession, KubeSilentError
from rbdtui.plan.builder import build_plan
from rbdtui.plan.recipes.move_storage import BACK, CLASS, DROP, RECIPE, TELLS
from rbdtui.plan.recipes.recipe import Request
from rbdtui.plan.step import Step, StepContext
from rbdtui.plan.steps import scaling
from rbdtui.plan.steps.moving import finish, pods
from rbdtui.plan.steps.moving.copy import CopyCompared, file_system
from rbdtui.plan.steps.moving.looking import look_at
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.rainbond.release import InstallRelease
from rbdtui.rainbond.provisioner import class_name
from rbdtui.rainbond.workloads import LISTS, name_of
from rbdtui.site import Site
from rbdtui.spec.model import ClusterSpec
from tests.plan.moves import KilledError, carried, cluster_of, killed_after, store_of
from tests.plan.support import Bench, bench
from tests.plan.walk import walk

CLAIMS = {"minio-data-minio-0", "rbd-app-ui-data", "rbd-db-rbd-db-0", "rbd-hub", "data-rbd-monitor-0"}
SHARED, OTHER = "shared", "other"
CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES = "/api/v1/persistentvolumes"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated pods are done within a moment."""
    monkeypatch.setattr(pods, "EVERY_S", 0.1)
    for module in (scaling, finish):
        monkeypatch.setattr(module, "LOOK_EVERY_S", 0.1)


def storage_class(name: str, provisioner: str = "rancher.io/local-path") -> dict[str, object]:
    kind: dict[str, object] = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return kind | {"provisioner": provisioner, "reclaimPolicy": "Delete"}


@asynccontextmanager
async def rainbond(tmp_path: Path) -> AsyncIterator[tuple[Bench, StepContext]]:
    """A whole Rainbond with all built in, and two more classes in its cluster."""
    async with bench(tmp_path, 3) as at:
        data = at.context.spec.model_dump(mode="json", exclude_unset=True)
        nodes = [{**node, "roles": [*node["roles"], "build"]} for node in data["nodes"]]
        spec = ClusterSpec.model_validate({**data, "profile": "rainbond-6", "nodes": nodes})
        context = replace(at.context, spec=spec)
        await walk(build_plan(spec, context.facts), context)
        async with open_api(context) as api:
            for name in (SHARED, OTHER):
                await api.kube.create(CLASSES, storage_class(name))
        yield at, context


def steps(context: StepContext, to: str = SHARED, **arguments: str) -> tuple[Step, ...]:
    return RECIPE.build(Request(context.spec, {}, {CLASS: to, **arguments})).steps


async def standing(context: StepContext) -> dict[str, Any]:
    """Classes of the claims, the volume of each, and how many pods each workload has."""
    async with open_api(context) as api:
        claims = (await api.kube.get(LISTS["PersistentVolumeClaim"]))["items"]
        volumes = {name_of(each): each for each in (await api.kube.get(VOLUMES))["items"]}
        sets = (await api.kube.get(LISTS["StatefulSet"]))["items"] + (await api.kube.get(LISTS["Deployment"]))["items"]
        pods_there = (await api.kube.get(LISTS["Pod"]))["items"]
    return {
        "class": {name_of(each): each["spec"]["storageClassName"] for each in claims},
        "volume": {name_of(each): each["spec"]["volumeName"] for each in claims},
        "policy": {name: each["spec"]["persistentVolumeReclaimPolicy"] for name, each in volumes.items()},
        "phase": {name: each["status"]["phase"] for name, each in volumes.items()},
        "pods": {name_of(each): each["status"].get("readyReplicas", 0) for each in sets},
        "kept": [name_of(each) for each in sets if "rbdtui/replicas" in each["metadata"].get("annotations", {})],
        "copying": [name_of(each) for each in pods_there if name_of(each).startswith("rbdtui-move-")],
    }


@pytest.mark.timeout(600)
async def test_from_built_in_to_the_nfs_of_the_plan_a_run_makes_the_class_and_stops_until_all_is_moved(
    tmp_path: Path,
) -> None:
    async with rainbond(tmp_path) as (at, context):
        before = await standing(context)
        for claim in CLAIMS:
            store_of(at).contents[before["volume"][claim]]["file"] = claim
        nfs = {"mode": "nfs", "server": "198.51.100.9", "path": "/data"}
        data = {**context.spec.model_dump(mode="json", exclude_unset=True), "storage": nfs}
        planned = replace(context, spec=ClusterSpec.model_validate(data))
        plan = build_plan(planned.spec, planned.facts)
        with pytest.raises(ExceptionGroup) as stopped:
            await walk(plan, planned)
        (error,) = stopped.value.exceptions
        assert isinstance(error, StepError)
        assert error.code == "storage_not_moved"
        meanwhile = await standing(context)
        assert meanwhile["volume"].items() >= before["volume"].items(), "what was there runs as it did"

        await carried(planned, steps(planned, class_name(planned.spec)))
        await walk(plan, planned)

        after = await standing(planned)
        assert {after["class"][claim] for claim in CLAIMS} == {class_name(planned.spec)}
        assert all(store_of(at).contents[after["volume"][claim]]["file"] == claim for claim in CLAIMS)
        async with open_api(planned) as api:
            volumes = {name_of(each): each for each in (await api.kube.get(VOLUMES))["items"]}
        assert {volumes[after["volume"][claim]]["spec"]["nfs"]["server"] for claim in CLAIMS} == {"198.51.100.9"}
        again = await walk(plan, planned)
        assert [step.step for step in again.values() if step.changed] == []


@pytest.mark.timeout(600)
async def test_all_claims_move_with_what_they_hold_and_a_second_time_nothing_changes(tmp_path: Path) -> None:
    async with rainbond(tmp_path) as (at, context):
        store = store_of(at)
        before = await standing(context)
        for claim in CLAIMS:
            store.contents[before["volume"][claim]]["deep/file"] = f"of {claim}"
        held = {claim: dict(store.contents[before["volume"][claim]]) for claim in CLAIMS}
        file = Site(context.site_dir).spec_file
        file.write_text(f"{file.read_text()}\n# where all is kept\nstorage: {{mode: builtin}}  # for now\n")
        shown = [str(change.title) for step in steps(context) for change in (await step.pending(context)).changes]
        assert all(any(claim in title for title in shown) for claim in CLAIMS)
        assert await standing(context) == before, "looking changes nothing"

        wanted = replace(context, spec=context.spec.model_copy(update={"storage": _storage(context, SHARED)}))
        with pytest.raises(StepError) as refused:
            await InstallRelease("").pending(wanted)
        assert (refused.value.code, "rbd-hub" in str(refused.value)) == ("storage_not_moved", True)
        did = await carried(context, steps(context, **{TELLS: "yes"}))
        assert did == ["move-copy", "move-compare", "move-exchange", "move-operator", "move-start", "move-plan"]
        after = await standing(context)
        assert {claim: after["class"][claim] for claim in after["class"]} == dict.fromkeys(CLAIMS, SHARED)
        assert after["pods"] == before["pods"]
        assert (after["kept"], after["copying"]) == ([], [])
        for claim in CLAIMS:
            old, new = before["volume"][claim], after["volume"][claim]
            assert old != new
            assert store.contents[old] == held[claim], "nothing of the old is touched"
            assert store.contents[new].items() >= {("deep/file", f"of {claim}")}
            assert (after["phase"][old], after["policy"][old]) == ("Released", "Retain")
            began = next(name for name in held[claim] if name.endswith(".starts"))
            assert store.contents[new][began].startswith(held[claim][began]), "it goes on from what it held"
            assert len(store.contents[new][began]) > len(held[claim][began]), "and in the new volume"
            assert after["policy"][new] == "Delete", "as its class has it"
        text = file.read_text()
        assert f"storage: {{mode: storage-class, storage_class: {SHARED}}}  # for now" in text
        assert "# where all is kept" in text
        assert await carried(wanted, steps(wanted, **{TELLS: "yes"})) == []
        await _nothing_else_changes(wanted)
        await _old_goes_when_told(at, context, before, after)


def _storage(context: StepContext, name: str) -> Any:
    return context.spec.storage.model_copy(update={"mode": "storage-class", "storage_class": name})


async def _nothing_else_changes(context: StepContext) -> None:
    """A run of the plan that names the class finds Rainbond as it wants it, but for what helm notes, and proves it."""
    done = await walk(build_plan(context.spec, context.facts), context)
    assert {one.step for one in done.values() if one.changed} <= {"rainbond-release", "rainbond-trial"}


async def _old_goes_when_told(at: Bench, context: StepContext, before: Any, after: Any) -> None:
    drop = DROP.build(Request(context.spec, {}, {})).steps
    assert await carried(context, drop) == ["move-drop"]
    left = await standing(context)
    assert set(left["phase"]) == set(after["volume"].values())
    assert not {before["volume"][claim] for claim in CLAIMS} & store_of(at).contents.keys()
    assert await carried(context, drop) == []


@pytest.mark.timeout(900)
async def test_killed_anywhere_it_is_brought_to_its_end_and_no_file_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each cut is one of a move of its own, there and back again between two classes."""
    async with rainbond(tmp_path) as (at, context):
        store = store_of(at)
        for turn, changes in enumerate((33, 55, 61, 63, 66, 88)):
            target = (SHARED, OTHER)[turn % 2]
            before = await standing(context)
            mark = f"turn {turn}"
            for claim in CLAIMS:
                store.contents[before["volume"][claim]]["mark"] = mark
            cut = False
            try:
                with killed_after(monkeypatch, changes):
                    await carried(context, steps(context, target))
            except KilledError:
                cut = True
            assert cut, f"a move makes more than {changes} changes"
            await carried(context, steps(context, target))
            after = await standing(context)
            assert set(after["class"].values()) == {target}, changes
            assert after["pods"] == before["pods"], changes
            assert (after["kept"], after["copying"]) == ([], []), changes
            for claim in CLAIMS:
                assert store.contents[after["volume"][claim]]["mark"] == mark, (changes, claim)


async def _never_answers(*_: object, **__: object) -> str:
    raise KubeSilentError(0, "TimeoutError", "no answer")


async def _as_before(context: StepContext, before: Any) -> None:
    after = await standing(context)
    for what in ("volume", "pods", "kept"):
        assert {key: after[what][key] for key in before[what]} == before[what] if before[what] else not after[what]


@pytest.mark.timeout(600)
async def test_what_goes_wrong_leaves_all_running_with_what_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scaling, "STOP_S", 2.0)
    async with rainbond(tmp_path) as (at, context):
        faults, before = cluster_of(at).faults, await standing(context)

        async def refused(code: str, word: str) -> None:
            with pytest.raises(StepError) as caught:
                await carried(context, steps(context))
            assert caught.value.code == code
            assert word in f"{caught.value}{caught.value.evidence}"
            async with open_api(context) as api:
                looked = await look_at(api.kube, SHARED)
            while (await standing(context))["pods"] != before["pods"]:
                pass
            await _as_before(context, before)
            assert {each.name for each in looked.found.moving} == CLAIMS

        store_of(at).contents[before["volume"]["rbd-hub"]]["layer"] = "x" * (20 << 10)
        faults.room_kib = 10
        await refused("move_no_room", "/dev/simulated")
        assert set((await standing(context))["class"]) == CLAIMS, "second claims are gone"
        faults.room_kib = 1 << 30
        faults.torn = {"rbd-hub"}
        await refused("move_differs", "rbd-hub")
        faults.torn = set()
        faults.staying = {"rbd-monitor"}
        await refused("move_pods", "rbd-monitor-0")
        faults.staying = set()
        with monkeypatch.context() as silent:
            silent.setattr(KubeSession, "log", _never_answers)
            (step,) = (step for step in steps(context) if isinstance(step, CopyCompared))
            with pytest.raises(StepError) as caught:
                await step.apply(context, await step.pending(context))
            assert caught.value.code == "kube_silent"
        while (await standing(context))["pods"] != before["pods"]:
            pass
        await _as_before(context, before)
        assert set((await standing(context))["policy"].values()) == {"Delete", "Retain"}, "some were equal"

        steps_back = BACK.build(Request(context.spec, {}, {CLASS: SHARED})).steps
        assert await carried(context, steps_back) == ["move-back"]
        back = await standing(context)
        assert (set(back["class"]), set(back["policy"].values())) == (CLAIMS, {"Delete"})
        await _as_before(context, before)
        assert await carried(context, steps_back) == []


class NodesAnswer:
    """An API in which nothing but nodes is read, each time what comes next."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self.answers = list(answers)

    async def get(self, path: str) -> dict[str, Any]:
        assert path == "/api/v1/nodes"
        return {"items": self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]}


def node_that(ready: str) -> dict[str, Any]:
    status = {"conditions": [{"type": "Ready", "status": ready}], "images": [{"names": ["goodrain.me/alpine:3"]}]}
    return {"metadata": {"name": "node3"}, "spec": {}, "status": status}


async def test_a_node_that_is_not_ready_for_a_moment_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_node3(nodes: Any) -> Seat | StepError:
        able = [each for each in seats(nodes) if each.writes and each.node == "node3"]
        return max(able) if able else StepError("move_no_seat", claim="rbd-hub", nodes="node3", retryable=True)

    away, back = [node_that("Unknown")], [node_that("True")]
    async with bench(tmp_path) as at:
        kube: Any = NodesAnswer(away, away, back)
        assert (await pods.seated(at.context, kube, on_node3)).node == "node3"
        monkeypatch.setattr(pods, "SEAT_S", 0.2)
        kube = NodesAnswer(away)
        with pytest.raises(StepError) as caught:
            await pods.seated(at.context, kube, on_node3)
        assert caught.value.code == "move_no_seat"


def _said(device: str, kind: str, node: str = "n1", size_kib: int = 1000) -> pods.Said:
    return pods.Said({"device": [device], "kind": [kind], "size_kib": [str(size_kib)]}, node)


def test_volumes_share_room_where_they_share_a_file_system_and_only_there() -> None:
    local = {"metadata": {"name": "local"}, "spec": {"hostPath": {"path": "/opt/local-path-provisioner/a"}}}
    disk = {"metadata": {"name": "pvc-1"}, "spec": {"csi": {"driver": "rook-ceph.rbd.csi.ceph.com"}}}
    other_disk = disk | {"metadata": {"name": "pvc-2"}}
    there = file_system(local, _said("/dev/vda1", "ext4"))
    assert there == file_system(local, _said("/dev/vda1", "ext4"))
    assert there != file_system(local, _said("/dev/vda1", "ext4", node="n2"))
    assert file_system(disk, _said("/dev/rbd0", "ext4")) != file_system(other_disk, _said("/dev/rbd0", "ext4"))
    export = file_system(disk, _said("192.0.2.9:/export/a", "nfs4"))
    assert export == file_system(other_disk, _said("192.0.2.9:/export/b", "nfs4", node="n2"))
    assert export != file_system(other_disk, _said("192.0.2.9:/second/b", "nfs4", size_kib=2000))
    assert export != file_system(other_disk, _said("192.0.2.8:/export/a", "nfs"))
    shares = [_said(f"192.0.2.7:6789:/volumes/csi/{each}", "ceph") for each in "ab"]
    assert file_system(disk, shares[0]) != file_system(other_disk, shares[1])


@pytest.mark.timeout(600)
async def test_cut_off_while_all_stands_still_it_asks_again_for_room_for_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rainbond(tmp_path) as (at, context):
        store, faults, before = store_of(at), cluster_of(at).faults, await standing(context)
        hub, database = (before["volume"][claim] for claim in ("rbd-hub", "rbd-db-rbd-db-0"))
        store.contents[hub]["layer"] = "x" * (400 << 10)
        await _cut_off_while_all_stands_still(context, monkeypatch)
        store.contents[database]["late"] = "x" * (30 << 10)
        faults.room_kib = 20
        with pytest.raises(StepError) as caught:
            await carried(context, steps(context))
        assert (caught.value.code, caught.value.params["free_kib"]) == ("move_no_room", 20)
        assert int(str(caught.value.params["needed_kib"])) in range(21, 40), "what was copied needs no room again"
        while (await standing(context))["pods"] != before["pods"]:
            pass
        await _as_before(context, before)

        faults.room_kib = 100
        await _cut_off_while_all_stands_still(context, monkeypatch)
        store.contents[database]["later"] = "x" * (10 << 10)
        faults.room_kib = 20
        await carried(context, steps(context))
        after = await standing(context)
        assert set(after["class"].values()) == {SHARED}
        assert len(store.contents[after["volume"]["rbd-hub"]]["layer"]) == 400 << 10


async def _cut_off_while_all_stands_still(context: StepContext, monkeypatch: pytest.MonkeyPatch) -> None:
    async def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(CopyCompared, "_equal", killed)
        with pytest.raises(KilledError):
            await carried(context, steps(context))


@pytest.mark.timeout(600)
async def test_a_stranger_with_a_volume_a_missing_class_and_a_silent_provisioner_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pods, "START_S", 1.0)
    async with rainbond(tmp_path) as (_, context):
        with pytest.raises(StepError) as caught:
            await steps(context, "nowhere")[1].pending(context)
        assert caught.value.code == "storage_class_absent"
        async with open_api(context) as api:
            await api.kube.create(CLASSES, storage_class("unserved", "nobody.example"))
        with pytest.raises(StepError) as caught:
            await carried(context, steps(context, "unserved"))
        assert caught.value.code == "move_pod_waits"
        assert (await standing(context))["kept"] == [], "nobody was stopped for it"
        async with open_api(context) as api:
            volume = {"name": "data", "persistentVolumeClaim": {"claimName": "rbd-hub"}}
            spec = {"containers": [{"name": "c", "image": "rancher/mirrored-pause:3.6"}], "volumes": [volume]}
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "somebodys"}, "spec": spec}
            await api.kube.create(LISTS["Pod"], pod)
        with pytest.raises(StepError) as caught:
            await steps(context)[1].pending(context)
        assert (caught.value.code, "somebodys" in str(caught.value)) == ("move_strangers", True)
