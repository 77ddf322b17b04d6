"""Nodes and Rainbond from a real TLS server that plays the API, through the kubernetes client."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from rbdtui.kube.kubeconfig import KubeconfigError, read_kubeconfig
from rbdtui.probes import api
from rbdtui.probes.api import ask_api
from rbdtui.probes.cluster import ClusterView, KubeNode, ask_cluster, judge_node, read_kubectl_lines, read_nodes
from rbdtui.probes.model import ProbeKey, ProbeState
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Reply, Target
from rbdtui.probes.wire import ProbeFailure
from rbdtui.transport.base import CommandResult, Reach
from rbdtui.words import LANGUAGES, say
from tests.probes import targets
from tests.probes.standin import Network, StandIn
from tests.probes.targets import Authority, serve

LIMITS = Limits(connect_s=1.0, answer_s=5.0, script_s=2.0)
SHORT = Limits(connect_s=1.0, answer_s=0.5, script_s=1.0)
VIP = "198.51.100.50"
API = Target(VIP, 6443)
API_KEY = ProbeKey(api.API, "VIP", 6443)
COMPONENTS = "/apis/rainbond.io/v1alpha1/namespaces/rbd-system/rbdcomponents"


def node(name: str, address: str, ready: str = "True", **conditions: str) -> dict[str, object]:
    listed = [{"type": "Ready", "status": ready, "reason": "KubeletReady", "message": "kubelet is fine"}]
    listed += [{"type": kind, "status": status} for kind, status in conditions.items()]
    return {
        "metadata": {"name": name},
        "spec": {},
        "status": {"conditions": listed, "addresses": [{"type": "InternalIP", "address": address}]},
    }


def api_answers(
    *nodes: Mapping[str, object],
    components: tuple[int, bytes] = (404, b"{}"),
    more: Mapping[str, tuple[int, bytes]] | None = None,
) -> targets.Handler:
    listed = json.dumps({"kind": "NodeList", "items": nodes}).encode()
    ready = (200, b"ok")
    known = {"/api/v1/nodes": (200, listed), COMPONENTS: components, "/readyz": ready}
    return targets.http(known if more is None else Layered(known, more))


class Layered(Mapping[str, tuple[int, bytes]]):
    """Answers of which some may change while a server gives them."""

    def __init__(self, own: Mapping[str, tuple[int, bytes]], more: Mapping[str, tuple[int, bytes]]) -> None:
        self._own, self._more = own, more

    def __getitem__(self, path: str) -> tuple[int, bytes]:
        return self._own[path] if path in self._own else self._more[path]

    def __iter__(self) -> Iterator[str]:
        yield from self._own
        yield from self._more

    def __len__(self) -> int:
        return len(self._own) + len(self._more)


def ways(network: Network) -> ProbeRoutes:
    return ProbeRoutes({"node1": StandIn("node1", network)}, Readiness(), LIMITS, straight=False)


async def view_of(
    authority: Authority, tmp_path: Path, handler: targets.Handler, *names: str, limits: Limits = LIMITS
) -> Reply[ClusterView]:
    credentials = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig"))
    tls = authority.server(*(names or (VIP,)), mutual=True)
    async with serve(handler, tls) as port:
        return await ask_cluster(ways({(VIP, 6443): port}), [API], credentials, limits)


async def test_nodes_and_no_rainbond(authority: Authority, tmp_path: Path) -> None:
    handler = api_answers(node("node1", "198.51.100.11"), node("node2", "198.51.100.12", "False"))
    reply = await view_of(authority, tmp_path, handler)
    assert reply.value is not None
    assert [(n.name, n.address, n.ready) for n in reply.value.nodes] == [
        ("node1", "198.51.100.11", "True"),
        ("node2", "198.51.100.12", "False"),
    ]
    assert reply.value.rainbond is False
    assert reply.via == "node1"


@pytest.mark.parametrize(("items", "there"), [([], False), ([{"metadata": {"name": "rbd-gateway"}}], True)])
async def test_rainbond_is_there_when_it_has_components(
    authority: Authority, tmp_path: Path, items: list[object], there: bool
) -> None:
    handler = api_answers(components=(200, json.dumps({"items": items}).encode()))
    reply = await view_of(authority, tmp_path, handler)
    assert reply.value is not None
    assert reply.value.rainbond is there


async def test_certificate_of_another_cluster_is_not_believed(authority: Authority, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    credentials = read_kubeconfig(Authority(other).kubeconfig(tmp_path / "kubeconfig"))
    async with serve(api_answers(), authority.server(VIP)) as port:
        reply = await ask_cluster(ways({(VIP, 6443): port}), [API], credentials, LIMITS)
    assert reply.value is None
    assert "ertificate" in reply.evidence


async def test_next_server_is_asked_when_the_address_does_not_answer(authority: Authority, tmp_path: Path) -> None:
    credentials = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig"))
    server = Target("198.51.100.12", 6443, "node2")
    async with serve(api_answers(node("a", "1.2.3.4")), authority.server("198.51.100.12", mutual=True)) as port:
        network: Network = {(VIP, 6443): Reach.TIMED_OUT, ("198.51.100.12", 6443): port}
        reply = await ask_cluster(ways(network), [API, server], credentials, LIMITS)
    assert reply.value is not None
    assert reply.value.nodes[0].name == "a"


@pytest.mark.parametrize(
    "handler",
    [
        targets.accept_and_hang,
        targets.accept_and_close,
        targets.http(503),
        targets.http({"/api/v1/nodes": (200, b"{nonsense")}),
        targets.http({"/api/v1/nodes": (200, b'{"items": null}')}),
        targets.http({"/api/v1/nodes": (401, b"{}")}),
    ],
)
async def test_an_api_that_answers_badly_is_no_exception(
    authority: Authority, tmp_path: Path, handler: targets.Handler
) -> None:
    reply = await view_of(authority, tmp_path, handler, limits=SHORT)
    assert reply.value is None
    assert reply.trouble is not None


async def test_keys_stay_in_memory_and_descriptors_do_not_pile_up(authority: Authority, tmp_path: Path) -> None:
    credentials = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig"))
    assert "PRIVATE" not in repr(credentials)
    async with serve(api_answers(), authority.server(VIP, mutual=True)) as port:
        await ask_cluster(ways({(VIP, 6443): port}), [API], credentials, LIMITS)
        await asyncio.sleep(0)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            await ask_cluster(ways({(VIP, 6443): port}), [API], credentials, LIMITS)
        await asyncio.sleep(0.1)
        assert len(os.listdir("/proc/self/fd")) <= before + 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "key: [unclosed",
        "current-context: x",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\nclusters: []\nusers: []",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {certificate-authority-data: '%%%'}}]\nusers: [{name: u, user: {}}]",
        "current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]\n"
        "clusters: [{name: c, cluster: {certificate-authority-data: aGVsbG8=}}]\nusers: [{name: u, user: {}}]",
    ],
)
def test_bad_kubeconfig_is_a_kubeconfig_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(KubeconfigError):
        read_kubeconfig(path)


def test_absent_kubeconfig_is_a_kubeconfig_error(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError):
        read_kubeconfig(tmp_path / "kubeconfig")


OK, DEGRADED, DOWN = ProbeState.OK, ProbeState.DEGRADED, ProbeState.DOWN


@pytest.mark.parametrize(
    ("known", "state", "words"),
    [
        (KubeNode("node1", "1.1.1.1", "True"), OK, "Ready."),
        (KubeNode("NODE-ONE", "198.51.100.11", "True"), OK, "Ready."),
        (KubeNode("node1", "1.1.1.1", "True", unschedulable=True), OK, "no new pods"),
        (KubeNode("node1", "1.1.1.1", "False", "KubeletNotReady: cni"), DOWN, "Not ready: KubeletNotReady: cni"),
        (KubeNode("node1", "1.1.1.1", "Unknown"), DOWN, "Not ready: Unknown"),
        (KubeNode("node1", "1.1.1.1", ""), DOWN, "Not ready: ?"),
        (KubeNode("node1", "1.1.1.1", "True", "", ("DiskPressure",)), DEGRADED, "DiskPressure"),
        (KubeNode("node9", "9.9.9.9", "True"), DOWN, "Not a member"),
    ],
)
def test_node(known: KubeNode, state: ProbeState, words: str) -> None:
    answer = judge_node("node1", "198.51.100.11", [known], "GET", "")
    assert answer.state is state
    assert words in str(answer.detail)


def test_conditions_of_a_node_list() -> None:
    listed = {"items": [node("a", "1.1.1.1", "False", DiskPressure="True", MemoryPressure="False")]}
    (seen,) = read_nodes(listed)
    assert seen == KubeNode("a", "1.1.1.1", "False", "KubeletReady: kubelet is fine", ("DiskPressure",))


def test_node_that_has_just_been_born() -> None:
    (seen,) = read_nodes({"items": [{"metadata": {"name": "a"}}]})
    assert seen == KubeNode("a", "", "")


def test_lines_of_kubectl() -> None:
    text = b"node1\tTrue\t198.51.100.11\tv1.30.4\t{}\nnode2\t\t\t\t\nnoise\n"
    nodes = read_kubectl_lines(CommandResult(0, text, b"", 0.1))
    assert nodes == (KubeNode("node1", "198.51.100.11", "True"), KubeNode("node2", "", ""))


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, b"ok", OK, "Ready."),
        (401, b"", OK, "HTTP 401 without credentials"),
        (403, b"", OK, "HTTP 403 without credentials"),
        (500, b"[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n", DEGRADED, "[-]etcd failed"),
        (404, b"", DEGRADED, "HTTP 404"),
    ],
)
async def test_api(
    authority: Authority, tmp_path: Path, status: int, body: bytes, state: ProbeState, words: str
) -> None:
    proof = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig")).proof()
    async with serve(targets.http({"/readyz": (status, body)}), authority.server(VIP)) as port:
        answer = await ask_api(ways({(VIP, 6443): port}), API_KEY, API, proof, LIMITS)
    assert answer.state is state
    assert words in str(answer.detail)
    assert "checked from node1" in str(answer.detail)
    assert answer.asked == f"GET https://{VIP}:6443/readyz"


async def test_api_whose_certificate_lacks_the_address(authority: Authority, tmp_path: Path) -> None:
    proof = read_kubeconfig(authority.kubeconfig(tmp_path / "kubeconfig")).proof()
    async with serve(targets.http({"/readyz": (200, b"ok")}), authority.server("198.51.100.11")) as port:
        answer = await ask_api(ways({(VIP, 6443): port}), API_KEY, API, proof, LIMITS)
        unproven = await ask_api(ways({(VIP, 6443): port}), API_KEY, API, None, LIMITS)
    assert answer.state is DEGRADED
    assert f"not good for {VIP}" in str(answer.detail)
    assert unproven.state is OK


async def test_api_that_is_not_there() -> None:
    answer = await ask_api(ways({}), API_KEY, API, None, LIMITS)
    assert answer.state is DOWN
    no_way = await ask_api(ProbeRoutes({}, Readiness(), LIMITS, straight=False), API_KEY, API, None, LIMITS)
    assert no_way.state is ProbeState.UNKNOWN


@pytest.mark.parametrize(
    ("evidence", "key"),
    [
        ("certificate is not yet valid", "dated"),
        ("certificate has expired", "dated"),
        ("self-signed certificate in certificate chain", "foreign"),
    ],
)
def test_a_certificate_of_another_time_is_not_called_foreign(evidence: str, key: str) -> None:
    refused = api.refusal(Reply(trouble=ProbeFailure.CERTIFICATE, evidence=evidence))
    assert refused is not None
    assert refused.key == f"probe.kubeconfig.{key}"
    for language in LANGUAGES:
        assert evidence in say(refused, language)
