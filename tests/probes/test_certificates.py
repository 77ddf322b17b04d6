"""Until when certificates are good: judged by date, asked of real TLS servers on a node's loopback."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from dataclasses import replace

import pytest

from rbdtui.probes.api import API, ApiQuestion
from rbdtui.probes.certificates import CertificateQuestion, Validity, judge_certificates, validity
from rbdtui.probes.gateway import GatewayQuestion
from rbdtui.probes.model import VIP, Answer, ProbeKey, ProbeState
from rbdtui.probes.routes import Target
from rbdtui.probes.settings import Settings, Thresholds
from rbdtui.transport.base import ConnectTimeoutError
from tests.probes import targets
from tests.probes.standin import Network, StandIn, spec_of
from tests.probes.targets import Authority, serve
from tests.probes.test_outside import LIMITS, around, asked

NOW = datetime.datetime(2026, 11, 1, tzinfo=datetime.UTC).timestamp()
DAY = 86400.0
OK, EXPECTED, DEGRADED = ProbeState.OK, ProbeState.EXPECTED, ProbeState.DEGRADED
DOWN, UNKNOWN = ProbeState.DOWN, ProbeState.UNKNOWN


def good_for(*days: float, since: float = -100.0) -> list[Validity]:
    return [Validity(6443 + n, NOW + since * DAY, NOW + end * DAY, f"CN=c{n}") for n, end in enumerate(days)]


@pytest.mark.parametrize(
    ("found", "reached", "state", "words"),
    [
        (good_for(300, 200), True, OK, "port 6444, in 200 days"),
        (good_for(300, 30), True, OK, "in 30 days"),
        (good_for(300, 29.9), True, DEGRADED, "port 6444 expires in 29 days"),
        (good_for(1), True, DEGRADED, "in 1 day "),
        (good_for(-1, 300), True, DOWN, "port 6443 expired 1 day ago"),
        (good_for(300, since=1), True, DEGRADED, "not valid before 2026-11-02"),
        ([], True, EXPECTED, "Nothing shows a certificate"),
        ([], False, UNKNOWN, "could not be checked"),
    ],
)
def test_dates(found: Sequence[Validity], reached: bool, state: ProbeState, words: str) -> None:
    answer = judge_certificates("node1", "asked", found, NOW, Thresholds(), reached=reached)
    assert answer.state is state
    assert words in str(answer.detail)


@pytest.mark.parametrize("der", [b"", b"\0", b"x" * 2000])
def test_what_is_no_certificate_says_nothing(der: bytes) -> None:
    assert validity(443, der) is None


async def ask(network: Network, node: str = "node1", *, warn_days: int = 30, broken: bool = False) -> Answer:
    spec = spec_of()
    made = around(spec, network)
    made.settings = replace(Settings(limits=LIMITS), thresholds=Thresholds(certificate_warn_days=warn_days))
    host = made.hosts[node]
    assert isinstance(host, StandIn)
    host.broken = ConnectTimeoutError(node) if broken else None
    (answer,) = await asked(CertificateQuestion(made, spec.node(node)))
    return answer


async def test_each_port_of_a_server_is_asked_on_its_own_loopback(authority: Authority) -> None:
    async with serve(targets.accept_and_hang, authority.server("node1", mutual=True)) as port:
        network: Network = {("127.0.0.1", number): port for number in (6443, 10250, 2379, 8443)}
        answer = await ask(network, warn_days=0)
        soon = await ask(network)
    assert (answer.state, soon.state) == (OK, DEGRADED), "the test's certificates are good for an hour"
    assert [line.split(" ")[0] for line in answer.evidence.splitlines()] == ["10250", "6443", "2379", "8443"]


async def test_a_part_that_shows_none_hides_no_other(authority: Authority) -> None:
    async with (
        serve(targets.accept_and_hang, authority.server("node1")) as kubelet,
        serve(targets.accept_and_close) as api,
    ):
        answer = await ask({("127.0.0.1", 10250): kubelet, ("127.0.0.1", 6443): api})
    assert answer.state is DEGRADED
    assert answer.evidence.startswith("10250 ")
    assert (await ask({})).state is EXPECTED
    assert (await ask({}, broken=True)).state is UNKNOWN


async def test_an_agent_has_its_kubelet_only() -> None:
    answer = await ask({}, "node4")
    assert answer.asked.endswith("node4: 10250")


async def test_what_another_question_has_seen_counts_at_once_and_is_asked_for_only_when_it_is_old(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    async with serve(targets.accept_and_hang, authority.server("node1")) as port:
        made = around(spec_of(), {("127.0.0.1", 6443): port, ("127.0.0.1", 10250): port})
        question = CertificateQuestion(made, made.spec.node("node4"))
        (first,) = await asked(question)
        (_, seen) = made.certificates.popitem()
        assert (first.state, seen.at_s) == (DEGRADED, now), "good for an hour"
        made.note_certificate(Target("198.51.100.14", 10250, "node4"), b"another")
        assert [answer.state for answer in await asked(question)] == [EXPECTED], (
            "it is believed, and it is no certificate"
        )
        now += made.settings.cadence.certificates_s * 3 - 0.1
        assert [answer.state for answer in await asked(question)] == [EXPECTED]
        now += 0.2
        assert [answer.state for answer in await asked(question)] == [DEGRADED], "asked for anew"


async def test_who_asks_the_api_and_the_gateway_tells_what_was_shown(authority: Authority) -> None:
    async with serve(targets.http(200), authority.server("node1")) as port:
        made = around(
            spec_of(), {("198.51.100.11", 6443): port, ("198.51.100.11", 8443): port, ("198.51.100.50", 8443): port}
        )
        await asked(ApiQuestion(made, ProbeKey(API, "node1"), Target("198.51.100.11", 6443, "node1")))
        await asked(GatewayQuestion(made, "node1", Target("198.51.100.11", 8443, "node1")))
        await asked(GatewayQuestion(made, VIP, Target("198.51.100.11", 8443)))
    shown = {place: validity(443, seen.der) for place, seen in made.certificates.items()}
    assert shown.keys() == {("node1", 6443), ("node1", 8443)}
    assert None not in shown.values()
