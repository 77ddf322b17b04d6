"""Whom a balancer leads to, by the table and through real TLS servers behind real forwarders."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.listening import listen
from rbdtui.probes.balanced_api import judge_balanced
from rbdtui.probes.led_to import HERE, ApiFront, LedTo, Verdict, api_front, look_through
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Target
from rbdtui.probes.wire import Place, connection, shared_trusting_context, tls_hello
from rbdtui.words import LANGUAGES, say
from tests.lab.servers.certificates import CertificateAuthority
from tests.lab.servers.haproxy import Frontend, haproxy, why_no_haproxy
from tests.lab.servers.process import free_port
from tests.plan.support import ALL_IN_ONE
from tests.plan.support import spec_of as plan_of
from tests.probes.standin import StandIn
from tests.spec.test_balancers import spec_of as pair_of

FRONT = ApiFront("10.0.0.90", 6443, "kubernetes.api.address", tuple(Target("", 6443, n) for n in ("n1", "n2", "n3")))
OWN = {"n1": "a", "n2": "b", "n3": "c"}


def led(own: dict[str, str] | None = None, lost: dict[str, list[str]] | None = None, **met: str) -> LedTo:
    """Fingerprints met by place, a letter each; ``here`` is this machine."""
    by_place = {HERE if place == "here" else place: list(shown) for place, shown in met.items()}
    return LedTo(FRONT, OWN if own is None else own, by_place, lost or {})


@pytest.mark.parametrize(
    ("seen", "verdict", "missing"),
    [
        pytest.param(led(here="abcabc"), Verdict.ALL, [], id="turns"),
        pytest.param(led(here="acacac", n1="acacac", n2="acac", n3="acac"), Verdict.MISSED, ["n2"], id="one forgotten"),
        pytest.param(led(here="aaaa", n1="aaaa", n2="aa", n3="aa"), Verdict.ONE, ["n2", "n3"], id="one and no other"),
        pytest.param(led(here="aaaa", n1="bbbb", n2="aaaa"), Verdict.STICKY, ["n3"], id="clients are kept"),
        pytest.param(led(here="aaaa", n1="bbbb", n2="cccc"), Verdict.ALL, [], id="kept, and all are met"),
        pytest.param(led(n1="aaaa", n2="bbbb", n3="cccc"), Verdict.NOBODY, ["n1", "n2", "n3"], id="each meets itself"),
        pytest.param(led({"n1": "a", "n3": "c"}, here="acac"), Verdict.ALL, [], id="a dead one is not missed"),
        pytest.param(led({"n1": "a", "n2": "a", "n3": "c"}, here="aaaa"), Verdict.ALIKE, ["n3"], id="alike"),
        pytest.param(led(dict.fromkeys(OWN, "a"), n1="aa", n2="aa"), Verdict.ALIKE, ["n1", "n2", "n3"], id="all alike"),
        pytest.param(led(here="zzzz"), Verdict.NOBODY, ["n1", "n2", "n3"], id="somebody else"),
        pytest.param(led(lost={HERE: ["refused"]}), Verdict.NOBODY, ["n1", "n2", "n3"], id="refused"),
        pytest.param(led({}, here="abc"), Verdict.UNASKED, [], id="nobody answers by itself"),
        pytest.param(led(), Verdict.UNASKED, ["n1", "n2", "n3"], id="nobody could try"),
    ],
)
def test_what_is_made_of_the_certificates_that_were_met(seen: LedTo, verdict: Verdict, missing: list[str]) -> None:
    assert (seen.verdict, seen.missing) == (verdict, missing)


def test_strangers_are_told_where_every_server_is_known() -> None:
    assert led(here="abcz").strangers == ["z"]
    assert led({"n1": "a", "n2": "b"}, here="abc").strangers == [], "it may be the third, which did not answer"


@pytest.mark.parametrize(
    ("seen", "states", "says"),
    [
        (led(here="abc"), "ok ok ok", "leads to it"),
        (led(here="acac"), "ok degraded ok", "only n1, n3 of 3 were met there"),
        (led(here="aaaa", n2="aaaa"), "ok degraded degraded", "from 2 places"),
        (led(here="aaaa", n1="cccc"), "ok ok ok", "keeps every client to one server"),
        (led({"n1": "a", "n3": "c"}, here="acac"), "ok unknown ok", "does not answer by itself"),
        (led(here="zzzz"), "degraded degraded degraded", "came to an API server"),
        (led(), "unknown unknown unknown", "could connect"),
        (led({"n1": "a", "n2": "a", "n3": "c"}, here="aaac"), "ok ok ok", "same certificate"),
    ],
)
def test_health_says_so_of_each_server(seen: LedTo, states: str, says: str) -> None:
    answers = [judge_balanced(name, seen) for name in FRONT.names]
    assert " ".join(answer.state.value for answer in answers) == states
    assert says in say(answers[1].detail, "en")
    for answer in answers:
        assert not any("{" in say(answer.detail, language) for language in LANGUAGES)


@pytest.mark.parametrize("seen", [led(here="aaaa", n1="cccc"), led({"n1": "a", "n2": "a"}, here="aa")])
def test_what_nobody_can_tell_is_worth_a_notice(seen: LedTo) -> None:
    assert judge_balanced("n2", seen).notice
    assert not judge_balanced("n2", led(here="abc")).notice


def test_who_has_a_balancer_in_front_of_the_api() -> None:
    three = dict.fromkeys(("n1", "n2", "n3"), ALL_IN_ONE)
    outside = {"kubernetes": {"api": {"mode": "external", "address": "10.0.0.90", "port": 16443}}}
    behind = api_front(plan_of(three, sections=outside))
    assert behind is not None
    assert (behind.address, behind.port, behind.field) == ("10.0.0.90", 16443, "kubernetes.api.address")
    assert behind.servers[1] == Target("10.0.0.12", 6443, "n2")
    pair = api_front(pair_of())
    assert pair is not None
    assert (pair.address, pair.port, pair.field) == ("10.0.0.100", 6443, "gateway.vip")
    assert api_front(plan_of(three)) is None, "the VIP of keepalived is one server's own"
    assert api_front(plan_of({"n1": ALL_IN_ONE}, sections=outside)) is None, "of one there is nobody to tell it from"


# A real balancer before servers that show a certificate each


@asynccontextmanager
async def api_servers(directory: Path) -> AsyncIterator[tuple[Target, ...]]:
    """Three that answer as RKE2's do somebody without credentials: 401, and a certificate of their own."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):  # most hang up once they have shaken hands
            if await reader.read(4096):
                writer.write(b"HTTP/1.0 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
                await writer.drain()
        writer.transport.abort()

    authority = CertificateAuthority()
    targets: list[Target] = []
    async with AsyncExitStack() as stack:
        for name in FRONT.names:
            pair, file = authority.issue("127.0.0.1"), directory / f"{name}.pem"
            file.write_bytes(pair.cert_pem + pair.key_pem)
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(file)
            server = await listen(answer, tls=context)
            stack.callback(server.close)
            targets.append(Target("127.0.0.1", server.sockets[0].getsockname()[1], name))
        yield tuple(targets)


async def keep_busy(port: int, target: Target, count: int, stack: AsyncExitStack) -> None:
    """Have connections to one server stay open through the balancer, and none to the others."""
    shown = (await tls_hello(Place(target.address, target.port), server_name="x", connect_s=3, answer_s=5)).certificate
    others = []
    for _ in range(count * len(FRONT.servers)):
        hello = connection(
            Place("127.0.0.1", port), tls=shared_trusting_context(), server_name="x", connect_s=3, handshake_s=5
        )
        _, writer = await stack.enter_async_context(hello)
        if writer.get_extra_info("ssl_object").getpeercert(binary_form=True) != shown:
            others.append(writer)
    assert len(others) == count * (len(FRONT.servers) - 1)
    for writer in others:
        writer.transport.abort()
    await asyncio.sleep(0.2)


async def seen_through(front: ApiFront) -> LedTo:
    """From here and from the three servers."""
    hosts = {name: StandIn(name, {(front.address, front.port): front.port}) for name in front.names}
    limits = Limits()
    return await look_through(front, ProbeRoutes(hosts, Readiness(), limits, straight=True), limits, list(hosts))


REAL = [
    pytest.param("roundrobin", 3, 0, Verdict.ALL, [], id="turns"),
    pytest.param("roundrobin", 2, 0, Verdict.MISSED, ["n3"], id="one forgotten"),
    pytest.param("roundrobin", 1, 0, Verdict.ONE, ["n2", "n3"], id="two forgotten"),
    pytest.param("source", 3, 0, Verdict.ONE, None, id="clients are kept"),
    pytest.param("leastconn", 3, 4, Verdict.ALL, [], id="one is busy"),
]


@pytest.mark.skipif(bool(why_no_haproxy()), reason=why_no_haproxy())
@pytest.mark.parametrize(("balance", "behind", "busy", "verdict", "missing"), REAL)
async def test_a_real_balancer_shows_whom_it_leads_to(
    tmp_path: Path, balance: str, behind: int, busy: int, verdict: Verdict, missing: list[str] | None
) -> None:
    async with api_servers(tmp_path) as targets, AsyncExitStack() as stack:
        port = free_port()
        servers = tuple(f"127.0.0.1:{target.port}" for target in targets[:behind])
        stack.enter_context(haproxy(tmp_path, [Frontend(port, servers, balance=balance)]))
        await keep_busy(port, targets[0], busy, stack)
        seen = await seen_through(replace(FRONT, address="127.0.0.1", port=port, servers=targets))
    assert seen.own.keys() == set(FRONT.names)
    assert (seen.verdict, seen.missing if missing is not None else None) == (verdict, missing), seen.evidence
    if balance == "roundrobin" and verdict is Verdict.ALL:
        assert {place: len(shown) for place, shown in seen.met.items()} == {HERE: 6}, "nobody else is bothered"
    assert sum(map(len, seen.met.values())) <= 30
