"""The class of an NFS server proven by a throw-away claim: written on one node, read on the others, nothing left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services import claim_trial
from rbdtui.plan.step import StepError
from rbdtui.plan.steps.rainbond.storage_proof import StorageProof
from rbdtui.words import LANGUAGES, say
from tests.checks.test_storage_claim import DEFAULT, PAUSE, SHELL, Cluster
from tests.kube.api import Asked
from tests.plan.rainbond_support import Stage
from tests.plan.test_storage_steps import CLASS, at
from tests.probes.conftest import authority as authority
from tests.probes.targets import Authority

NODES = ("n1", "n2", "n3")


@dataclass
class Cluster3(Cluster):
    """Three nodes; pods get ready but on some of them."""

    unwell: tuple[str, ...] = ()
    volume_stays: bool = False
    noted: dict[str, Any] = field(default_factory=dict)

    def answer(self, asked: Asked) -> tuple[int, object]:
        if asked.path == CLASS:
            if asked.method == "PATCH":
                assert isinstance(asked.body, dict)
                self.noted = asked.body["metadata"]["annotations"]
            return 200, {"metadata": {"annotations": self.noted}}
        if asked.path == "/api/v1/nodes":
            ready = [{"type": "Ready", "status": "True"}]
            images = [{"names": [name]} for name in self.images]
            return 200, {
                "items": [{"metadata": {"name": n}, "status": {"conditions": ready, "images": images}} for n in NODES]
            }
        if asked.path == "/api/v1/persistentvolumes/pv-1" and self.volume_stays:
            return 200, {}
        return super().answer(asked)

    def _one(self, method: str, path: str) -> tuple[int, object]:
        if "/persistentvolumeclaims/" in path and path in self.objects:
            self.objects[path]["spec"]["volumeName"] = "pv-1"
        return super()._one(method, path)

    def _status(self, path: str) -> object:
        if "/pods/" in path:
            node = self.objects[path]["spec"]["nodeSelector"]["kubernetes.io/hostname"]
            return {"conditions": [{"type": "Ready", "status": str(node not in self.unwell)}]}
        return {"phase": "Bound" if self.bound else "Pending"}


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"GONE_S": 0.2, "EVERY_S": 0.02}.items():
        monkeypatch.setattr(claim_trial, name, value)
    for name, value in {"bound_s": 0.3, "used_s": 0.3, "look_every_s": 0.02}.items():
        monkeypatch.setattr(StorageProof, name, value)


@asynccontextmanager
async def on(authority: Authority, tmp_path: Path, cluster: Cluster3) -> AsyncIterator[Stage]:
    async with at(authority, tmp_path, cluster) as there:
        yield there


async def proven(there: Stage) -> None:
    step = StorageProof("")
    await step.apply(there.context, await step.pending(there.context))


async def test_one_node_writes_and_all_others_read_and_it_is_noted(authority: Authority, tmp_path: Path) -> None:
    cluster = Cluster3()
    async with on(authority, tmp_path, cluster) as there:
        await proven(there)
        assert (await StorageProof("").pending(there.context)).is_done
    pods = [body["spec"] for body in cluster.made if body["kind"] == "Pod"]
    assert sorted(pod["nodeSelector"]["kubernetes.io/hostname"] for pod in pods) == list(NODES)
    commands = [pod["containers"][0]["command"][-1] for pod in pods]
    (claim,) = (body for body in cluster.made if body["kind"] == "PersistentVolumeClaim")
    name = claim["metadata"]["name"]
    assert [f"echo {name}" in command for command in commands] == [True, False, False]
    probes = [pod["containers"][0]["readinessProbe"]["exec"]["command"] for pod in pods]
    assert [probe[:3] for probe in probes[1:]] == [["grep", "-q", name]] * 2, "they read what the first has written"
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert cluster.objects == {}
    assert there.heard.notes == []


@pytest.mark.parametrize(
    ("cluster", "code", "word"),
    [
        (Cluster3(bound=()), "storage_unbound", "nfs-storage"),
        (Cluster3(unwell=NODES), "storage_unused", "n3"),
        (Cluster3(unwell=("n1",)), "storage_unused", "n1"),
    ],
)
async def test_what_does_not_work_is_named_and_nothing_stays(
    authority: Authority, tmp_path: Path, cluster: Cluster3, code: str, word: str
) -> None:
    async with on(authority, tmp_path, cluster) as there:
        with pytest.raises(StepError) as caught:
            await proven(there)
    assert (caught.value.code, word in str(caught.value)) == (code, True)
    assert "no such share" in caught.value.evidence
    assert cluster.objects == {}
    assert cluster.noted == {}


async def test_what_stays_and_what_was_not_tried_is_told(authority: Authority, tmp_path: Path) -> None:
    cluster = Cluster3(images=(PAUSE,), volume_stays=True)
    async with on(authority, tmp_path, cluster) as there:
        await proven(there)
    told = [say(note, language) for note in there.heard.notes for language in LANGUAGES]
    assert all("{" not in each for each in told)
    assert ["3" in told[0], "pv-1" in told[2]] == [True, True]
    assert SHELL not in str(cluster.made)


async def test_a_proof_that_is_given_up_leaves_nothing(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StorageProof, "used_s", 30.0)
    cluster = Cluster3(unwell=("n1",))
    async with on(authority, tmp_path, cluster) as there:
        proof = asyncio.create_task(proven(there))
        while sum(name.startswith(f"{DEFAULT}pods/") for name in cluster.objects) < len(NODES):
            await asyncio.sleep(0.01)
        proof.cancel()
        with pytest.raises(asyncio.CancelledError):
            await proof
    assert cluster.objects == {}
