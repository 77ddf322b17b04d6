"""KubeSphere's console where users reach it, and its API server behind it.

What a console is asked for it hands on to ks-apiserver without a login: ``/.well-known/openid-configuration``
(kubesphere/console@v4.1.3, server/routes.js; kubesphere/kubesphere@v4.1.3, pkg/apiserver/apiserver.go). The login page
would not do: it is shown, as an error, without an API server as well (server/controllers/view.js).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.kube.kubeconfig import Kubeconfig
from rbdtui.kube.session import KubeError, KubeSession
from rbdtui.kubesphere.chart import API_SERVER, NAMESPACE, console_port
from rbdtui.kubesphere.parts import planned_parts
from rbdtui.masking import mask
from rbdtui.probes.api_session import NoApiError, api_session
from rbdtui.probes.components import judge_component
from rbdtui.probes.model import BALANCER, CLUSTER, VIP, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.namespace import explained, look
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.probes.routes import Limits, Reply, Target, by_way, failure_text
from rbdtui.probes.wire import HttpAnswer, Place, http_get
from rbdtui.rainbond.why import why
from rbdtui.rainbond.workloads import judge, workload_lists
from rbdtui.spec.model import ClusterSpec, GatewayMode
from rbdtui.together import together
from rbdtui.words import T, Text

PART: Final = ProbeKind("kubesphere", 116, column="svc", is_measured=True)
"""One of its workloads."""
SERVER: Final = ProbeKind("kubesphere-api", 117, column="svc")
"""Whether ks-apiserver answers, which its pods do not tell: they have no readiness probe."""
CONSOLE: Final = ProbeKind("kubesphere-console", 118, column="svc")
"""Whether the console answers at one place."""
_CONFIG: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps/kubesphere-config"
"""The chart always makes it: without it nothing is installed yet."""
API_HEALTH: Final = f"/api/v1/namespaces/{NAMESPACE}/services/{API_SERVER}:80/proxy/healthz"
"""ks-apiserver has no port on the nodes (templates/services.yaml): it is asked through Kubernetes."""
CONSOLE_PATH: Final = "/.well-known/openid-configuration"
_TOLD: Final = b'"issuer"'
"""What every answer there has (pkg/kapis/oauth/handler.go)."""


@dataclass(frozen=True, slots=True)
class ConsolePlace:
    """Where the console may be reached."""

    label: str
    """The node's name, or `VIP` or `BALANCER`."""
    target: Target
    is_ours: bool
    """Whether it has to answer there: a balancer need not forward this port."""

    @property
    def node(self) -> str:
        """The node that it belongs to; empty where it moves."""
        return self.target.node


def console_places(spec: ClusterSpec) -> list[ConsolePlace]:
    """Every node, as Kubernetes opens the port on each, and the address in front of them."""
    port = console_port(spec)
    places = [
        ConsolePlace(node.name, Target(str(node.cluster_address), port, node.name), is_ours=True)
        for node in spec.cluster_nodes
    ]
    address = spec.gateway_address
    if address and address not in {place.target.address for place in places}:
        on_nodes = spec.gateway.mode is GatewayMode.KEEPALIVED
        places.append(ConsolePlace(VIP if spec.has_vip else BALANCER, Target(address, port), is_ours=on_nodes))
    return places


async def console_answer(place: Place, target: Target, limits: Limits) -> HttpAnswer:
    """What the console answers with the help of its API server; raises `WireError`."""
    host = f"{target.address}:{target.port}"
    return await http_get(place, CONSOLE_PATH, host=host, connect_s=limits.connect_s, answer_s=limits.answer_s)


def is_console(answer: HttpAnswer) -> bool:
    """Whether it is KubeSphere's, with an API server behind it."""
    return answer.status == 200 and _TOLD in answer.body


def judge_console(key: ProbeKey, asked: str, reply: Reply[HttpAnswer], *, is_ours: bool) -> Answer:
    """What an answer of the console is worth; a balancer that does not forward it has not failed."""
    seen = reply.value
    if seen is not None and is_console(seen):
        return Answer(key, ProbeState.OK, by_way(T("probe.kubesphere.console"), reply.via), seen.latency_ms, asked)
    if not is_ours:
        return Answer(key, ProbeState.EXPECTED, T("probe.kubesphere.not_balanced", port=key.port), None, asked)
    if seen is None:
        state = ProbeState.DOWN if reply.told else ProbeState.UNKNOWN
        return Answer(key, state, by_way(failure_text(reply), reply.via), None, asked, reply.evidence)
    detail = T("probe.kubesphere.console_alone", status=seen.status)
    return Answer(key, ProbeState.DOWN, by_way(detail, reply.via), None, asked, seen.evidence)


class KubesphereQuestion:
    """All of KubeSphere: its workloads and its API server by Kubernetes, its console as users reach it."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self._parts = planned_parts(around.spec)
        self._keys = {part.name: ProbeKey(PART, CLUSTER, part=part.name) for part in self._parts}
        self._server = ProbeKey(SERVER, CLUSTER)
        places = console_places(around.spec)
        self._consoles = {ProbeKey(CONSOLE, place.label, place.target.port): place for place in places}
        self.keys = (*self._keys.values(), self._server, *self._consoles)
        self.interval_s = around.settings.cadence.cluster_s
        self.limit_s = around.settings.limits.script_s * 4

    async def ask(self, post: Post) -> None:
        """One look over a connection of its own, and the console from here or from its node."""
        credentials = self._around.credentials()
        if self._around.installing or credentials is None:
            self._post_all(post, ProbeState.EXPECTED, T("probe.component.not_yet"))
        elif await self._is_installed(credentials, post):
            await together(*(self._ask_console(key, place, post) for key, place in self._consoles.items()))

    async def _is_installed(self, credentials: Kubeconfig, post: Post) -> bool:
        """Ask Kubernetes, and whether there is anything to ask a console for: also where nobody can tell."""
        try:
            async with api_session(self._around, credentials) as (kube, _):
                if await kube.find(_CONFIG) is None:
                    self._post_all(post, ProbeState.EXPECTED, T("probe.component.not_yet"))
                    return False
                await self._look(kube, post)
        except (NoApiError, KubeError) as error:
            detail = T("probe.component.unasked", reason=mask(str(error))[:300])
            for key in (*self._keys.values(), self._server):
                post(Answer(key, ProbeState.UNKNOWN, detail))
        return True

    async def _look(self, kube: KubeSession, post: Post) -> None:
        lists = workload_lists(NAMESPACE)
        seen = await look(kube, at=lists)
        for part in self._parts:
            judged = judge(part, seen)
            causes = [await explained(kube, cause, NAMESPACE) for cause in why(judged, seen)]
            post(
                judge_component(
                    self._keys[part.name], f"GET {lists['Deployment'].rpartition('/')[0]}/…", judged, causes
                )
            )
        try:
            said = (await kube.text(API_HEALTH)).strip()
        except KubeError as error:
            said = mask(str(error))
        good = said == "ok"
        detail = T("probe.kubesphere.api") if good else T("probe.kubesphere.api_silent")
        state = ProbeState.OK if good else ProbeState.DOWN
        post(Answer(self._server, state, detail, None, f"GET {API_HEALTH}", said[:300]))

    async def _ask_console(self, key: ProbeKey, place: ConsolePlace, post: Post) -> None:
        limits, target = self._around.settings.limits, place.target
        reply = await self._around.ways.ask(target, lambda at: console_answer(at, target, limits))
        asked = f"GET http://{target.address}:{target.port}{CONSOLE_PATH}"
        post(judge_console(key, asked, reply, is_ours=place.is_ours))

    def _post_all(self, post: Post, state: ProbeState, detail: Text) -> None:
        for key in self.keys:
            post(Answer(key, state, detail))


def _questions(around: ProbeContext) -> Iterator[Question]:
    if around.spec.installs_kubesphere:
        yield KubesphereQuestion(around)


PROBE: Final = Probe("kubesphere", (PART, SERVER, CONSOLE), _questions, Stage.GATEWAYS)
