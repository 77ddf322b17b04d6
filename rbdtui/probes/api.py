"""Whether the Kubernetes API answers, on one server or through the address that moves."""

from __future__ import annotations

import ssl
from typing import Final

from rbdtui.probes.kubeconfig import Kubeconfig
from rbdtui.probes.model import Answer, ProbeKey, ProbeState
from rbdtui.probes.ways import Limits, Reply, Target, Ways, by_way, trouble_text
from rbdtui.probes.wire import HttpAnswer, Place, Trouble, WireError, http_get, trusting_context
from rbdtui.words import T, Text

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
