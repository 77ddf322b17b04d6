"""Whether the Kubernetes API answers, on one server or through the address that moves."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from rbdtui.kube.access import API_PORT
from rbdtui.kube.kubeconfig import Kubeconfig
from rbdtui.probes.model import BALANCER, VIP, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.routes import Limits, ProbeRoutes, Reply, Target, by_way, failure_text
from rbdtui.probes.wire import HttpAnswer, Place, ProbeFailure, WireError, http_get, shared_trusting_context
from rbdtui.spec.model import ApiMode, ClusterSpec, Role
from rbdtui.words import T, Text

API: Final = ProbeKind("api", 60, column="api", is_brought=True)
"""The Kubernetes API, on a server or through an address."""
_FOR_THE_KNOWN: Final = "/api/v1/nodes?limit=1"
_ROUNDS_PER_USE: Final = 6
_OF_TIME: Final = ("certificate is not yet valid", "certificate has expired")
"""OpenSSL's words (x509_txt.c)."""
_UP_WITHOUT_CREDENTIALS: Final = (401, 403)
"""Statuses that prove a running API server to somebody whom it does not know."""


async def ask_api(
    ways: ProbeRoutes,
    key: ProbeKey,
    target: Target,
    proof: ssl.SSLContext | None,
    limits: Limits,
    note: Callable[[Target, bytes], None] = lambda target, certificate: None,
) -> Answer:
    """Ask ``/readyz``; with a proof, the certificate must be signed by the cluster and name the address.

    ``note`` is told which certificate (DER) was shown.
    """
    foreign: list[str] = []

    async def question(place: Place) -> HttpAnswer:
        try:
            return await _readyz(place, target, proof or shared_trusting_context(), limits)
        except WireError as error:
            if error.trouble is not ProbeFailure.CERTIFICATE:
                raise
            foreign.append(error.evidence)
            return await _readyz(place, target, shared_trusting_context(), limits)

    reply = await ways.ask(target, question)
    if reply.value is not None:
        note(target, reply.value.certificate)
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


async def use(ways: ProbeRoutes, target: Target, credentials: Kubeconfig, limits: Limits) -> Reply[HttpAnswer]:
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
    if reply.trouble in (ProbeFailure.CERTIFICATE, ProbeFailure.TLS_REFUSED):
        key = "dated" if reply.evidence in _OF_TIME else "foreign"
        return Text(f"probe.kubeconfig.{key}", {"reason": reply.evidence[:200]})  # words: probe.kubeconfig.*
    return None


def _judge(reply: Reply[HttpAnswer], target: Target, foreign: list[str]) -> tuple[ProbeState, Text]:
    if reply.value is None:
        return ProbeState.DOWN if reply.told else ProbeState.UNKNOWN, failure_text(reply)
    status = reply.value.status
    if status != 200 and status not in _UP_WITHOUT_CREDENTIALS:
        failed = [line for line in reply.value.body.decode("utf-8", "replace").splitlines() if line.startswith("[-]")]
        return ProbeState.DEGRADED, T("probe.api.status", status=status, failed="; ".join(failed)[:200] or "-")
    if foreign:
        return ProbeState.DEGRADED, T("probe.api.certificate", address=target.address, reason=foreign[0][:200])
    return ProbeState.OK, T("probe.api.ok") if status == 200 else T("probe.api.ok_unknown", status=status)


class ApiQuestion:
    """The Kubernetes API at one address; at the one that all use, also whether the kubeconfig is of use there."""

    def __init__(self, around: ProbeContext, key: ProbeKey, target: Target | None) -> None:
        """Without a target it is the API that everybody uses."""
        self._around = around
        self._fixed = target
        self._key = key
        self._asked_with: Kubeconfig | None = None
        self._useful_for = 0
        """In how many rounds the kubeconfig is taken to be of use, as it was."""
        self.keys = (self._key,)
        self.interval_s = around.settings.cadence.api_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        credentials = self._around.credentials()
        proof = self._around.proof()
        target = self._fixed or self._around.api_target()
        if target is None:
            post(Answer(self._key, ProbeState.UNKNOWN, T("probe.api.no_kubeconfig"), None, "", self._around.unusable()))
            return
        around = self._around
        answer = await ask_api(around.ways, self._key, target, proof, around.settings.limits, around.note_certificate)
        if self._fixed is None and answer.state.good and (fault := await self._usefulness(credentials, target)):
            answer = replace(answer, state=ProbeState.DEGRADED, detail=T("probe.kubeconfig.useless", reason=fault))
        post(answer)

    async def _usefulness(self, credentials: Kubeconfig | None, target: Target) -> Text | str | None:
        """As `_fault`, asked anew in one of some rounds while nothing is wrong, and for other credentials."""
        if self._useful_for > 0 and credentials is not None and credentials is self._asked_with:
            self._useful_for -= 1
            return None
        fault = await self._fault(credentials, target)
        self._useful_for, self._asked_with = (0 if fault else _ROUNDS_PER_USE - 1), credentials
        return fault

    async def _fault(self, credentials: Kubeconfig | None, target: Target) -> Text | str | None:
        """Why the operator's kubeconfig is of no use; None when it is, or when there is none yet."""
        if credentials is None:
            return self._around.unusable() or None
        return refusal(await use(self._around.ways, target, credentials, self._around.settings.limits))


def api_key(spec: ClusterSpec) -> ProbeKey:
    """The probe of the API through the address that everybody uses."""
    api = spec.kubernetes.api
    if spec.is_existing:
        return ProbeKey(API, BALANCER, API_PORT)
    with_api = [node for node in spec.servers if Role.CONTROL_PLANE in node.roles] or spec.servers
    label = {ApiMode.VIP: VIP, ApiMode.EXTERNAL: BALANCER}.get(api.mode) or with_api[0].name
    return ProbeKey(API, label, API_PORT if api.mode is ApiMode.FIRST_SERVER else api.port)


def _questions(around: ProbeContext) -> Iterator[Question]:
    shared = api_key(around.spec)
    for target in around.server_targets():
        if target.node != shared.target:
            yield ApiQuestion(around, ProbeKey(API, target.node, target.port), target)
    yield ApiQuestion(around, shared, None)


PROBE: Final = Probe("api", (API,), _questions)
