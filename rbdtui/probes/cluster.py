"""Nodes as Kubernetes sees them, and whether Rainbond is there: the only importer of the kubernetes package."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rbdtui.probes.api import API_PORT
from rbdtui.probes.kubeconfig import Kubeconfig, in_memory
from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, Question, Surroundings
from rbdtui.probes.ways import Limits, Reply, Target, Ways, by_way
from rbdtui.probes.wire import Place, Trouble, WireError, connection
from rbdtui.spec.model import Role
from rbdtui.transport.base import CommandResult, TransportError
from rbdtui.transport.scripts import PREFIX, script
from rbdtui.words import T

if TYPE_CHECKING:
    from kubernetes.aio.client import ApiClient

NODE: Final = ProbeKind("node", 100, column="node")
"""A node's Ready condition."""
_NODES_BYTES: Final = 4 << 20
"""Of all nodes with their labels, as a script prints them."""
_COMPONENTS: Final = "/apis/rainbond.io/v1alpha1/namespaces/rbd-system/rbdcomponents?limit=1"
_BODY_LIMIT_BYTES: Final = 16 << 20
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
    ways: Ways, targets: Iterable[Target], credentials: Kubeconfig, limits: Limits
) -> Reply[ClusterView]:
    """Ask the first of the targets that answers; never raises."""
    # Seconds of pure importing, which must not hold up the other probes.
    await asyncio.to_thread(_import_client)
    reply: Reply[ClusterView] = Reply()
    for target in targets:
        reply = await ways.ask(target, _question(target, credentials, limits))
        if reply.value is not None:
            break
    return reply


def _import_client() -> None:
    import kubernetes.aio.client  # noqa: F401


def _question(target: Target, credentials: Kubeconfig, limits: Limits) -> Callable[[Place], Awaitable[ClusterView]]:
    async def question(place: Place) -> ClusterView:
        async with connection(place, tls=None, server_name=None, connect_s=limits.connect_s, handshake_s=0):
            pass
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            async with asyncio.timeout(limits.answer_s), _client(place, target, credentials) as client:
                nodes = await _nodes(client, credentials)
                latency_ms = (loop.time() - begin) * 1000
                return ClusterView(nodes, await _has_rainbond(client, credentials), latency_ms)
        except TimeoutError:
            raise WireError(Trouble.SILENT, f"no answer within {limits.answer_s:g} s") from None
        except Exception as error:  # whatever the client's own HTTP library raises comes through unchanged
            raise WireError(Trouble.NOT_HTTP, f"{type(error).__name__}: {error}") from error

    return question


@asynccontextmanager
async def _client(place: Place, target: Target, credentials: Kubeconfig) -> AsyncIterator[ApiClient]:
    """A client for the target through a place; the certificate is checked against the target's address."""
    from aiohttp import TraceConfig
    from kubernetes.aio.client import ApiClient, Configuration

    redirects = TraceConfig()
    redirects.on_request_redirect.append(_refuse)
    with in_memory(credentials.certificate) as certificate, in_memory(credentials.key) as key:
        configuration = Configuration(
            host=f"https://{place.address}:{place.port}",
            ca_cert_data=credentials.authority,
            cert_file=certificate,
            key_file=key,
            tls_server_name=target.address,
            client_session_kwargs={"trust_env": False, "auto_decompress": False},
            trace_configs=[redirects],
        )
        configuration.disable_strict_ssl_verification = True
        client = ApiClient(configuration)
    async with client:
        yield client


async def _get(client: ApiClient, path: str, credentials: Kubeconfig) -> tuple[int, bytes]:
    """Status and raw body: the client's typed calls take seconds to import, and refuse objects that lack a field."""
    headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}
    url = f"{client.configuration.host}{path}"
    answer = await client.call_api("GET", url, header_params={"Accept": "application/json", **headers})
    body = bytearray()
    async for piece in answer.response.content.iter_any():
        body += piece
        if len(body) > _BODY_LIMIT_BYTES:
            raise ValueError(f"more than {_BODY_LIMIT_BYTES >> 20} MiB")
    return answer.status, bytes(body)


async def _refuse(*_: object) -> None:
    """The API has no reason to send anybody elsewhere; who does is not followed."""
    raise ValueError("redirected")


async def _nodes(client: ApiClient, credentials: Kubeconfig) -> tuple[KubeNode, ...]:
    status, body = await _get(client, "/api/v1/nodes", credentials)
    if status != 200:
        raise ValueError(f"HTTP {status}: {body[:200].decode('utf-8', 'replace')}")
    return read_nodes(json.loads(body))


async def _has_rainbond(client: ApiClient, credentials: Kubeconfig) -> bool:
    status, body = await _get(client, _COMPONENTS, credentials)
    return status == 200 and bool(json.loads(body).get("items"))


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

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.keys = tuple(ProbeKey(NODE, node.name) for node in around.spec.nodes)
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

    async def _ask_api(self, post: Post) -> bool:
        credentials = self._around.credentials()
        if credentials is None:
            return False
        spec, limits = self._around.spec, self._around.settings.limits
        port = spec.kubernetes.api.port
        targets = [Target(str(spec.api_address), port)]
        targets += [Target(str(node.address), API_PORT, node.name) for node in spec.nodes_with(Role.CONTROL_PLANE)]
        reply = await ask_cluster(self._around.ways, targets, credentials, limits)
        if reply.value is None:
            return False
        self._around.rainbond = reply.value.rainbond
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
        for node in self._around.spec.nodes:
            post(judge_node(node.name, str(node.address), nodes, asked, via))


def _questions(around: Surroundings) -> Iterator[Question]:
    yield ClusterQuestion(around)


PROBE: Final = Probe("cluster", (NODE,), _questions)
