"""Straight from here first, from a node where that does not get through, and never a login storm."""

from __future__ import annotations

import pytest

from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Target, by_way, failure_text
from rbdtui.probes.wire import HttpAnswer, Place, ProbeFailure, WireError, http_get
from rbdtui.transport.base import ConnectTimeoutError, Reach
from rbdtui.words import T
from tests.probes import targets
from tests.probes.standin import Network, StandIn
from tests.probes.targets import serve

LIMITS = Limits(connect_s=0.5, answer_s=0.5, script_s=0.5)


async def get(place: Place) -> HttpAnswer:
    return await http_get(place, "/", host="x", connect_s=0.5, answer_s=0.5)


def ways(*hosts: StandIn, straight: bool = True, readiness: Readiness | None = None) -> ProbeRoutes:
    return ProbeRoutes({host.name: host for host in hosts}, readiness or Readiness(), LIMITS, straight=straight)


async def test_straight_answer_needs_no_node() -> None:
    host = StandIn("node1")
    async with serve(targets.http(200)) as port:
        reply = await ways(host).ask(Target("127.0.0.1", port), get)
    assert reply.value is not None
    assert (reply.via, reply.straight) == ("", None)
    assert not host.calls


async def test_an_answer_that_is_bad_is_an_answer_and_needs_no_node() -> None:
    host = StandIn("node1")
    async with serve(targets.accept_and_close) as port:
        reply = await ways(host).ask(Target("127.0.0.1", port), get)
    assert (reply.trouble, reply.met, reply.told) == (ProbeFailure.CLOSED, True, True)
    assert not host.calls


async def test_where_this_machine_is_rejected_a_node_is_asked() -> None:
    closed = await targets.closed_port()
    async with serve(targets.http(200)) as port:
        host = StandIn("node1", network={("127.0.0.1", closed): port})
        reply = await ways(host).ask(Target("127.0.0.1", closed), get)
    assert reply.value is not None
    assert (reply.via, reply.straight) == ("node1", ProbeFailure.REFUSED)


async def test_closed_for_everybody() -> None:
    closed = await targets.closed_port()
    reply = await ways(StandIn("node1")).ask(Target("127.0.0.1", closed), get)
    assert (reply.trouble, reply.via, reply.told) == (ProbeFailure.REFUSED, "", True)


@pytest.mark.parametrize(
    ("reach", "trouble", "via", "told"),
    [
        (Reach.REFUSED, ProbeFailure.REFUSED, "node1", True),
        (Reach.TIMED_OUT, ProbeFailure.TIMED_OUT, "node1", True),
        (Reach.UNREACHABLE, ProbeFailure.UNREACHABLE, "node1", True),
        (Reach.FORBIDDEN, ProbeFailure.TIMED_OUT, "", False),
    ],
)
async def test_no_answer_from_here_and_what_a_node_says(
    reach: Reach, trouble: ProbeFailure, via: str, told: bool
) -> None:
    with targets.full_listener() as port:
        reply = await ways(StandIn("node1", {("127.0.0.1", port): reach})).ask(Target("127.0.0.1", port), get)
    assert (reply.trouble, reply.via, reply.told) == (trouble, via, told)


async def test_blocked_direct_way_is_left_alone_for_a_while() -> None:
    with targets.full_listener() as blocked:
        async with serve(targets.http(200)) as port:
            host = StandIn("node1", network={("127.0.0.1", blocked): port})
            there = ways(host)
            first = await there.ask(Target("127.0.0.1", blocked), get)
            second = await there.ask(Target("127.0.0.1", blocked), get)
    assert (first.via, first.straight) == ("node1", ProbeFailure.TIMED_OUT)
    assert (second.via, second.straight) == ("node1", None)


async def test_other_nodes_are_asked_before_the_targets_own() -> None:
    async with serve(targets.http(200)) as port:
        network: Network = {("198.51.100.11", 80): port}
        hosts = [StandIn("node1", network), StandIn("node2", network), StandIn("node3", network)]
        reply = await ways(*hosts, straight=False).ask(Target("198.51.100.11", 80, "node1"), get)
    assert reply.via == "node2"
    assert not hosts[0].calls


async def test_own_node_is_asked_when_the_others_cannot() -> None:
    async with serve(targets.http(200)) as port:
        own = StandIn("node1", {("198.51.100.11", 80): port})
        other = StandIn("node2", broken=ConnectTimeoutError("node2"))
        reply = await ways(own, other, straight=False).ask(Target("198.51.100.11", 80, "node1"), get)
    assert reply.via == "node1"


async def test_a_node_that_did_not_answer_is_not_bothered_again_until_it_does() -> None:
    host = StandIn("node1", broken=ConnectTimeoutError("node1"))
    readiness = Readiness()
    there = ways(host, straight=False, readiness=readiness)
    for _ in range(5):
        reply = await there.ask(Target("198.51.100.11", 80), get)
        assert (reply.value, reply.trouble, reply.told) == (None, None, False)
    assert host.calls["reach 198.51.100.11:80"] == 1
    readiness.note("node1", good=True)
    await there.ask(Target("198.51.100.11", 80), get)
    assert host.calls["reach 198.51.100.11:80"] == 2


async def test_hanging_node_is_given_up_within_the_limits() -> None:
    there = ways(StandIn("node1", hangs=True), straight=False)
    reply = await there.ask(Target("198.51.100.11", 80), get)
    assert not reply.told
    assert str(failure_text(reply)).startswith("Unreachable")


def test_sentences_name_the_way() -> None:
    assert str(by_way(T("probe.api.ok"), "node2")) == "Ready. (checked from node2)"
    assert str(by_way(T("probe.api.ok"), "")) == "Ready."


async def test_a_way_stays_open_straight_or_through_a_node() -> None:
    closed = await targets.closed_port()
    async with serve(targets.http(200)) as port:
        host = StandIn("node1", network={("127.0.0.1", closed): port})
        async with ways(host).open(Target("127.0.0.1", port)) as (place, via):
            assert [(await get(place)).status for _ in range(2)] == [200, 200]
        assert (via, host.calls) == ("", {})
        async with ways(StandIn("node2", broken=ConnectTimeoutError("node2")), host).open(
            Target("127.0.0.1", closed)
        ) as (place, via):
            assert via == "node1"
            assert [(await get(place)).status for _ in range(2)] == [200, 200]


async def test_no_way_to_open_is_said_with_what_each_node_said() -> None:
    closed = await targets.closed_port()
    with pytest.raises(WireError) as caught:
        async with ways(StandIn("node1"), StandIn("node2", {("127.0.0.1", closed): Reach.TIMED_OUT})).open(
            Target("127.0.0.1", closed)
        ):
            pass
    assert "node1: refused" in caught.value.evidence
    assert "node2: timed-out" in caught.value.evidence


async def test_what_fails_within_an_open_way_is_not_taken_for_the_way() -> None:
    async with serve(targets.http(200)) as port:
        with pytest.raises(ConnectTimeoutError):
            async with ways().open(Target("127.0.0.1", port)):
                raise ConnectTimeoutError("node9")
