"""KubeSphere on a simulated cluster of three servers: installed, proven, and a second time nothing changes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.errors import StepError
from rbdtui.kube.releases import read_release
from rbdtui.kube.session import Json
from rbdtui.plan.builder import build_plan
from rbdtui.plan.removal.kubesphere import RemoveKubesphere, build_kubesphere_reset
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.kubesphere.proof import KubesphereProof
from rbdtui.plan.steps.kubesphere.release import InstallKubesphere
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.probes.model import ProbeState
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.settings import Settings
from rbdtui.simulator.bundle import write_bundle
from rbdtui.site import Site
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import Bench, bench
from tests.plan.walk import walk


@asynccontextmanager
async def sphere(tmp_path: Path, count: int = 3, **section: object) -> AsyncIterator[tuple[Bench, StepContext]]:
    """A fleet whose plan has KubeSphere, and whose bundle holds it."""
    async with bench(tmp_path, count) as at:
        data = at.context.spec.model_dump(mode="json", exclude_unset=True)
        for used in ("storage", "registry", "mysql", "rainbond"):
            data.pop(used, None)
        spec = ClusterSpec.model_validate(
            {**data, "profile": "kubernetes-only", "kubesphere": {"install": True, **section}}
        )
        bundle = write_bundle(tmp_path / "with-kubesphere", images_bytes=256 * 1024, kubesphere=True)
        yield at, replace(at.context, spec=spec, bundle=open_bundle(bundle))


async def objects(context: StepContext, path: str) -> dict[str, Json]:
    async with open_api(context) as api:
        return {item["metadata"]["name"]: item for item in (await api.kube.get(path))["items"]}


async def test_it_ends_proven_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    async with sphere(tmp_path) as (at, context):
        plan = build_plan(context.spec, context.facts)
        first = await walk(plan, context)
        deployed = await objects(context, "/apis/apps/v1/namespaces/kubesphere-system/deployments")
        sets = await objects(context, "/apis/apps/v1/namespaces/kubesphere-system/statefulsets")
        claims = await objects(context, "/api/v1/namespaces/kubesphere-system/persistentvolumeclaims")
        notes = [str(note) for note in at.heard.notes]
        well = await health_of(context)
        second = await walk(plan, context)
    assert first["kubesphere-release"].changed
    several = ("ks-apiserver", "ks-console", "ks-controller-manager", "ks-core-redisha-haproxy")
    assert {name: item["status"]["readyReplicas"] for name, item in deployed.items()} == {
        **dict.fromkeys(several, 3),
        "extensions-museum": 1,
    }
    assert {name: item["status"]["readyReplicas"] for name, item in sets.items()} == {"ks-core-redisha-server": 3}
    assert claims == {}, "without a class nothing asks for a volume"
    assert any("30880" in note and "P@88w0rd" in note for note in notes), notes
    assert any("StorageClass" in note for note in notes), notes
    assert [step.step for step in second.values() if step.changed] == []
    parts = ("ks-apiserver", "ks-console", "ks-controller-manager", "ks-core-redisha-haproxy", "ks-core-redisha-server")
    places = ("node1", "node2", "node3", "VIP")
    assert well == {
        **{f"kubesphere-{name}": ProbeState.OK for name in parts},
        "kubesphere-api": ProbeState.OK,
        **{f"kubesphere-console@{place}": ProbeState.OK for place in places},
    }


async def health_of(context: StepContext) -> dict[str, ProbeState]:
    """What is told of KubeSphere by a look at everything."""
    kubeconfig = Site(context.site_dir).kubeconfig_file
    monitor = HealthMonitor(context.spec, context.hosts, kubeconfig, settings=Settings(), straight=False)
    return {probe.key.id: probe.state for probe in (await monitor.once()).probes if "kubesphere" in probe.key.id}


async def test_a_silent_api_server_is_told(tmp_path: Path) -> None:
    """The console still shows its login page then: what proves it is what it hands on."""
    async with sphere(tmp_path, 1) as (_, context):
        await walk(build_plan(context.spec, context.facts), context)
        assert await KubesphereProof("").waiting_for(context) is None
        path = "/apis/apps/v1/namespaces/kubesphere-system/deployments/ks-apiserver"
        async with open_api(context) as api:
            await api.kube.patch(path, {"spec": {"replicas": 0}})
        while (error := await KubesphereProof("").waiting_for(context)) is None or "healthz" not in error.evidence:
            await asyncio.sleep(0.05)
        told = await health_of(context)
    assert error.code == "kubesphere_not_proven"
    wrong = {name for name, state in told.items() if state is ProbeState.DOWN}
    assert wrong == {"kubesphere-ks-apiserver", "kubesphere-api", "kubesphere-console@node1"}
    assert "node1:30880: HTTP/1.1 502" in error.evidence
    assert "deployment/ks-apiserver: different" in error.evidence


async def test_a_release_of_another_chart_is_left_alone(tmp_path: Path) -> None:
    async with sphere(tmp_path, 1) as (_, context):
        plan = build_plan(context.spec, context.facts)
        await walk(plan, context)
        secrets = "/api/v1/namespaces/kubesphere-system/secrets"
        packed = (await objects(context, secrets))["sh.helm.release.v1.ks-core.v1"]
        release = read_release(packed)
        assert release is not None
        assert release.values["global"] == {"imageRegistry": "docker.io"}
        other = InstallKubesphere("")
        async with open_api(context) as api:
            await api.kube.patch(
                f"{secrets}/sh.helm.release.v1.ks-core.v1",
                {"data": {"release": of_another_chart(packed["data"]["release"])}},
            )
        with pytest.raises(StepError, match=r"other-1\.1\.4"):
            await other.pending(context)


def of_another_chart(packed: str) -> str:
    """A record of helm with the name of another chart in it."""
    release = json.loads(gzip.decompress(base64.b64decode(base64.b64decode(packed))))
    release["chart"]["metadata"]["name"] = "other"
    return base64.b64encode(base64.b64encode(gzip.compress(json.dumps(release).encode()))).decode()


async def test_a_class_that_is_not_there_is_told_before_helm_runs(tmp_path: Path) -> None:
    async with sphere(tmp_path, 3, storage_class="fast") as (_, context):
        assert set((await health_of(context)).values()) == {ProbeState.EXPECTED}, "nothing is missed before it is there"
        with pytest.raises(ExceptionGroup) as raised:
            await walk(build_plan(context.spec, context.facts), context)
        deployed = await objects(context, "/apis/apps/v1/namespaces/kubesphere-system/deployments")
    (error,) = raised.value.exceptions
    assert isinstance(error, StepError)
    assert error.code == "storage_class_absent"
    assert deployed == {}


async def test_it_is_taken_back_and_a_second_time_there_is_nothing(tmp_path: Path) -> None:
    """What others have stays: their namespaces, which belonged to a workspace, with all that is in them."""
    async with sphere(tmp_path, 3) as (_, context):
        await walk(build_plan(context.spec, context.facts), context)
        before = await objects(context, "/api/v1/namespaces")
        team = {
            "name": "team",
            "labels": {"kubesphere.io/workspace": "one", "owner": "team"},
            "finalizers": ["finalizers.kubesphere.io/namespaces"],
            "ownerReferences": [
                {"apiVersion": "tenant.kubesphere.io/v1beta1", "kind": "Workspace", "name": "one", "uid": "u"}
            ],
        }
        async with open_api(context) as api:
            await api.kube.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": team})
        first = await walk(build_kubesphere_reset(), context)
        after = await objects(context, "/api/v1/namespaces")
        kinds = await objects(context, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
        roles = await objects(context, "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings")
        hooks = await objects(context, "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations")
        second = await walk(build_kubesphere_reset(), context)
        again = await walk(build_plan(context.spec, context.facts), context)
    assert {"kubesphere-system", "kubesphere-controls-system"} < before.keys()
    assert first["kubesphere-remove"].changed
    assert not second["kubesphere-remove"].changed
    assert not [
        name for name in (*kinds, *roles, *hooks, *after) if "kubesphere" in name or name.endswith("app.k8s.io")
    ]
    assert after["team"]["metadata"]["labels"] == {"owner": "team"}
    assert not after["team"]["metadata"].get("ownerReferences")
    assert not after["team"]["metadata"].get("finalizers")
    assert again["kubesphere-release"].changed, "it can be installed anew"


async def test_nothing_is_taken_back_while_extensions_are_installed(tmp_path: Path) -> None:
    async with sphere(tmp_path, 1) as (_, context):
        await walk(build_plan(context.spec, context.facts), context)
        plan = {
            "apiVersion": "kubesphere.io/v1alpha1", "kind": "InstallPlan", "metadata": {"name": "devops"},
            "status": {"state": "Installed"},
        }  # fmt: skip
        async with open_api(context) as api:
            await api.kube.create("/apis/kubesphere.io/v1alpha1/installplans", plan)
            await api.kube.patch("/apis/kubesphere.io/v1alpha1/installplans/devops/status", {"status": plan["status"]})
        with pytest.raises(StepError, match="devops"):
            await RemoveKubesphere("").pending(context)
