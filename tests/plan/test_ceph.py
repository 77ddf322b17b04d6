"""Ceph on a simulated cluster of three servers: on the named disks, proven, and a second time nothing changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.kube.session import Json
from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import Plan, StepContext
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.rook.ceph import CephReady, MakeCeph
from rbdtui.probes.model import ProbeState
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.settings import Settings
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.disks import links, serial
from rbdtui.site import Site
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import Bench, bench
from tests.plan.walk import walk

CLASSES = "/apis/storage.k8s.io/v1/storageclasses"
ROOK = "/apis/apps/v1/namespaces/rook-ceph/deployments"
CLUSTER = "/apis/ceph.rook.io/v1/namespaces/rook-ceph/cephclusters/rook-ceph"


@asynccontextmanager
async def ceph(tmp_path: Path, **spoilt: str) -> AsyncIterator[tuple[Bench, StepContext]]:
    """A fleet whose plan has Ceph on the empty disk of each server, and whose bundle holds it."""
    async with bench(tmp_path, 3) as at:
        data = at.context.spec.model_dump(mode="json", exclude_unset=True)
        machines = at.fleet.machines
        disks = [
            {"node": name, "device": links(machine)[0], "serial": serial(machine)} for name, machine in machines.items()
        ]
        for name, signature in spoilt.items():
            machines[name].disk_signature = signature
        for node in data["nodes"]:
            node["roles"] = sorted({*node["roles"], "build"})
        spec = ClusterSpec.model_validate(
            {**data, "profile": "rainbond-6", "storage": {"mode": "rook-ceph", "disks": disks}}
        )
        bundle = write_bundle(tmp_path / "with-rook", images_bytes=256 * 1024, rook=True)
        yield at, replace(at.context, spec=spec, bundle=open_bundle(bundle))


def until(context: StepContext, last: str) -> Plan:
    """The plan's steps to the one of that name, and what they wait for."""
    steps = build_plan(context.spec, context.facts).steps
    end = next(number for number, step in enumerate(steps) if step.name == last)
    return Plan(steps[: end + 1])


async def objects(context: StepContext, path: str) -> dict[str, Json]:
    async with open_api(context) as api:
        return {item["metadata"]["name"]: item for item in (await api.kube.get(path))["items"]}


async def test_it_ends_proven_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    async with ceph(tmp_path) as (at, context):
        plan = until(context, "ceph-block-proof")
        first = await walk(plan, context)
        deployed = await objects(context, ROOK)
        classes = await objects(context, CLASSES)
        async with open_api(context) as api:
            cluster = await api.kube.get(CLUSTER)
            left = (await api.kube.get("/api/v1/namespaces/default/persistentvolumeclaims"))["items"]
        second = await walk(plan, context)
        monitor = HealthMonitor(
            context.spec, context.hosts, Site(context.site_dir).kubeconfig_file, settings=Settings(), straight=False
        )
        told = {probe.key.id: probe.state for probe in (await monitor.once()).probes if "ceph" in probe.key.id}
    assert told == dict.fromkeys(("ceph", "ceph-disks", "ceph-room"), ProbeState.OK)
    assert all(first[name].changed for name in ("rook-release", "ceph", "ceph-files-proof", "ceph-block-proof"))
    assert {name for name in deployed if "osd" in name} == {"rook-ceph-osd-0", "rook-ceph-osd-1", "rook-ceph-osd-2"}
    used = cluster["spec"]["storage"]
    assert (used["useAllNodes"], used["useAllDevices"]) == (False, False)
    assert [(each["name"], len(each["devices"])) for each in used["nodes"]] == [(f"node{i}", 1) for i in (1, 2, 3)]
    assert all(each["devices"][0]["name"].startswith("/dev/disk/by-id/") for each in used["nodes"])
    assert cluster["status"]["ceph"]["health"] == "HEALTH_OK"
    assert {"rook-cephfs", "rook-ceph-block"} <= classes.keys()
    assert left == []
    assert [step.step for step in second.values() if step.changed] == []
    assert not any("Not removed" in str(note) for note in at.heard.notes)


class Impatient(CephReady):
    """Gives up as soon as nothing moves."""

    __slots__ = ()
    unmoved_s = 0.3
    look_every_s = 0.05


async def test_a_disk_that_is_not_empty_is_waited_for_and_never_wiped(tmp_path: Path) -> None:
    async with ceph(tmp_path, node2="ext4") as (at, context):
        await walk(until(context, "ceph"), context)
        while (error := await CephReady("").waiting_for(context)) and "2 of 3 serve" not in error.evidence:
            await asyncio.sleep(0.05)
        waiting = Impatient("")
        pending = await waiting.pending(context)
        with pytest.raises(StepError, match="2 of 3 disks serve, health HEALTH_WARN"):
            await waiting.apply(context, pending)
        kept = at.machine("node2").disk_signature
    assert error is not None
    assert error.evidence.splitlines()[:2] == [
        "disks: 2 of 3 serve, 2 taken",
        "CephCluster: Progressing Processing OSDs",
    ]
    assert kept == "ext4"


async def test_somebody_elses_ceph_and_class_are_left_alone(tmp_path: Path) -> None:
    async with ceph(tmp_path) as (_, context):
        await walk(until(context, "ceph"), context)
        async with open_api(context) as api:
            await api.kube.patch(CLUSTER, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "Helm"}}})
            with pytest.raises(StepError, match="rook-ceph"):
                await MakeCeph("").pending(context)
            await api.kube.patch(CLUSTER, {"metadata": {"labels": {"app.kubernetes.io/managed-by": "rbdtui"}}})
            await api.kube.patch(f"{CLASSES}/rook-cephfs", {"provisioner": "example.com/other"})
        with pytest.raises(StepError, match=r"example\.com/other"):
            await MakeCeph("").pending(context)
