"""A cluster that is there already, asked through a real HTTPS server: what fits the plan, and what does not."""

from __future__ import annotations

import datetime
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rbdtui.checks.services import existing
from rbdtui.checks.services.asking import THIS_MACHINE, Asking, no_secret
from rbdtui.checks.services.existing import CHECK, ClusterQuestion
from rbdtui.checks.services.existing_findings import ClusterAnswer, NodeSeen
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Place
from rbdtui.paths import asset
from rbdtui.rainbond.workloads import CLUSTER_PATH
from rbdtui.spec.loader import parse_spec
from rbdtui.words import LANGUAGES, say
from tests.kube.api import Api, refusal
from tests.kube.conftest import authority as authority
from tests.probes.targets import Authority, Handler, accept_and_hang, serve

REVIEW = ("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
CLASSES = ("GET", "/apis/storage.k8s.io/v1/storageclasses")
NODES = ("GET", "/api/v1/nodes")
PODS = ("GET", "/api/v1/pods")
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
EXAMPLE = asset("examples", "existing-cluster.yaml").read_text(encoding="utf-8")
QUESTION = ClusterQuestion("/kubeconfig", ("node1", "node2"))


def node(name: str, address: str) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "Hostname", "address": name}, {"type": "InternalIP", "address": address}],
            "nodeInfo": {"containerRuntimeVersion": "containerd://1.7.20"},
        },
    }


def pod(namespace: str, *, port: dict[str, Any], **spec: object) -> dict[str, Any]:
    return {"metadata": {"namespace": namespace, "name": "p"}, "spec": {"containers": [{"ports": [port]}], **spec}}


Answers = dict[tuple[str, str], tuple[int, Any]]
GOOD: Answers = {
    REVIEW: (201, {"status": {"allowed": True}}),
    ("GET", "/version"): (200, {"gitVersion": "v1.30.4"}),
    NODES: (200, {"items": [node("node1", "10.0.0.11"), node("node2", "10.0.0.12")]}),
    CLASSES: (200, {"items": [{"metadata": {"name": "nfs", "annotations": DEFAULT}}, {"metadata": {"name": "slow"}}]}),
    PODS: (200, {"items": [pod("rbd-system", port={"containerPort": 80}, hostNetwork=True)]}),
}


def view(text: str = "") -> ClusterView:
    spec = parse_spec(text or EXAMPLE).spec
    assert spec is not None
    return ClusterView(spec, {}, Place, spec.profile.limits)


def judged(answer: ClusterAnswer, plan: ClusterView | None = None) -> list[Finding]:
    findings = list(CHECK.judge(QUESTION, {THIS_MACHINE: answer}, plan or view()))
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
    return findings


def codes(answer: ClusterAnswer, plan: ClusterView | None = None) -> list[str]:
    return [finding.code for finding in judged(answer, plan)]


@asynccontextmanager
async def cluster(authority: Authority, tmp_path: Path, handler: Handler) -> AsyncIterator[ClusterQuestion]:
    async with serve(handler, authority.server("127.0.0.1", mutual=True)) as port:
        file = authority.kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{port}")
        yield ClusterQuestion(str(file), QUESTION.nodes)


async def asked(authority: Authority, tmp_path: Path, changed: Answers | None = None) -> ClusterAnswer:
    api = Api({**GOOD, **(changed or {})})
    async with cluster(authority, tmp_path, api) as question:
        answer = await CHECK.ask(question, Asking(no_secret))
    methods = {(each.method, each.path) for each in api.asked}
    assert {each for each in methods if each[0] != "GET"} <= {REVIEW}, "nothing is changed"
    return answer


async def test_a_good_cluster_has_no_findings(authority: Authority, tmp_path: Path) -> None:
    answer = await asked(authority, tmp_path)
    assert judged(answer) == []
    assert (answer.version, answer.default_classes, answer.taken) == ("v1.30.4", ("nfs",), ())


def nodes(*listed: dict[str, Any]) -> Answers:
    return {NODES: (200, {"items": list(listed)})}


def changed_node(change: Callable[[dict[str, Any]], None]) -> Answers:
    first = node("node1", "10.0.0.11")
    change(first)
    return nodes(first, node("node2", "10.0.0.12"))


def pods(*listed: dict[str, Any]) -> Answers:
    return {PODS: (200, {"items": list(listed)})}


CASES: dict[str, tuple[Answers, list[str]]] = {
    "credentials": ({REVIEW: (401, refusal(401, "Unauthorized", "no"))}, ["RBD-EXISTING-103"]),
    "a balancer's page": ({("GET", "/version"): (200, b"<html>")}, ["RBD-EXISTING-102"]),
    "another program": ({("GET", "/version"): (200, {"name": "not kubernetes"})}, ["RBD-EXISTING-102"]),
    "rights": ({REVIEW: (201, {"status": {"allowed": False}})}, ["RBD-EXISTING-104"]),
    "old": ({("GET", "/version"): (200, {"gitVersion": "v1.23.17"})}, ["RBD-EXISTING-105"]),
    "absent": (nodes(node("node1", "10.0.0.11")), ["RBD-EXISTING-107"]),
    "label": (changed_node(lambda it: it["metadata"]["labels"].clear()), ["RBD-EXISTING-108"]),
    "address": (nodes(node("node1", "10.0.0.99"), node("node2", "10.0.0.12")), ["RBD-EXISTING-109"]),
    "not ready": (changed_node(lambda it: it["status"]["conditions"].clear()), ["RBD-EXISTING-110"]),
    "runtime": (
        changed_node(lambda it: it["status"]["nodeInfo"].update(containerRuntimeVersion="docker://24.0.7")),
        ["RBD-EXISTING-111"],
    ),
    "no default class": ({CLASSES: (200, {"items": []})}, ["RBD-EXISTING-112"]),
    "two default classes": (
        {CLASSES: (200, {"items": [{"metadata": {"name": name, "annotations": DEFAULT}} for name in "ab"]})},
        ["RBD-EXISTING-113"],
    ),
    "leftovers": ({("GET", "/api/v1/namespaces/rbd-system"): (200, {"metadata": {}})}, ["RBD-EXISTING-115"]),
    "host port": (pods(pod("ingress", port={"containerPort": 8080, "hostPort": 443})), ["RBD-EXISTING-116"] * 2),
    "host network": (pods(pod("ingress", port={"containerPort": 80}, hostNetwork=True)), ["RBD-EXISTING-116"] * 2),
    "no port of the host": (pods(pod("ingress", port={"containerPort": 80})), []),
    "another protocol": (pods(pod("a", port={"containerPort": 1, "hostPort": 80, "protocol": "UDP"})), []),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_does_not_fit_is_told(authority: Authority, tmp_path: Path, case: str) -> None:
    changed, expected = CASES[case]
    assert codes(await asked(authority, tmp_path, changed)) == expected


async def test_a_file_that_is_no_kubeconfig_is_told_with_its_fault(authority: Authority, tmp_path: Path) -> None:
    for text in ("", "a: [", "kind: Config\n"):
        (tmp_path / "kubeconfig").write_text(text)
        answer = await CHECK.ask(ClusterQuestion(str(tmp_path / "kubeconfig"), ()), Asking(no_secret))
        assert codes(answer) == ["RBD-EXISTING-101"]
    for server in ("http://10.0.0.11:6443", "https://10.0.0.11:6443/clusters/a", "10.0.0.11", "https://a:b@c"):
        authority.kubeconfig(tmp_path / "kubeconfig", server)
        answer = await CHECK.ask(ClusterQuestion(str(tmp_path / "kubeconfig"), ()), Asking(no_secret))
        assert codes(answer) == ["RBD-EXISTING-101"]
        assert "https://ADDRESS:PORT" in answer.bad_file


async def test_nobody_there_and_nobody_who_speaks(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(existing, "_ANSWER_S", 0.2)
    async with cluster(authority, tmp_path, accept_and_hang) as question:
        assert codes(await CHECK.ask(question, Asking(no_secret))) == ["RBD-EXISTING-102"]
    assert codes(await CHECK.ask(question, Asking(no_secret))) == ["RBD-EXISTING-102"]


@pytest.mark.parametrize(
    ("shown", "code", "reason"),
    [
        ("another authority", "RBD-EXISTING-118", "certificate signature failure"),
        ("expired", "RBD-EXISTING-119", "certificate has expired"),
        ("early", "RBD-EXISTING-119", "certificate is not yet valid"),
        ("another name", "RBD-EXISTING-120", "not valid for '127.0.0.1'"),
    ],
)
async def test_what_is_wrong_with_the_certificate_is_told(
    authority: Authority, tmp_path: Path, shown: str, code: str, reason: str
) -> None:
    """The other authority has the same name, as those of two clusters made by kubeadm have."""
    (tmp_path / "other").mkdir()
    signer = Authority(tmp_path / "other") if shown == "another authority" else authority
    signer.ahead = datetime.timedelta(hours={"expired": -3, "early": 3}.get(shown, 0))
    context = signer.server("10.0.0.9" if shown == "another name" else "127.0.0.1")
    authority.ahead = datetime.timedelta()
    async with serve(Api(GOOD), context) as port:
        file = authority.kubeconfig(tmp_path / "kubeconfig", f"https://127.0.0.1:{port}")
        (finding,) = judged(await CHECK.ask(ClusterQuestion(str(file), ()), Asking(no_secret)))
    assert finding.code == code
    for language in LANGUAGES:
        assert reason in say(finding.message, language)
        assert f"https://127.0.0.1:{port}" in say(finding.message, language)


async def test_the_class_of_the_plan_is_there(authority: Authority, tmp_path: Path) -> None:
    text = EXAMPLE.replace("  mode: builtin ", "  storage_class: fast\n  mode: storage-class ")
    answer = await asked(authority, tmp_path)
    assert codes(answer, view(text)) == ["RBD-EXISTING-114"]
    assert codes(answer, view(text.replace("storage_class: fast", "storage_class: slow"))) == []


async def test_a_cluster_with_a_containerd_of_its_own_is_told_of(authority: Authority, tmp_path: Path) -> None:
    answer = await asked(authority, tmp_path, {("GET", "/version"): (200, {"gitVersion": "v1.30.4+rke2r1"})})
    assert codes(answer) == ["RBD-EXISTING-117"]
    there = "rainbond: {values: {Cluster: {containerdRuntimePath: /var/run/k3s/containerd}}}\n"
    assert codes(answer, view(EXAMPLE + there)) == []
    assert codes(answer, view(EXAMPLE + "rainbond: {version: v6.2.1-release}\n")) == ["RBD-EXISTING-117"]
    assert codes(answer, view(EXAMPLE + "rainbond: {version: v6.5.0-release}\n")) == []


@pytest.mark.parametrize(
    ("planned", "expected"),
    [("v6.2.1", "RBD-UPGRADE-103"), ("v5.17.3", "RBD-UPGRADE-104"), ("v6.9.3", ""), ("v6.9.8", ""), ("", "")],
)
async def test_what_cannot_follow_the_rainbond_of_the_cluster_is_told(
    authority: Authority, tmp_path: Path, planned: str, expected: str
) -> None:
    there = {("GET", CLUSTER_PATH): (200, {"spec": {"installVersion": "v6.9.3-release"}})}
    version = f"rainbond: {{version: {planned}-release}}\n" if planned else ""
    text = EXAMPLE.replace("profile: rainbond-6 ", "profile: rainbond-5.17 ") if planned.startswith("v5") else EXAMPLE
    found = codes(await asked(authority, tmp_path, there), view(text + version))
    assert [code for code in found if code.startswith("RBD-UPGRADE")] == ([expected] if expected else [])


def test_a_version_beyond_those_named_is_a_warning() -> None:
    seen = tuple(NodeSeen(f"node{n}", f"node{n}", f"10.0.0.1{n}", True, "containerd://1") for n in (1, 2))
    answer = ClusterAnswer(version="v1.30.4", nodes=seen, classes=("a",), default_classes=("a",))
    assert codes(answer, view(EXAMPLE.replace("profile: rainbond-6 ", "profile: rainbond-5.17 "))) == [
        "RBD-EXISTING-106"
    ]
