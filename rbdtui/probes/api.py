"""Whether the Kubernetes API answers, on one server or through the address that moves."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from rbdtui.probes.kubeconfig import Kubeconfig
from rbdtui.probes.model import BALANCER, VIP, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, Question, Surroundings
from rbdtui.probes.ways import Limits, Reply, Target, Ways, by_way, trouble_text
from rbdtui.probes.wire import HttpAnswer, Place, Trouble, WireError, http_get, trusting_context
from rbdtui.spec.model import ApiMode, ClusterSpec, Role
from rbdtui.words import T, Text

API: Final = ProbeKind("api", 60, column="api")
"""The Kubernetes API, on a server or through an address."""
API_PORT: Final = 6443
"""Where every server listens, whatever port a balancer in front of them has."""

_FOR_THE_KNOWN: Final = "/api/v1/nodes?limit=1"
_UP_WITHOUT_CREDENTIALS: Final = (401, 403)
"""Statuses that prove a running API server to somebody whom it does not know."""


async def ask_api(ways: Ways, key: ProbeKey, target: Target, proof: ssl.SSLContext | None, limits: Limits) -> Answer:
    """Ask ``/readyz``; with a proof, the certificate must be signed by the cluster and name the address."""
    foreign: list[str] = []

    async def question(place: Place) -> HttpAnswer:
        try:
            return await _readyz(place, target, proof or trusting_context(), limits)
        except WireError as error:
            if error.trouble is not Trouble.CERTIFICATE:
                raise
            foreign.append(error.evidence)
            return await _readyz(place, target, trusting_context(), limits)

    reply = await ways.ask(target, question)
    state, detail = _judge(reply, target, foreign)
    asked = f"GET https://{target.address}:{target.port}/readyz"
    latency_ms = reply.value.latency_ms if reply.value else None
    evidence = reply.value.evidence if reply.value else reply.evidence
    return Answer(key, state, by_way(detail, reply.via), latency_ms, asked, "\n".join([*foreign, evidence]))


async def _readyz(place: Place, target: Target, tls: ssl.SSLContext, limits: Limits) -> HttpAnswer:
    return await http_get(
        place,
        "/readyz",
        host=f"{target.address}:{target.port}",
        connect_s=limits.connect_s,
        answer_s=limits.answer_s,
        tls=tls,
        server_name=target.address,
    )


async def use(ways: Ways, target: Target, credentials: Kubeconfig, limits: Limits) -> Reply[HttpAnswer]:
    """Ask for what only those get who are known, with exactly what a kubeconfig holds; never raises."""
    tls = credentials.identity()

    async def question(place: Place) -> HttpAnswer:
        return await http_get(
            place,
            _FOR_THE_KNOWN,
            host=f"{target.address}:{target.port}",
            connect_s=limits.connect_s,
            answer_s=limits.answer_s,
            tls=tls,
            server_name=target.address,
            token=credentials.token,
        )

    return await ways.ask(target, question)


def refusal(reply: Reply[HttpAnswer]) -> Text | None:
    """Why credentials are of no use, after `use`; None when they are, or when the answer says nothing of them."""
    if reply.value is not None:
        status = reply.value.status
        return T("probe.kubeconfig.refused", status=status) if status in _UP_WITHOUT_CREDENTIALS else None
    if reply.trouble in (Trouble.CERTIFICATE, Trouble.TLS_REFUSED):
        return T("probe.kubeconfig.foreign", reason=reply.evidence[:200])
    return None


def _judge(reply: Reply[HttpAnswer], target: Target, foreign: list[str]) -> tuple[ProbeState, Text]:
    if reply.value is None:
        return ProbeState.DOWN if reply.told else ProbeState.UNKNOWN, trouble_text(reply)
    status = reply.value.status
    if status != 200 and status not in _UP_WITHOUT_CREDENTIALS:
        failed = [line for line in reply.value.body.decode("utf-8", "replace").splitlines() if line.startswith("[-]")]
        return ProbeState.DEGRADED, T("probe.api.status", status=status, failed="; ".join(failed)[:200])
    if foreign:
        return ProbeState.DEGRADED, T("probe.api.certificate", address=target.address, reason=foreign[0][:200])
    return ProbeState.OK, T("probe.api.ok") if status == 200 else T("probe.api.ok_unknown", status=status)


class ApiQuestion:
    """The Kubernetes API at one address; at the one that all use, also whether the kubeconfig is of use there."""

    def __init__(self, around: Surroundings, label: str, target: Target, *, is_shared: bool = False) -> None:
        self._around = around
        self._target = target
        self._is_shared = is_shared
        self._key = ProbeKey(API, label, target.port)
        self.keys = (self._key,)
        self.interval_s = around.settings.cadence.api_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        credentials = self._around.credentials()
        proof = credentials.proof() if credentials else None
        answer = await ask_api(self._around.ways, self._key, self._target, proof, self._around.settings.limits)
        if self._is_shared and answer.state.good and (fault := await self._fault(credentials)):
            answer = replace(answer, state=ProbeState.DEGRADED, detail=T("probe.kubeconfig.useless", reason=fault))
        post(answer)

    async def _fault(self, credentials: Kubeconfig | None) -> Text | str | None:
        """Why the operator's kubeconfig is of no use; None when it is, or when there is none yet."""
        if credentials is None:
            return self._around.unusable() or None
        return refusal(await use(self._around.ways, self._target, credentials, self._around.settings.limits))


def api_key(spec: ClusterSpec) -> ProbeKey:
    """The probe of the API through the address that everybody uses."""
    api = spec.kubernetes.api
    with_api = [node for node in spec.servers if Role.CONTROL_PLANE in node.roles] or spec.servers
    label = {ApiMode.VIP: VIP, ApiMode.EXTERNAL: BALANCER}.get(api.mode) or with_api[0].name
    return ProbeKey(API, label, API_PORT if api.mode is ApiMode.FIRST_SERVER else api.port)


def _questions(around: Surroundings) -> Iterator[Question]:
    servers = around.spec.nodes_with(Role.CONTROL_PLANE)
    targets = {node.name: Target(str(node.address), API_PORT, node.name) for node in servers}
    shared = api_key(around.spec)
    if shared.target not in targets:
        targets[shared.target] = Target(str(around.spec.api_address), shared.port)
    for label, target in targets.items():
        yield ApiQuestion(around, label, target, is_shared=label == shared.target)


PROBE: Final = Probe("api", (API,), _questions)
