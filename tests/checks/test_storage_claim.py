"""A StorageClass tried by claims, through a real HTTPS server that keeps objects: what works, and what stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services import claim_trial
from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.fleet import ask_fleet
from rbdtui.checks.services.storage_claim import CHECK, ClaimAnswer, ClaimQuestion
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Place
from rbdtui.spec.loader import parse_spec
from rbdtui.words import LANGUAGES, say
from tests.checks.test_existing import EXAMPLE
from tests.kube.api import Api, Asked, refusal
from tests.kube.conftest import authority as authority
from tests.probes.targets import Authority, serve

SHELL = "registry.example/goodrain/alpine:3"
PAUSE = "rancher/mirrored-pause:3.6"
CLASS = "/apis/storage.k8s.io/v1/storageclasses/fast"
DEFAULT = "/api/v1/namespaces/default/"
ONE, MANY = "ReadWriteOnce", "ReadWriteMany"


def view(kubeconfig: Path) -> ClusterView:
    text = EXAMPLE.replace("  mode: builtin ", "  storage_class: fast\n  mode: storage-class ")
    spec = parse_spec(text.replace("~/kubeconfig ", f"{kubeconfig} ")).spec
    assert spec is not None
    return ClusterView(spec, {}, Place, spec.profile.limits)


@dataclass
class Cluster(Api):
    """An API whose claims are bound and whose pods are ready, as far as the case lets them."""

    images: tuple[str, ...] = (PAUSE, SHELL)
    bound: tuple[str, ...] = (ONE, MANY)
    usable: tuple[str, ...] = (ONE, MANY)
    waits_for_pod: bool = False
    stays: bool = False
    objects: dict[str, Any] = field(default_factory=dict)
    made: list[dict[str, Any]] = field(default_factory=list)

    def answer(self, asked: Asked) -> tuple[int, object]:
        path, body = asked.path, asked.body
        if path == CLASS:
            return 200, {}
        if path == "/api/v1/nodes":
            ready = [{"type": "Ready", "status": "True"}]
            images = [{"names": [name, f"{name}@sha256:0"]} for name in self.images]
            return 200, {"items": [{"metadata": {"name": "n1"}, "status": {"conditions": ready, "images": images}}]}
        if path == f"{DEFAULT}events":
            waits = {"reason": "WaitForFirstConsumer", "message": "waiting for first consumer"}
            return 200, {"items": [waits, {"reason": "ProvisioningFailed", "message": "no such share"}]}
        if asked.method == "POST":
            assert isinstance(body, dict)
            self.made.append(body)
            self.objects[f"{path}/{body['metadata']['name']}"] = body
            return 201, body
        if path in (f"{DEFAULT}pods", f"{DEFAULT}persistentvolumeclaims"):
            return 200, {"items": [item for name, item in self.objects.items() if name.startswith(f"{path}/")]}
        return self._one(asked.method, path)

    def _one(self, method: str, path: str) -> tuple[int, object]:
        if path not in self.objects:
            return 404, refusal(404, "NotFound", path)
        if method == "DELETE":
            if not self.stays:
                del self.objects[path]
            return 200, {}
        return 200, {**self.objects[path], "status": self._status(path)}

    def _status(self, path: str) -> object:
        name = path.rpartition("/")[2]
        mode = self.objects[f"{DEFAULT}persistentvolumeclaims/{name}"]["spec"]["accessModes"][0]
        has_pod = f"{DEFAULT}pods/{name}" in self.objects
        bound = mode in self.bound and (has_pod or not self.waits_for_pod)
        if "/persistentvolumeclaims/" in path:
            return {"phase": "Bound" if bound else "Pending"}
        return {"conditions": [{"type": "Ready", "status": str(bound and mode in self.usable)}]}


@asynccontextmanager
async def reached(authority: Authority, tmp_path: Path, cluster: Cluster) -> AsyncIterator[ClusterView]:
    async with serve(cluster, authority.server("127.0.0.1", mutual=True)) as port:
        yield view(authority.kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{port}"))


async def found(authority: Authority, tmp_path: Path, cluster: Cluster) -> list[Finding]:
    async with reached(authority, tmp_path, cluster) as plan:
        findings = await ask_fleet(CHECK, plan, {}, no_secret)
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
    return findings


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"WAIT_S": 0.3, "GONE_S": 0.2, "EVERY_S": 0.02}.items():
        monkeypatch.setattr(claim_trial, name, value)


@pytest.mark.parametrize(
    ("cluster", "expected"),
    [
        (Cluster(), []),
        (Cluster(waits_for_pod=True), []),
        (Cluster(images=(PAUSE,)), []),
        (Cluster(bound=(ONE,)), ["RBD-STORAGE-123"]),
        (Cluster(usable=(MANY,)), ["RBD-STORAGE-122"]),
        (Cluster(bound=(MANY,)), ["RBD-STORAGE-121"]),
        (Cluster(images=("some/app:1",)), ["RBD-STORAGE-124"]),
        (Cluster(images=("some/app:1",), bound=()), ["RBD-STORAGE-124", "RBD-STORAGE-121", "RBD-STORAGE-123"]),
        (Cluster(stays=True), ["RBD-STORAGE-125"]),
    ],
)
async def test_each_claim_is_tried_and_removed(
    authority: Authority, tmp_path: Path, cluster: Cluster, expected: list[str]
) -> None:
    findings = await found(authority, tmp_path, cluster)
    assert [finding.code for finding in findings] == expected
    if not cluster.stays:
        assert cluster.objects == {}
    modes = [body["spec"]["accessModes"] for body in cluster.made if body["kind"] == "PersistentVolumeClaim"]
    assert modes == [[ONE], [MANY]]
    evidence = "".join(finding.evidence for finding in findings)
    assert "first consumer" not in evidence
    assert ("no such share" in evidence) == any(code[-3:] in ("121", "122", "123") for code in expected)


async def test_what_is_written_is_read_and_nothing_is_pulled(authority: Authority, tmp_path: Path) -> None:
    cluster = Cluster()
    await found(authority, tmp_path, cluster)
    (container,) = next(body for body in cluster.made if body["kind"] == "Pod")["spec"]["containers"]
    assert (container["image"], container["imagePullPolicy"]) == (SHELL, "Never")
    assert container["readinessProbe"]["exec"]["command"] == ["cat", "/volume/rbdtui-try"]


async def test_what_a_killed_try_left_is_removed_first(authority: Authority, tmp_path: Path) -> None:
    left = {"metadata": {"name": "rbdtui-try-0"}, "spec": {"accessModes": [ONE]}}
    paths = (f"{DEFAULT}pods/rbdtui-try-0", f"{DEFAULT}persistentvolumeclaims/rbdtui-try-0")
    cluster = Cluster(objects=dict.fromkeys(paths, left))
    assert await found(authority, tmp_path, cluster) == []
    assert cluster.objects == {}


async def test_a_try_that_is_given_up_leaves_nothing(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claim_trial, "WAIT_S", 30.0)
    cluster = Cluster(bound=())
    async with reached(authority, tmp_path, cluster) as plan:
        question = CHECK.question(plan)
        assert question is not None
        asking = asyncio.create_task(CHECK.ask(question, {}, no_secret))
        while not any("/pods/" in name for name in cluster.objects):
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert cluster.objects == {}
    assert [finding.code for finding in CHECK.judge(question, None, plan)] == ["RBD-STORAGE-126"]


async def test_nothing_is_tried_where_nobody_answers(authority: Authority, tmp_path: Path) -> None:
    plan = view(authority.kubeconfig(tmp_path / "kubeconfig", "https://127.0.0.1:1"))
    assert [finding.code for finding in await ask_fleet(CHECK, plan, {}, no_secret)] == ["RBD-STORAGE-127"]
    no_file = ClaimQuestion(str(tmp_path / "none"), "fast")
    assert isinstance(await CHECK.ask(no_file, {}, no_secret), ClaimAnswer)
