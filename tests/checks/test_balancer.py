"""The balancer's check, against a real haproxy before real listeners, and by tables for what haproxy never does."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from math import inf
from pathlib import Path

import pytest

from rbdtui.checks.services.asking import THIS_MACHINE, no_secret
from rbdtui.checks.services.balancer import CHECK
from rbdtui.checks.services.balancer_call import HOLD_MARK, Outcome, Reply, call, payload, read_reply
from rbdtui.checks.services.balancer_findings import judge
from rbdtui.checks.services.balancer_seen import (
    BalancerAnswer,
    BalancerQuestion,
    Call,
    Door,
    Listener,
    ListenerState,
)
from rbdtui.checks.services.fleet import ask_fleet
from rbdtui.checks.view import ClusterView
from rbdtui.facts.model import Listener as Listening
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding
from rbdtui.listening import listen
from rbdtui.probes.wire import Place
from rbdtui.spec.model import ClusterSpec
from tests.checks.listening_host import ListeningHost, why_no_listeners
from tests.checks.support import claimed, good_facts, place, spec_of
from tests.lab.servers.haproxy import Frontend, haproxy, why_no_haproxy
from tests.lab.servers.process import free_port

LB = "10.0.0.200"
NAMES = ("node1", "node2", "node3")
BOTH = {"gateway": {"mode": "external", "address": LB}, "api": {"mode": "external", "address": LB}}
real = pytest.mark.skipif(bool(why_no_haproxy() or why_no_listeners()), reason=why_no_haproxy() or why_no_listeners())


def behind(**parts: object) -> ClusterSpec:
    return spec_of(**{**BOTH, **parts})  # type: ignore[arg-type]


def view_of(spec: ClusterSpec, **changed: NodeFacts) -> ClusterView:
    facts = {f"node{index}": good_facts(index) for index in (1, 2, 3)} | changed
    return ClusterView(spec, facts, place, spec.profile.limits)


def ports(question: BalancerQuestion | None) -> list[int]:
    return [door.port for door in question.doors] if question else []


# What is asked


def test_all_ports_of_both_balancers_are_asked_before_anything_runs() -> None:
    question = CHECK.question(view_of(behind()))
    assert ports(question) == [80, 443, 6060, 7070, 8443, 6443, 9345]
    assert question is not None
    assert {door.port for door in question.doors if door.tls} == {443, 8443, 6443, 9345}
    assert {door.field for door in question.doors} == {"gateway.address", "kubernetes.api.address"}


def test_another_port_of_the_api_leads_to_6443() -> None:
    api = {"mode": "external", "address": LB, "port": 16443}
    question = CHECK.question(view_of(behind(api=api, gateway={"mode": "none"})))
    assert question is not None
    assert [(door.port, door.listens) for door in question.doors] == [(16443, 6443), (9345, 9345)]


def test_a_vip_of_ours_is_not_up_yet_and_not_asked() -> None:
    assert CHECK.question(view_of(spec_of())) is None


def test_a_taken_port_and_a_cluster_of_ours_are_left_alone() -> None:
    taken = replace(good_facts(2), listeners=(Listening("tcp", "127.0.0.1", 443, "nginx", 7, "nginx.service"),))
    assert 443 not in ports(CHECK.question(view_of(behind(), node2=taken)))
    assert ports(CHECK.question(view_of(behind(), node3=claimed(good_facts(3))))) == []


def test_udp_on_the_same_number_does_not_matter() -> None:
    listening = replace(good_facts(2), listeners=(Listening("udp", "0.0.0.0", 443, "x", 7, ""),))
    assert 443 in ports(CHECK.question(view_of(behind(), node2=listening)))


# One connection

HELLO = payload(LB, tls=True)
TOKEN = "0123456789abcdef"


def answered(received: bytes, peer: str = "0A00000A:1F90") -> bytes:
    return f"HTTP/1.0 200 OK\r\n\r\nrbdtui {TOKEN} {peer} {received.hex()}\n".encode()


@pytest.mark.parametrize(
    ("data", "sent", "outcome"),
    [
        pytest.param(answered(HELLO), HELLO, Outcome.ANSWERED, id="as it was sent"),
        pytest.param(answered(HELLO[:120]), HELLO, Outcome.ANSWERED, id="the first packet of it"),
        pytest.param(answered(b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\n" + HELLO), HELLO, Outcome.CHANGED, id="PROXY"),
        pytest.param(answered(b"GET / HTTP/1.1\r\n"), payload(LB, tls=False), Outcome.ANSWERED, id="a proxy of HTTP"),
        pytest.param(b"", HELLO, Outcome.EMPTY, id="closed"),
        pytest.param(b"\x15\x03\x01\x00\x02\x02\x28", HELLO, Outcome.TLS, id="an alert"),
        pytest.param(b"\x16\x03\x03\x00\x7a\x02", HELLO, Outcome.TLS, id="a handshake"),
        pytest.param(b"HTTP/1.1 503 Service Unavailable\r\n\r\n", HELLO, Outcome.EMPTY, id="no server"),
        pytest.param(b"HTTP/1.1 400 Bad Request\r\n\r\n", HELLO, Outcome.OTHER, id="another server"),
        pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", HELLO, Outcome.OTHER, id="sshd"),
        pytest.param(b"\xff\x00" * 4000, HELLO, Outcome.OTHER, id="rubbish"),
        pytest.param(b"rbdtui 0123 x y\n", HELLO, Outcome.OTHER, id="half an answer"),
    ],
)
def test_what_comes_back_is_told_apart(data: bytes, sent: bytes, outcome: Outcome) -> None:
    assert read_reply(data, sent).outcome is outcome


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("0A00000A:1F90", "10.0.0.10"),
        ("0000000000000000FFFF00000A00000A:1F90", "10.0.0.10"),
        ("-", ""),
        ("0A0000:1", ""),
        ("zzzzzzzz:1", ""),
    ],
)
def test_the_address_that_a_listener_saw(peer: str, address: str) -> None:
    assert read_reply(answered(HELLO, peer), HELLO).peer == address


def test_what_is_held_is_marked_in_tls_and_in_http() -> None:
    for tls in (True, False):
        assert HOLD_MARK.encode() in payload(LB, tls=tls, hold=True)
        assert HOLD_MARK.encode() not in payload(LB, tls=tls)


@pytest.mark.parametrize("flood", [b"", b"x" * 65536])
async def test_who_says_nothing_or_too_much_is_left_in_time(flood: bytes) -> None:
    async def speak(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while flood:
                writer.write(flood)
                await writer.drain()
            await over.wait()
        writer.transport.abort()

    over = asyncio.Event()
    server = await listen(speak, "127.0.0.1", 0)
    began = time.monotonic()
    reply = await call(Place("127.0.0.1", server.sockets[0].getsockname()[1]), HELLO, limit_s=0.5)
    assert time.monotonic() - began < 2
    assert reply.outcome is (Outcome.OTHER if flood else Outcome.EMPTY)
    over.set()
    server.close()
    await asyncio.sleep(0.05)


# What is made of it

DOOR = Door(LB, 443, "gateway.address", 443, True, NAMES)
OTHER_DOOR = replace(DOOR, port=8443, listens=8443)


def reply_of(server: str, peer: str = "") -> Reply:
    return Reply(Outcome.ANSWERED, f"token of {server}", peer)


def seen(*calls: tuple[str, str | Outcome], door: Door = DOOR, peer: str = "") -> list[Call]:
    """Connections by their source and who answered, or what became of them."""
    return [
        Call(source, door, Reply(what)) if isinstance(what, Outcome) else Call(source, door, reply_of(what, peer), what)
        for source, what in calls
    ]


def each_reaches_all() -> list[tuple[str, str | Outcome]]:
    return [(source, server) for source in (THIS_MACHINE, *NAMES) for server in NAMES]


def without(source: str, server: str, instead: Outcome) -> list[tuple[str, str | Outcome]]:
    return [(s, instead if (s, to) == (source, server) else to) for s, to in each_reaches_all()]


def told(
    calls: Sequence[Call], *, doors: tuple[Door, ...] = (DOOR,), cut: Mapping[Door, float] | None = None
) -> list[Finding]:
    listeners = {name: Listener(ListenerState.LISTENING) for name in NAMES}
    answer = BalancerAnswer(listeners, list(calls), dict(cut or {DOOR: inf}))
    return list(judge(BalancerQuestion(doors, NAMES), answer, view_of(behind())))


def codes(findings: Sequence[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.severity.value) for finding in findings]


def everybody(outcome: Outcome) -> list[tuple[str, str | Outcome]]:
    return [(source, outcome) for source in (THIS_MACHINE, *NAMES)]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        pytest.param(each_reaches_all(), [], id="right"),
        pytest.param(everybody(Outcome.REFUSED), [("RBD-LB-110", "error")], id="refused"),
        pytest.param(everybody(Outcome.FILTERED), [("RBD-LB-111", "error")], id="filtered"),
        pytest.param(everybody(Outcome.ROUTE), [("RBD-LB-111", "error")], id="no route"),
        pytest.param(everybody(Outcome.EMPTY), [("RBD-LB-112", "warning")], id="no server"),
        pytest.param(everybody(Outcome.TLS), [("RBD-LB-113", "error")], id="TLS ended"),
        pytest.param(everybody(Outcome.CHANGED), [("RBD-LB-114", "error")], id="changed"),
        pytest.param(everybody(Outcome.OTHER), [("RBD-LB-115", "error")], id="somebody else"),
        pytest.param(
            [call for call in each_reaches_all() if call[0] != "node2"] + [("node2", Outcome.FILTERED)],
            [("RBD-LB-116", "error")],
            id="a node does not get there",
        ),
        pytest.param(
            [call for call in each_reaches_all() if call[0]] + [(THIS_MACHINE, Outcome.REFUSED)],
            [("RBD-LB-116", "warning")],
            id="only this machine does not",
        ),
        pytest.param(
            [call for call in each_reaches_all() if call[1] != "node3"], [("RBD-LB-117", "warning")], id="one missing"
        ),
        pytest.param(
            [("node1", "node1"), ("node1", "node1"), ("node2", "node2"), ("node2", "node2"), ("node3", "node1")],
            [("RBD-LB-118", "info")],
            id="always the same server for each",
        ),
        pytest.param(without("node2", "node2", Outcome.EMPTY) * 2, [("RBD-LB-119", "warning")], id="hairpin"),
        pytest.param(without("node2", "node2", Outcome.EMPTY), [], id="one connection lost"),
        pytest.param(
            without("node2", "node2", Outcome.EMPTY) * 2 + [(THIS_MACHINE, Outcome.EMPTY)], [], id="lost for everybody"
        ),
        pytest.param(without("node2", "node3", Outcome.EMPTY), [], id="one connection lost, but not to itself"),
    ],
)
def test_what_is_seen_becomes_one_finding(
    calls: list[tuple[str, str | Outcome]], expected: list[tuple[str, str]]
) -> None:
    assert codes(told(seen(*calls))) == expected


def test_the_same_on_several_ports_is_told_once() -> None:
    both = [*seen(*everybody(Outcome.REFUSED)), *seen(*everybody(Outcome.REFUSED), door=OTHER_DOOR)]
    (finding,) = told(both, doors=(DOOR, OTHER_DOOR))
    assert finding.params["ports"] == "443, 8443"
    assert finding.place.field == "gateway.address"


def test_whether_the_source_address_is_kept() -> None:
    assert codes(told(seen(("node1", "node2"), ("node1", "node3"), ("node1", "node1"), peer="10.0.0.11"))) == []
    (hidden,) = told(seen(("node1", "node2"), ("node1", "node3"), ("node1", "node1"), peer=LB))
    assert (hidden.code, hidden.severity.value, hidden.params["peer"]) == ("RBD-LB-120", "info", LB)


@pytest.mark.parametrize(("cut_s", "expected"), [(inf, []), (5.02, ["RBD-LB-121"])])
def test_a_short_idle_time_out(cut_s: float, expected: list[str]) -> None:
    assert [finding.code for finding in told(seen(*each_reaches_all()), cut={DOOR: cut_s})] == expected


def test_servers_that_cannot_listen_are_named_and_not_missed() -> None:
    answer = BalancerAnswer(
        {
            "node1": Listener(ListenerState.LISTENING),
            "node2": Listener(ListenerState.ABSENT),
            "node3": Listener(ListenerState.FAILED, "no room"),
        },
        seen(("node1", "node1"), ("node2", "node1")),
    )
    found = list(judge(BalancerQuestion((DOOR,), NAMES), answer, view_of(behind())))
    assert [(finding.code, finding.params["hosts"]) for finding in found] == [
        ("RBD-LB-122", "node2"),
        ("RBD-LB-123", "node3"),
    ]


def test_no_answer_within_the_limit_is_a_finding() -> None:
    assert codes(list(judge(BalancerQuestion((DOOR,), NAMES), None, view_of(behind())))) == [("RBD-LB-124", "warning")]


# A real balancer before real listeners


class Fleet:
    """Three hosts on loopback addresses, and doors to them by what is wrong with each."""

    def __init__(self) -> None:
        self.hosts = {name: ListeningHost(name, f"127.0.0.{11 + index}") for index, name in enumerate(NAMES)}
        self.doors: dict[str, Door] = {}
        self._frontends: list[Frontend] = []

    def door(self, what: str, *, tls: bool = True, count: int = 3, absent: bool = False, **fault: int) -> None:
        port, listens = free_port(), free_port()
        self.doors[what] = Door("127.0.0.1", port, "gateway.address", listens, tls, NAMES)
        servers = tuple(f"{host.address}:{listens}" for host in self.hosts.values())[:count]
        if not absent:
            self._frontends.append(Frontend(port, servers, **fault))  # type: ignore[arg-type]

    @contextmanager
    def balanced(self, directory: Path) -> Iterator[BalancerQuestion]:
        with haproxy(directory, self._frontends):
            yield BalancerQuestion(tuple(self.doors.values()), NAMES)

    def findings(self, question: BalancerQuestion, answer: BalancerAnswer) -> dict[str, list[str]]:
        """Codes by what was wrong with the port."""
        found: dict[str, list[str]] = {}
        for finding in judge(question, answer, view_of(behind())):
            for what, door in self.doors.items():
                if str(door.port) in str(finding.params["ports"]).split(", "):
                    found.setdefault(what, []).append(finding.code)
        return found


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@real
async def test_a_good_balancer_is_proven_in_time(fleet: Fleet, tmp_path: Path) -> None:
    fleet.door("good")
    fleet.door("http", tls=False, http=True)
    with fleet.balanced(tmp_path) as question:
        began = time.monotonic()
        answer = await CHECK.ask(question, fleet.hosts, no_secret)
        assert time.monotonic() - began < 15
    assert fleet.findings(question, answer) == {}
    for door in question.doors:
        assert {each.server for each in answer.at(door)} == set(NAMES)
        assert {each.source for each in answer.at(door)} == {THIS_MACHINE, *NAMES}
        assert answer.cut_after_s[door] == inf
    assert all(host.process is not None and host.process.returncode is not None for host in fleet.hosts.values())


@real
async def test_every_fault_of_a_balancer_is_seen(fleet: Fleet, tmp_path: Path) -> None:
    faults: dict[str, tuple[dict[str, int], str]] = {
        "one server is missing": ({"count": 2}, "RBD-LB-117"),
        "an idle time-out of 5 s": ({"idle_s": 5}, "RBD-LB-121"),
        "it ends TLS": ({"ends_tls": True}, "RBD-LB-113"),
        "the PROXY protocol": ({"proxy_protocol": True}, "RBD-LB-114"),
        "an HTTP proxy where TLS must pass": ({"http": True}, "RBD-LB-115"),
        "no servers": ({"count": 0}, "RBD-LB-112"),
        "the port is not there": ({"absent": True}, "RBD-LB-110"),
    }
    for what, (fault, _) in faults.items():
        fleet.door(what, **fault)  # type: ignore[arg-type]
    fleet.door("nothing")
    with fleet.balanced(tmp_path) as question:
        answer = await CHECK.ask(question, fleet.hosts, no_secret)
    assert fleet.findings(question, answer) == {what: [code] for what, (_, code) in faults.items()}
    idle_s = answer.cut_after_s[fleet.doors["an idle time-out of 5 s"]]
    assert 4.5 < idle_s < 6.5


@real
async def test_a_server_without_the_program_and_one_that_does_not_forward(fleet: Fleet, tmp_path: Path) -> None:
    fleet.hosts["node2"] = ListeningHost("node2", "127.0.0.12", word="absent")
    fleet.hosts["node3"] = ListeningHost("node3", "127.0.0.13", forwards=False)
    fleet.door("good")
    with fleet.balanced(tmp_path) as question:
        answer = await CHECK.ask(question, fleet.hosts, no_secret)
    (finding,) = judge(question, answer, view_of(behind()))
    assert (finding.code, finding.params["hosts"]) == ("RBD-LB-122", "node2")
    assert {each.source for each in answer.calls} == {THIS_MACHINE, "node1", "node2"}


@real
async def test_it_may_be_given_up_and_is_limited(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.door("idle", idle_s=5)
    with fleet.balanced(tmp_path) as question:
        task = asyncio.create_task(CHECK.ask(question, fleet.hosts, no_secret))
        await asyncio.sleep(2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert all(host.ran[-1] == "balancer-stop" for host in fleet.hosts.values())
        monkeypatch.setattr(type(CHECK), "limit_s", 1.0)
        monkeypatch.setattr(type(CHECK), "question", lambda self, view: question)
        late = await ask_fleet(CHECK, view_of(behind()), fleet.hosts, no_secret)
    assert [finding.code for finding in late] == ["RBD-LB-124"]
    assert all(host.process is not None and host.process.returncode is not None for host in fleet.hosts.values())
