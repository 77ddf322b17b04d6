"""The provisioner of an NFS server: its objects are applied once, follow the plan, and spare what is others'."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.bundle.archives import ArchivedImage
from rbdtui.plan.step import BundleFile, StepError
from rbdtui.plan.steps.rainbond.storage import MakeProvisioner, ProvisionerReady, wanted_image
from rbdtui.rainbond.provisioner import CLAIMS, CLASSES, NAME, VOLUMES, objects, root_name
from rbdtui.rainbond.workloads import LISTS
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.kube.api import Api, Asked, refusal
from tests.plan.rainbond_support import SmallBundle, Stage, plan_of, stage
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority

NFS = {"mode": "nfs", "server": "nas.lan", "path": "/data", "mount_options": ["hard,nfsvers=4.1"]}
IMAGE = "mirror.example/x/nfs-subdir-external-provisioner:v4.0.2"
DEPLOYMENT = f"{LISTS['Deployment']}/{NAME}"
CLASS = f"{CLASSES}/nfs-storage"


@dataclass
class Cluster(Api):
    """An API that keeps objects, and adds to each what a real one adds."""

    kept: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, object]:
        if asked.method == "PATCH":
            assert isinstance(asked.body, dict)
            assert asked.query["fieldManager"] == ["rbdtui"]
            self.kept[asked.path] = {**asked.body, "metadata": {**asked.body["metadata"], "uid": "1"}, "status": {}}
            self.changed.append(asked.path)
        elif asked.method == "DELETE":
            del self.kept[asked.path]
            self.changed.append(f"-{asked.path}")
            return 200, {}
        if asked.path in self.kept:
            return 200, self.kept[asked.path]
        items = [item for path, item in self.kept.items() if path.rpartition("/")[0] == asked.path]
        is_list = asked.path in (*LISTS.values(), VOLUMES, CLAIMS)
        return (200, {"items": items}) if is_list else (404, refusal(404, "NotFound", asked.path))


@dataclass
class Bundle(SmallBundle):
    """With the provisioner's image under a name that nobody has foreseen."""

    def rainbond_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        images = (ArchivedImage(IMAGE, "sha256:1", arch), ArchivedImage("hub/nfs-client-provisioner:v3.1.0", "", arch))
        return [BundleFile(self.helm_path, 1, "0" * 64, images=images)]


@asynccontextmanager
async def at(authority: Authority, tmp_path: Path, api: Api, spec: ClusterSpec | None = None) -> AsyncIterator[Stage]:
    """A stage whose plan has an NFS server."""
    async with stage(authority, tmp_path, api, spec=spec or plan_of(storage=NFS)) as there:
        there.context = replace(there.context, bundle=Bundle(there.bundle.helm_path))
        yield there


async def settled(there: Stage) -> list[str]:
    step = MakeProvisioner("")
    pending = await step.pending(there.context)
    for change in pending.changes:
        assert all("{" not in say(change.title, language) for language in LANGUAGES)
    await step.apply(there.context, pending)
    assert (await step.pending(there.context)).is_done
    return list(pending.evidence.splitlines())


async def test_what_is_there_is_not_applied_again_and_what_somebody_changed_is(
    authority: Authority, tmp_path: Path
) -> None:
    cluster = Cluster()
    async with at(authority, tmp_path, cluster) as there:
        assert await settled(there) == list(objects(there.context.spec, IMAGE)) == cluster.changed
        cluster.kept[DEPLOYMENT]["spec"]["replicas"] = 0
        assert await settled(there) == [DEPLOYMENT]
        pod = cluster.kept[DEPLOYMENT]["spec"]["template"]["spec"]
        assert pod["containers"][0]["image"] == IMAGE, "by the name in the bundle, and not that of a version before 4"
        (claim,) = (volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"])
        root = cluster.kept[f"{VOLUMES}/{claim}"]["spec"]
        assert (root["nfs"], root["mountOptions"]) == ({"server": "nas.lan", "path": "/data"}, ["hard", "nfsvers=4.1"])
        assert cluster.kept[CLASS]["mountOptions"] == ["hard", "nfsvers=4.1"]


async def test_another_directory_takes_the_place_of_the_first(authority: Authority, tmp_path: Path) -> None:
    cluster = Cluster()
    async with at(authority, tmp_path, cluster) as there:
        await settled(there)
        old = root_name(there.context.spec)
        there.context = replace(there.context, spec=plan_of(storage={**NFS, "path": "/other"}))
        new = root_name(there.context.spec)
        expected = [f"{VOLUMES}/{new}", f"{CLAIMS}/{new}", DEPLOYMENT, f"{CLAIMS}/{old}", f"{VOLUMES}/{old}"]
        assert await settled(there) == expected


async def test_before_there_is_a_cluster_all_of_it_is_shown(authority: Authority, tmp_path: Path) -> None:
    async with at(authority, tmp_path, Cluster()) as there:
        (there.context.site_dir / "kubeconfig").unlink()
        changes = (await MakeProvisioner("").pending(there.context)).changes
    assert len(changes) == len(objects(plan_of(storage=NFS), IMAGE))
    assert "NFS_SERVER" in changes[-2].detail


async def test_a_class_that_somebody_else_serves_is_not_touched(authority: Authority, tmp_path: Path) -> None:
    theirs = {"metadata": {"name": "nfs-storage"}, "provisioner": "cluster.local/nfs"}
    cluster = Cluster(kept={CLASS: theirs})
    async with at(authority, tmp_path, cluster) as there:
        with pytest.raises(StepError) as caught:
            await MakeProvisioner("").pending(there.context)
    assert (caught.value.code, caught.value.params["provisioner"]) == ("storage_class_taken", "cluster.local/nfs")
    assert cluster.changed == []


@pytest.mark.parametrize(
    ("sections", "image"),
    [
        ({}, IMAGE),
        (
            {"registry": {"mode": "external", "domain": "hub.lan:5000", "namespace": "rbd"}},
            "hub.lan:5000/rbd/nfs-subdir-external-provisioner:v4.0.2",
        ),
    ],
)
async def test_the_image_is_named_as_the_nodes_find_it(
    authority: Authority, tmp_path: Path, sections: dict[str, object], image: str
) -> None:
    spec = plan_of(storage=NFS, **sections)
    async with at(authority, tmp_path, Cluster(), spec) as there:
        assert await wanted_image(there.context) == image


async def test_a_server_that_does_not_answer_is_named(authority: Authority, tmp_path: Path) -> None:
    cluster = Cluster()
    owner = {"kind": "ReplicaSet", "name": f"{NAME}-abc"}
    said = "MountVolume.SetUp failed: Mounting arguments: -t nfs nas.lan:/data Output: mount.nfs: Connection timed out"
    cluster.kept = {
        f"{LISTS['Pod']}/{NAME}-abc-1": {
            "metadata": {"name": f"{NAME}-abc-1", "ownerReferences": [owner]}, "spec": {"nodeName": "n2"},
        },
        f"{LISTS['Event']}/e": {
            "involvedObject": {"name": f"{NAME}-abc-1"}, "reason": "FailedMount", "type": "Warning", "message": said,
        },
    }  # fmt: skip
    async with at(authority, tmp_path, cluster) as there:
        await settled(there)
        error = await ProvisionerReady("").waiting_for(there.context)
        assert error is not None
        assert error.code == "provisioner_not_ready"
        assert all(word in str(error) for word in (NAME, "n2", "Connection timed out"))
        assert "2049" in str(error.remedy)
        cluster.kept.clear()
        absent = await ProvisionerReady("").waiting_for(there.context)
        assert absent is not None
        assert "has been deleted" in str(absent), "no operator makes it again"
