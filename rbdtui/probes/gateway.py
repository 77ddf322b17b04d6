"""The gateway ports of Rainbond 6 and what a healthy answer on each of them is.

Source: goodrain/rainbond-operator@v6.2.1-release, controllers/handler: apigateway.go, api.go, app-ui.go, hub.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address
from typing import Final

from cryptography import x509

from rbdtui.probes.model import BALANCER, VIP, Answer, Expectation, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.probes.routes import Limits, Reply, Target, by_way, failure_text
from rbdtui.probes.wire import Place, ProbeFailure, WireError, http_get, shared_trusting_context, tls_hello
from rbdtui.profiles import Reach, ports_in_front
from rbdtui.profiles.rainbond_6 import REGISTRY_NAME
from rbdtui.spec.model import GatewayMode
from rbdtui.transport.answers import UNREADABLE
from rbdtui.words import T, Text

GATEWAY: Final = ProbeKind("gateway", 110, by_port=True)
"""One gateway port, on a gateway or through the gateway address."""

CONSOLE_PATH: Final = "/console/config/info"


@dataclass(frozen=True, slots=True)
class PortAnswer:
    """What a gateway port said, in its own protocol."""

    state: ProbeState
    detail: Text
    latency_ms: float | None
    evidence: str
    certificate: bytes = b""
    """The server's, DER, where that is what tells of the port."""


@dataclass(frozen=True, slots=True)
class PortQuestion:
    """What a gateway port is asked."""

    asked: str
    """In words of the protocol, for the evidence."""
    ask: Callable[[Place], Awaitable[PortAnswer]]
    """Raises `WireError` when there is no answer."""


def port_question(target: Target, limits: Limits, gateway_address: IPv4Address | None) -> PortQuestion:
    """The question for a gateway port; the gateway address is what the API's certificate must name."""
    address, port = target.address, target.port
    if port == 443:
        return PortQuestion(f"GET https://{REGISTRY_NAME}/v2/ at {address}:443", partial(_ask_registry, limits))
    if port == 7070:
        url = f"http://{address}:7070{CONSOLE_PATH}"
        return PortQuestion(f"GET {url}", partial(_ask_console, limits, f"{address}:7070"))
    if port == 8443:
        return PortQuestion(f"TLS hello to {address}:8443", partial(_ask_region_api, limits, gateway_address))
    return PortQuestion(f"GET http://{address}:{port}/", partial(_ask_any_http, limits, f"{address}:{port}"))


async def _ask_any_http(limits: Limits, host: str, place: Place) -> PortAnswer:
    """Ports 80 and 6060: any HTTP answer is a good one, 404 is what a gateway without applications says."""
    answer = await http_get(place, "/", host=host, connect_s=limits.connect_s, answer_s=limits.answer_s)
    detail = T("probe.gateway.http", status=answer.status)
    return PortAnswer(ProbeState.OK, detail, answer.latency_ms, answer.evidence)


async def _ask_registry(limits: Limits, place: Place) -> PortAnswer:
    """Port 443: TLS by name; without a certificate for the name the handshake is refused, which is an answer too."""
    try:
        answer = await http_get(
            place,
            "/v2/",
            host=REGISTRY_NAME,
            connect_s=limits.connect_s,
            answer_s=limits.answer_s,
            tls=shared_trusting_context(),
            server_name=REGISTRY_NAME,
        )
    except WireError as error:
        if error.trouble is not ProbeFailure.TLS_REFUSED:
            raise
        detail = T("probe.gateway.no_certificate", name=REGISTRY_NAME)
        return PortAnswer(ProbeState.OK, detail, None, error.evidence)
    state = ProbeState.DEGRADED if answer.status >= 500 else ProbeState.OK
    detail = T("probe.gateway.registry", name=REGISTRY_NAME, status=answer.status)
    return PortAnswer(state, detail, answer.latency_ms, answer.evidence)


async def _ask_console(limits: Limits, host: str, place: Place) -> PortAnswer:
    """Port 7070: the stream proxy takes any connection, so only the console's own answer proves it."""
    answer = await http_get(place, CONSOLE_PATH, host=host, connect_s=limits.connect_s, answer_s=limits.answer_s)
    if answer.status == 200:
        return PortAnswer(ProbeState.OK, T("probe.gateway.console"), answer.latency_ms, answer.evidence)
    detail = T("probe.gateway.console_status", status=answer.status)
    return PortAnswer(ProbeState.DOWN, detail, answer.latency_ms, answer.evidence)


async def _ask_region_api(limits: Limits, gateway_address: IPv4Address | None, place: Place) -> PortAnswer:
    """Port 8443: mutual TLS, so the server's certificate is all that can be seen without Rainbond's client key."""
    try:
        hello = await tls_hello(place, server_name=place.address, connect_s=limits.connect_s, answer_s=limits.answer_s)
    except WireError as error:
        if error.trouble is not ProbeFailure.TLS_REFUSED:
            raise
        return PortAnswer(ProbeState.OK, T("probe.gateway.mutual_tls"), None, error.evidence)
    names = certificate_names(hello.certificate)
    evidence = f"{hello.version}\n{', '.join(names)}"
    if gateway_address is not None and names and str(gateway_address) not in names:
        detail = T("probe.gateway.other_certificate", address=str(gateway_address), names=", ".join(names)[:200])
        return PortAnswer(ProbeState.DEGRADED, detail, hello.latency_ms, evidence, hello.certificate)
    return PortAnswer(ProbeState.OK, T("probe.gateway.tls"), hello.latency_ms, evidence, hello.certificate)


def certificate_names(der: bytes) -> list[str]:
    """Names and addresses that a certificate is good for; empty when it names none or cannot be read."""
    try:
        extensions = x509.load_der_x509_certificate(der).extensions
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (*UNREADABLE, x509.ExtensionNotFound, x509.InvalidVersion):
        return []
    addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def judge_port(
    key: ProbeKey, asked: str, reply: Reply[PortAnswer], expectation: Expectation, *, balanced: bool = False
) -> Answer:
    """What a reply of a gateway port is worth, given what should be there.

    ``balanced``: a balancer is asked, which takes every connection and closes it while nothing is up behind it.
    """
    state, detail = _judge(
        reply, expectation, met=reply.met and not (balanced and reply.trouble is ProbeFailure.CLOSED)
    )
    answer = reply.value
    return Answer(
        key,
        state,
        by_way(detail, reply.via),
        answer.latency_ms if answer else None,
        asked,
        answer.evidence if answer else reply.evidence,
    )


def _judge(reply: Reply[PortAnswer], expectation: Expectation, *, met: bool) -> tuple[ProbeState, Text]:
    trouble = failure_text(reply)
    if not reply.told:
        return ProbeState.UNKNOWN, trouble
    if expectation is Expectation.UNUSED:
        if met:
            return ProbeState.OK, T("probe.gateway.unused_open")
        return ProbeState.EXPECTED, T("probe.gateway.unused_closed", trouble=trouble)
    if reply.value is not None:
        return reply.value.state, reply.value.detail
    if met:
        return ProbeState.DOWN, trouble
    if expectation is Expectation.CLOSED:
        return ProbeState.EXPECTED, T("probe.gateway.not_installed", trouble=trouble)
    if expectation is Expectation.UNSURE:
        return ProbeState.UNKNOWN, T("probe.gateway.unsure", trouble=trouble)
    return ProbeState.DOWN, trouble


class GatewayQuestion:
    """One gateway port at one address."""

    def __init__(self, around: ProbeContext, label: str, target: Target) -> None:
        self._around = around
        self._target = target
        self._key = ProbeKey(GATEWAY, label, target.port)
        self._balanced = label == BALANCER or (label == VIP and around.spec.has_balancers)
        self._seen_good = False
        self.keys = (self._key,)
        self.interval_s = around.settings.cadence.gateway_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        spec = self._around.spec
        address = spec.gateway.vip.ip if spec.gateway.vip else spec.gateway.address
        question = port_question(self._target, self._around.settings.limits, address)
        reply = await self._around.ways.ask(self._target, question.ask)
        if reply.value is not None:
            self._around.note_certificate(self._target, reply.value.certificate)
        expectation = await self._expectation()
        if self._seen_good and expectation is not Expectation.UNUSED:
            expectation = Expectation.OPEN
        answer = judge_port(self._key, question.asked, reply, expectation, balanced=self._balanced)
        self._seen_good = self._seen_good or answer.state is ProbeState.OK
        post(answer)

    async def _expectation(self) -> Expectation:
        """What should be there; in the first round the answer of the API is waited for."""
        expectation = self._around.expectation()
        if expectation is Expectation.UNSURE and not self._around.rainbond_asked.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._around.settings.limits.script_s):
                    await self._around.rainbond_asked.wait()
        return self._around.expectation()


def _questions(around: ProbeContext) -> Iterator[Question]:
    """Every gateway port on every gateway, and through the address in front of them."""
    gateway = around.spec.gateway
    places = [(node.name, str(node.address), node.name) for node in around.gateways]
    if around.spec.has_vip and gateway.vip is not None:
        places.append((VIP, str(gateway.vip.ip), ""))
    elif gateway.mode is GatewayMode.EXTERNAL and gateway.address is not None:
        places.append((BALANCER, str(gateway.address), ""))
    for label, address, node in places:
        for port in ports_in_front(around.spec.profile, Reach.USERS):
            yield GatewayQuestion(around, label, Target(address, port, node))


PROBE: Final = Probe("gateway", (GATEWAY,), _questions, Stage.GATEWAYS, during_runs=True)
