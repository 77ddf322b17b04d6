"""Rainbond on a simulated cluster, from bare hosts to its proof; then once more, which changes nothing; then quiet."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.plan.steps.rainbond.storage import ProvisionerReady
from rbdtui.probes.model import Health
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.settings import Cadence, Settings
from rbdtui.rainbond.workloads import LISTS
from rbdtui.site import Site
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import SPEED, bench
from tests.plan.walk import walk


async def volumes_of(context: StepContext) -> list[str]:
    """The class of each volume that is bound."""
    async with open_api(context) as api:
        listed = (await api.kube.get("/api/v1/persistentvolumes"))["items"]
    assert {item["spec"]["nfs"]["server"] for item in listed} == {"198.51.100.9"}
    return [item["spec"].get("storageClassName", "") for item in listed]


async def lose_provisioner(context: StepContext) -> None:
    """Take its pod away, so that a new one has to mount the share."""
    async with open_api(context) as api:
        for pod in (await api.kube.get(LISTS["Pod"]))["items"]:
            if pod["metadata"]["name"].startswith("nfs-client-provisioner"):
                await api.kube.delete(f"{LISTS['Pod']}/{pod['metadata']['name']}")


async def test_a_plan_ends_with_a_proven_rainbond_and_a_second_one_changes_nothing(tmp_path: Path) -> None:
    """All of it in one: each step builds on what the one before has left in the cluster."""
    async with bench(tmp_path, 3) as at:
        data = at.context.spec.model_dump(mode="json", exclude_unset=True)
        nodes = [{**node, "roles": [*node["roles"], "build"]} for node in data["nodes"]]
        storage = {"mode": "nfs", "server": "198.51.100.9", "path": "/data", "mount_options": ["nfsvers=4.1"]}
        spec = ClusterSpec.model_validate({**data, "profile": "rainbond-6", "nodes": nodes, "storage": storage})
        context = replace(at.context, spec=spec)
        plan = build_plan(spec, context.facts)
        first = await walk(plan, context)
        pulled = await _pulled_by_nodes(context)
        second = await walk(plan, context)
        told = await _told_of_health(context)
        bound = await volumes_of(context)
        at.fleet.silence_nfs("node1")
        await lose_provisioner(context)
        while "Connection timed out" not in str(error := await ProvisionerReady("").waiting_for(context)):
            await asyncio.sleep(0.05)
    assert first["rainbond-release"].changed
    assert first["rainbond-trial"].changed
    assert pulled == {"rbdtui-pull-node1", "rbdtui-pull-node2", "rbdtui-pull-node3"}
    assert {"nfs-storage", ""} == set(bound), "Rainbond's own volumes, and the exported directory"
    assert len(bound) == 6, "none of the trial is left"
    assert error is not None
    assert error.code == "provisioner_not_ready", "a server that is gone is named"
    assert [step.step for step in second.values() if step.changed] == []
    assert told == [], "a healthy site is quiet"


async def _pulled_by_nodes(context: StepContext) -> set[str]:
    """Pods whose node has pulled an image through the built-in registry; they are gone by now."""
    async with open_api(context) as api:
        events = (await api.kube.get("/api/v1/namespaces/rbd-system/events"))["items"]
        pods = (await api.kube.get("/api/v1/namespaces/rbd-system/pods"))["items"]
    assert not [pod for pod in pods if pod["metadata"]["name"].startswith("rbdtui-")]
    return {
        event["involvedObject"]["name"]
        for event in events
        if event["reason"] == "Pulled" and "goodrain.me/rbdtui-check:" in event["message"]
    }


async def _told_of_health(context: StepContext) -> list[str]:
    """What is told of within ten minutes of the cluster's time, in which all is asked some twenty times."""
    often = Cadence(
        host_s=0.6, vip_s=0.5, api_s=0.5, etcd_s=0.5, cluster_s=0.5, gateway_s=0.5, certificates_s=2.0, services_s=1.0
    )
    monitor = HealthMonitor(
        context.spec, context.hosts, Site(context.site_dir).kubeconfig_file,
        settings=Settings(cadence=often), straight=False,
    )  # fmt: skip
    first = await monitor.once()
    assert first.health is Health.OK, [str(each.detail) for each in first.probes if not each.state.good]
    events = monitor.events()
    watch = asyncio.create_task(monitor.run())
    await asyncio.sleep(10 * 60 / SPEED)
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    assert all(len(status.latencies_ms) >= 2 for status in monitor.snapshot().probes), "all was asked again"
    return [f"{event.key.id} {event.new.value}: {event.detail}" async for event in events]
