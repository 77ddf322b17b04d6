"""Every gateway port against real servers that answer as Rainbond does, or as it should not."""

from __future__ import annotations

import ssl
from ipaddress import IPv4Address

import pytest

from rbdtui.probes import gateway
from rbdtui.probes.gateway import PortAnswer, certificate_names, judge_port, port_question
from rbdtui.probes.model import Answer, Expectation, ProbeKey, ProbeState
from rbdtui.probes.routes import Limits, Reply, Target
from rbdtui.probes.wire import Place, ProbeFailure, WireError
from rbdtui.profiles import RAINBOND_6, Reach
from tests.probes import targets
from tests.probes.targets import Authority, Handler, serve

LIMITS = Limits(connect_s=1.0, answer_s=1.0, script_s=1.0)
VIP = IPv4Address("198.51.100.50")


async def answer_of(port: int, handler: Handler, tls: ssl.SSLContext | None = None) -> Answer:
    """What the question of a gateway port makes of a server."""
    async with serve(handler, tls) as real_port:
        return await answer_at(port, real_port)


async def answer_at(port: int, real_port: int) -> Answer:
    """What the question of a gateway port makes of whatever listens on a real port."""
    question = port_question(Target("198.51.100.11", port), LIMITS, VIP)
    reply: Reply[PortAnswer]
    try:
        reply = Reply(await question.ask(Place("127.0.0.1", real_port)))
    except WireError as error:
        reply = Reply(None, error.trouble, error.evidence)
    return judge_port(ProbeKey(gateway.GATEWAY, "node1", port), question.asked, reply, Expectation.OPEN)


PLAIN = [
    (80, targets.http(404), ProbeState.OK, "HTTP 404"),
    (80, targets.http(502), ProbeState.OK, "HTTP 502"),
    (80, targets.accept_and_close, ProbeState.DOWN, "without a reply"),
    (80, targets.accept_and_hang, ProbeState.DOWN, "does not reply"),
    (80, targets.speak_ssh, ProbeState.DOWN, "not in the expected protocol"),
    (6060, targets.http(400), ProbeState.OK, "HTTP 400"),
    (6060, targets.accept_and_close, ProbeState.DOWN, "without a reply"),
    (7070, targets.http({"/console/config/info": (200, b"{}")}), ProbeState.OK, "console answers"),
    (7070, targets.http(502), ProbeState.DOWN, "HTTP 502"),
    (7070, targets.http(500), ProbeState.DOWN, "HTTP 500"),
    (7070, targets.accept_and_close, ProbeState.DOWN, "without a reply"),
    (443, targets.http(200), ProbeState.DOWN, "does not speak TLS"),
    (443, targets.accept_and_close, ProbeState.DOWN, "without a reply"),
    (443, targets.accept_and_hang, ProbeState.DOWN, "does not reply"),
    (8443, targets.http(200), ProbeState.DOWN, "does not speak TLS"),
    (8443, targets.accept_and_close, ProbeState.DOWN, "without a reply"),
]


@pytest.mark.parametrize(("port", "handler", "state", "words"), PLAIN)
async def test_port_without_tls(port: int, handler: Handler, state: ProbeState, words: str) -> None:
    answer = await answer_of(port, handler)
    assert answer.state is state
    assert words in str(answer.detail)
    assert str(port) in answer.asked


@pytest.mark.parametrize(
    ("status", "state"),
    [(401, ProbeState.OK), (200, ProbeState.OK), (404, ProbeState.OK), (502, ProbeState.DEGRADED)],
)
async def test_registry_behind_443(authority: Authority, status: int, state: ProbeState) -> None:
    tls = targets.only_for(authority.server("goodrain.me"), "goodrain.me")
    answer = await answer_of(443, targets.http({"/v2/": (status, b"{}")}), tls)
    assert answer.state is state
    assert f"HTTP {status}" in str(answer.detail)
    assert answer.latency_ms is not None


async def test_443_without_a_certificate_for_the_registry_is_right(authority: Authority) -> None:
    tls = targets.only_for(authority.server("app.example"), "app.example")
    with targets.serve_handshakes(tls) as real_port:
        answer = await answer_at(443, real_port)
    assert answer.state is ProbeState.OK
    assert "no certificate for goodrain.me" in str(answer.detail)
    assert "unrecognized name" in answer.evidence


@pytest.mark.parametrize(
    ("names", "state", "words"),
    [
        (("region.goodrain.me", str(VIP)), ProbeState.OK, "right certificate"),
        (("region.goodrain.me", "198.51.100.12"), ProbeState.DEGRADED, "198.51.100.12"),
    ],
)
async def test_region_api_shows_its_certificate(
    authority: Authority, names: tuple[str, ...], state: ProbeState, words: str
) -> None:
    answer = await answer_of(8443, targets.accept_and_hang, authority.server(*names, mutual=True))
    assert answer.state is state
    assert words in str(answer.detail)
    assert names[0] in answer.evidence


async def test_region_api_with_old_tls_refuses_before_its_certificate_can_be_read(authority: Authority) -> None:
    with targets.serve_handshakes(authority.server(str(VIP), mutual=True, tls12=True)) as real_port:
        answer = await answer_at(8443, real_port)
    assert answer.state is ProbeState.OK
    assert "client certificate" in str(answer.detail)


BEHIND_A_BALANCER = [
    (Expectation.CLOSED, ProbeFailure.CLOSED, ProbeState.EXPECTED),
    (Expectation.UNUSED, ProbeFailure.CLOSED, ProbeState.EXPECTED),
    (Expectation.UNSURE, ProbeFailure.CLOSED, ProbeState.UNKNOWN),
    (Expectation.OPEN, ProbeFailure.CLOSED, ProbeState.DOWN),
    (Expectation.CLOSED, ProbeFailure.SILENT, ProbeState.DOWN),
    (Expectation.CLOSED, ProbeFailure.REFUSED, ProbeState.EXPECTED),
]


@pytest.mark.parametrize(("expectation", "trouble", "state"), BEHIND_A_BALANCER)
def test_a_balancer_closes_what_it_took_while_nothing_is_up_behind_it(
    expectation: Expectation, trouble: ProbeFailure, state: ProbeState
) -> None:
    reply: Reply[PortAnswer] = Reply(None, trouble, "raw words")
    answer = judge_port(ProbeKey(gateway.GATEWAY, "vip", 80), "GET", reply, expectation, balanced=True)
    assert answer.state is state


NOT_MET = [
    (Expectation.OPEN, ProbeFailure.REFUSED, "", ProbeState.DOWN),
    (Expectation.OPEN, ProbeFailure.TIMED_OUT, "node2", ProbeState.DOWN),
    (Expectation.OPEN, ProbeFailure.TIMED_OUT, "", ProbeState.UNKNOWN),
    (Expectation.CLOSED, ProbeFailure.REFUSED, "", ProbeState.EXPECTED),
    (Expectation.CLOSED, ProbeFailure.UNREACHABLE, "node2", ProbeState.EXPECTED),
    (Expectation.CLOSED, ProbeFailure.UNREACHABLE, "", ProbeState.UNKNOWN),
    (Expectation.UNSURE, ProbeFailure.REFUSED, "", ProbeState.UNKNOWN),
    (Expectation.UNUSED, ProbeFailure.REFUSED, "", ProbeState.EXPECTED),
    (Expectation.UNUSED, ProbeFailure.CLOSED, "", ProbeState.OK),
    (Expectation.CLOSED, ProbeFailure.CLOSED, "", ProbeState.DOWN),
    (Expectation.OPEN, None, "", ProbeState.UNKNOWN),
]


@pytest.mark.parametrize(("expectation", "trouble", "via", "state"), NOT_MET)
def test_what_no_answer_is_worth(
    expectation: Expectation, trouble: ProbeFailure | None, via: str, state: ProbeState
) -> None:
    reply: Reply[PortAnswer] = Reply(None, trouble, "raw words", via)
    answer = judge_port(ProbeKey(gateway.GATEWAY, "node1", 80), "GET", reply, expectation)
    assert answer.state is state
    assert answer.evidence == "raw words"
    assert ("checked from" in str(answer.detail)) == bool(via)


def test_closed_before_anything_is_installed_says_so() -> None:
    reply: Reply[PortAnswer] = Reply(None, ProbeFailure.REFUSED)
    answer = judge_port(ProbeKey(gateway.GATEWAY, "node1", 80), "GET", reply, Expectation.CLOSED)
    assert str(answer.detail) == "Nothing installed yet. Closed: nothing listens."
    assert answer.state.published == "ok"


@pytest.mark.parametrize("der", [b"", b"not a certificate"])
def test_names_of_something_that_is_no_certificate(der: bytes) -> None:
    assert certificate_names(der) == []


def test_every_port_has_its_own_question() -> None:
    asked = [port_question(Target("10.0.0.1", port), LIMITS, None).asked for port in RAINBOND_6.ports(Reach.USERS)]
    assert asked == [
        "GET http://10.0.0.1:80/",
        "GET https://goodrain.me/v2/ at 10.0.0.1:443",
        "GET http://10.0.0.1:6060/",
        "GET http://10.0.0.1:7070/console/config/info",
        "TLS hello to 10.0.0.1:8443",
    ]
