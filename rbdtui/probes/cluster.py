"""Nodes as Kubernetes sees them, and whether Rainbond is there."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from rbdtui.kube.kubeconfig import Kubeconfig
from rbdtui.kube.mirror import mirrored
from rbdtui.kube.session import KubeError, KubeSession, KubeSilentError, load_client, open_session
from rbdtui.probes.api_session import NoApiError, api_session
from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.routes import Limits, ProbeRoutes, Reply, Target, by_way
from rbdtui.probes.wire import Place, ProbeFailure, WireError, connection
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.spec.model import Role
from rbdtui.transport.base import CommandResult, TransportError
from rbdtui.transport.scripts import PREFIX, script
from rbdtui.words import T

NODE: Final = ProbeKind("node", 100, column="node", is_measured=True, is_brought=True)
"""A node's Ready condition."""
_NODES_BYTES: Final = 4 << 20
"""Of all nodes with their labels, as a script prints them."""
_COMPONENTS: Final = f"/apis/rainbond.io/v1alpha1/namespaces/{NAMESPACE}/rbdcomponents?limit=1"
_NODES, _RAINBOND = "nodes", "components"
_WATCHED: Final = {_NODES: "/api/v1/nodes", _RAINBOND: _COMPONENTS.partition("?")[0]}
_PRESSURES: Final = ("MemoryPressure", "DiskPressure", "PIDPressure", "NetworkUnavailable")


@dataclass(frozen=True, slots=True)
class KubeNode:
    """A node as Kubernetes knows it."""

    name: str
    address: str
    """Its internal address."""
    ready: str
    """Status of the Ready condition: ``True``, ``False``, ``Unknown``; empty when it has none yet."""
    reason: str = ""
    """Kubernetes' own words on the Ready condition."""
    pressures: tuple[str, ...] = ()
    """Other conditions that hold and should not."""
    unschedulable: bool = False


@dataclass(frozen=True, slots=True)
class ClusterView:
    """What the API told."""

    nodes: tuple[KubeNode, ...]
    rainbond: bool
    """Whether Rainbond's components are there."""
    latency_ms: float | None = None


async def ask_cluster(
    ways: ProbeRoutes, targets: Iterable[Target], credentials: Kubeconfig, limits: Limits
) -> Reply[ClusterView]:
    """Ask the first of the targets that answers; never raises."""
    # Its seconds belong to no question's time limit.
    await load_client()
    reply: Reply[ClusterView] = Reply()
    for target in targets:
        reply = await ways.ask(target, _question(target, credentials, limits))
        if reply.value is not None:
            break
    return reply


def _question(target: Target, credentials: Kubeconfig, limits: Limits) -> Callable[[Place], Awaitable[ClusterView]]:
    async def question(place: Place) -> ClusterView:
        async with connection(place, tls=None, server_name=None, connect_s=limits.connect_s, handshake_s=0):
            pass
        loop = asyncio.get_running_loop()
        name, answer_s = target.address, limits.answer_s
        try:
            async with (
                place.port_here() as here,
                open_session(
                    here.address, here.port, server_name=name, credentials=credentials, answer_s=answer_s
                ) as kube,
            ):
                begin = loop.time()
                nodes = read_nodes(await kube.get("/api/v1/nodes"))
                latency_ms = (loop.time() - begin) * 1000
                return ClusterView(nodes, await _has_rainbond(kube), latency_ms)
        except Exception as error:  # one API's odd answer is said of that API
            silent = isinstance(error, KubeSilentError) and error.reason == TimeoutError.__name__
            trouble = ProbeFailure.SILENT if silent else ProbeFailure.NOT_HTTP
            raise WireError(trouble, f"{type(error).__name__}: {error}") from error

    return question


async def _has_rainbond(kube: KubeSession) -> bool:
    try:
        return bool((await kube.get(_COMPONENTS)).get("items"))
    except KubeSilentError:
        raise
    except KubeError:
        return False


def read_nodes(listed: Mapping[str, object]) -> tuple[KubeNode, ...]:
    """Nodes from a NodeList in JSON; raises `LookupError`, `TypeError` or `ValueError` on any other shape."""
    items = listed["items"]
    if not isinstance(items, list):
        raise TypeError("items is not a list")
    return tuple(_node(item) for item in items)


def _node(item: Mapping[str, Mapping[str, object]]) -> KubeNode:
    status = item.get("status", {})
    conditions = {entry["type"]: entry for entry in _entries(status.get("conditions"))}
    addresses = {entry["type"]: entry["address"] for entry in _entries(status.get("addresses"))}
    ready = conditions.get("Ready", {})
    words = [ready.get("reason", ""), ready.get("message", "")]
    return KubeNode(
        name=str(item["metadata"]["name"]),
        address=addresses.get("InternalIP", ""),
        ready=ready.get("status", ""),
        reason=": ".join(word for word in words if word),
        pressures=tuple(name for name in _PRESSURES if conditions.get(name, {}).get("status") == "True"),
        unschedulable=item.get("spec", {}).get("unschedulable") is True,
    )


def _entries(value: object) -> list[dict[str, str]]:
    return value if isinstance(value, list) else []


def read_kubectl_lines(result: CommandResult) -> tuple[KubeNode, ...]:
    """Nodes from the ``kube-nodes`` script, which knows neither reasons nor other conditions."""
    rows = [line.split("\t") for line in result.text.splitlines()]
    return tuple(KubeNode(row[0], row[2], row[1]) for row in rows if len(row) >= 3)


def judge_node(node: str, address: str, nodes: Iterable[KubeNode], asked: str, via: str) -> Answer:
    """What Kubernetes says of one node of the spec, found by name or else by address."""
    key = ProbeKey(NODE, node)
    known = list(nodes)
    found = next((n for n in known if n.name == node), None) or next((n for n in known if n.address == address), None)
    if found is None:
        evidence = ", ".join(n.name for n in known)
        return Answer(key, ProbeState.DOWN, by_way(T("probe.node.absent"), via), None, asked, evidence)
    state, detail = ProbeState.OK, T("probe.node.cordoned") if found.unschedulable else T("probe.node.ready")
    if found.ready != "True":
        state, detail = ProbeState.DOWN, T("probe.node.not_ready", reason=found.reason[:300] or found.ready or "?")
    elif found.pressures:
        state, detail = ProbeState.DEGRADED, T("probe.node.pressure", conditions=", ".join(found.pressures))
    evidence = "\n".join([f"{found.name} {found.address} Ready={found.ready}", found.reason, *found.pressures])
    return Answer(key, state, by_way(detail, via), None, asked, evidence)


class ClusterQuestion:
    """Nodes as Kubernetes sees them, and whether Rainbond is installed."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self.keys = tuple(ProbeKey(NODE, node.name) for node in around.spec.cluster_nodes)
        self.interval_s = around.settings.cadence.cluster_s
        self.limit_s = around.settings.limits.script_s * 4

    async def ask(self, post: Post) -> None:
        try:
            told = await self._ask_api(post)
        finally:
            self._around.rainbond_asked.set()
        if not told and not await self._ask_servers(post):
            for key in self.keys:
                post(Answer(key, ProbeState.UNKNOWN, T("probe.node.unasked")))

    async def follow(self, post: Post) -> None:
        """The nodes as a watch tells of them; every interval that it lives through is an answer, too."""
        around = self._around
        if (credentials := around.credentials()) is not None:
            with suppress(NoApiError, KubeError):
                async with api_session(around, credentials) as (kube, via):
                    await self._follow_api(kube, via, credentials, post)
        async with asyncio.timeout(self.limit_s):
            await self.ask(post)

    async def _follow_api(self, kube: KubeSession, via: str, credentials: Kubeconfig, post: Post) -> None:
        """Until the session breaks, or there are other credentials."""
        around = self._around
        async with mirrored(kube, _WATCHED, look_every_s=self.interval_s, optional=[_RAINBOND]) as mirror:
            await mirror.complete()
            while around.credentials() is credentials:
                around.rainbond = bool(mirror.of(_RAINBOND))
                around.rainbond_asked.set()
                nodes = tuple(_node(item) for item in mirror.of(_NODES))
                self._judge(nodes, "GET /api/v1/nodes?watch=1", via, post)
                await mirror.news(self.interval_s)

    async def _ask_api(self, post: Post) -> bool:
        credentials = self._around.credentials()
        if credentials is None:
            return False
        around = self._around
        reply = await ask_cluster(around.ways, around.api_targets(), credentials, around.settings.limits)
        if reply.value is None:
            return False
        around.rainbond = reply.value.rainbond
        self._judge(reply.value.nodes, "GET /api/v1/nodes", reply.via, post)
        return True

    async def _ask_servers(self, post: Post) -> bool:
        """Where there is no kubeconfig yet, or no way to the API: kubectl on a server."""
        for node in self._around.spec.nodes_with(Role.CONTROL_PLANE):
            host = self._around.hosts.get(node.name)
            if host is None or not self._around.readiness.usable(node.name):
                continue
            try:
                limit_s = self._around.settings.limits.script_s
                result = await host.run(script("kube-nodes"), timeout_s=limit_s, output_limit_bytes=_NODES_BYTES)
            except TransportError:
                continue
            if result.ok:
                self._judge(read_kubectl_lines(result), f"{PREFIX}kube-nodes", node.name, post)
                return True
        return False

    def _judge(self, nodes: tuple[KubeNode, ...], asked: str, via: str, post: Post) -> None:
        for node in self._around.spec.cluster_nodes:
            post(judge_node(node.name, str(node.cluster_address), nodes, asked, via))


def _questions(around: ProbeContext) -> Iterator[Question]:
    yield ClusterQuestion(around)


PROBE: Final = Probe("cluster", (NODE,), _questions)
