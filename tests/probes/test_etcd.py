"""etcd members asked at a metrics port, or through the script; quorum by table."""

from __future__ import annotations

import json

import pytest

from rbdtui.probes.etcd import (
    METRICS_PORT,
    EtcdMember,
    EtcdSilence,
    ask_member,
    judge_member,
    judge_quorum,
    read_gateway_answers,
)
from rbdtui.probes.model import ProbeState
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness
from rbdtui.transport.base import ConnectRefusedError, Reach
from tests.probes import targets
from tests.probes.standin import StandIn
from tests.probes.targets import serve

LIMITS = Limits(connect_s=1.0, answer_s=1.0, script_s=2.0)
OK, DEGRADED, DOWN, UNKNOWN = ProbeState.OK, ProbeState.DEGRADED, ProbeState.DOWN, ProbeState.UNKNOWN
METRICS = """# HELP etcd_server_has_leader Whether or not a leader exists. 1 is existence, 0 is not.
# TYPE etcd_server_has_leader gauge
etcd_server_has_leader 1
etcd_server_id{server_id="2051e6b509a5999d"} 1
etcd_server_is_leader 1
etcd_server_is_learner 0
etcd_mvcc_db_total_size_in_bytes 2.5165824e+07
go_goroutines 130
"""


def ways(*hosts: StandIn) -> ProbeRoutes:
    return ProbeRoutes({host.name: host for host in hosts}, Readiness(), LIMITS, straight=False)


def script_answer(*, leader: str = "1", learner: bool = False, members: int = 3, errors: tuple[str, ...] = ()) -> str:
    listed = [{"ID": str(n), "name": f"node{n}", "isLearner": learner and n == 1} for n in range(1, members + 1)]
    status = {"header": {"member_id": "1"}, "dbSize": "25165824", "leader": leader, "errors": list(errors)}
    return f"{json.dumps({'members': listed})}\n{json.dumps(status)}\n"


@pytest.mark.parametrize(
    ("status", "body", "metrics", "state", "words"),
    [
        (200, b'{"health":"true","reason":""}', METRICS, OK, "Healthy, leader, 24 MB"),
        (200, b'{"health": "true"}', METRICS.replace("is_leader 1", "is_leader 0"), OK, "Healthy, 24 MB"),
        (200, b'{"health":"true"}', METRICS.replace("is_learner 0", "is_learner 1"), DEGRADED, "learner"),
        (503, b'{"health":"false","reason":"RAFT NO LEADER"}', METRICS, DOWN, "unhealthy"),
        (503, b'{"health":"false"}', METRICS.replace("has_leader 1", "has_leader 0"), DOWN, "no leader"),
        (200, b'{"health":"true"}', "garbage", DOWN, "no leader"),
    ],
    ids=["leader", "follower", "learner", "unhealthy", "leaderless", "garbage"],
)
async def test_member_by_its_metrics_port(
    status: int, body: bytes, metrics: str, state: ProbeState, words: str
) -> None:
    answers = {"/health": (status, body), "/metrics": (200, metrics.encode())}
    async with serve(targets.http(answers)) as port:
        host = StandIn("node1", network={("127.0.0.1", METRICS_PORT): port})
        member = await ask_member(ways(host), host, LIMITS)
    answer = judge_member("node1", member, "GET")
    assert answer.state is state
    assert words in str(answer.detail)
    assert not host.calls["etcd-members"]


async def test_size_is_read_from_the_metrics() -> None:
    answers = {"/health": (200, b'{"health":"true"}'), "/metrics": (200, METRICS.encode())}
    async with serve(targets.http(answers)) as port:
        host = StandIn("node1", network={("127.0.0.1", METRICS_PORT): port})
        member = await ask_member(ways(host), host, LIMITS)
    assert isinstance(member, EtcdMember)
    assert member.size_bytes == 25165824


@pytest.mark.parametrize("healthy", [True, False])
async def test_what_is_known_of_a_member_that_is_well_is_not_asked_again(healthy: bool) -> None:
    answers: dict[str, tuple[int, bytes]] = {
        "/health": (200, b'{"health":"true"}'),
        "/metrics": (200, METRICS.encode()),
    }
    async with serve(targets.http(answers)) as port:
        host = StandIn("node1", network={("127.0.0.1", METRICS_PORT): port})
        known = await ask_member(ways(host), host, LIMITS)
        assert isinstance(known, EtcdMember)
        # Only metrics would tell this.
        answers["/metrics"] = (200, METRICS.replace("is_leader 1", "is_leader 0").encode())
        answers["/health"] = (200, b'{"health":"%s"}' % str(healthy).lower().encode())
        again = await ask_member(ways(host), host, LIMITS, known)
    assert isinstance(again, EtcdMember)
    assert (again.healthy, again.is_leader) == (healthy, healthy)


@pytest.mark.parametrize("reach", [Reach.REFUSED, Reach.FORBIDDEN])
async def test_where_the_port_cannot_be_had_kubectl_on_the_host_is_asked(reach: Reach) -> None:
    host = StandIn("node1", network={("127.0.0.1", METRICS_PORT): reach}, scripts={"etcd-members": script_answer})
    member = await ask_member(ways(host), host, LIMITS)
    assert judge_member("node1", member, "GET").state is OK
    assert isinstance(member, EtcdMember)
    assert (member.members, member.is_leader, member.size_bytes) == (3, True, 25165824)


async def test_member_that_does_not_answer_either_way_is_down() -> None:
    host = StandIn("node1")
    member = await ask_member(ways(host), host, LIMITS)
    assert member == EtcdSilence(True, "not there")
    assert judge_member("node1", member, "GET").state is DOWN


async def test_member_of_a_host_that_cannot_be_asked_is_unknown() -> None:
    host = StandIn("node1", broken=ConnectRefusedError("node1"))
    member = await ask_member(ways(host), host, LIMITS)
    assert judge_member("node1", member, "GET").state is UNKNOWN


async def test_member_that_hangs_is_down_within_the_limit() -> None:
    async with serve(targets.accept_and_hang) as port:
        host = StandIn("node1", network={("127.0.0.1", METRICS_PORT): port})
        member = await ask_member(ways(host), host, LIMITS)
    assert judge_member("node1", member, "GET").state is DOWN


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (script_answer(), OK),
        (script_answer(leader="2"), OK),
        (script_answer(leader="0"), DOWN),
        (script_answer(learner=True), DEGRADED),
        (script_answer(errors=("NOSPACE",)), DOWN),
        ("", DOWN),
        ("{}\n{}\n", DOWN),
        ("[]\n[]\n", DOWN),
        ("not json\n", DOWN),
    ],
)
def test_answers_of_the_script(text: str, state: ProbeState) -> None:
    assert judge_member("node1", read_gateway_answers(text), "script").state is state


def member(*, leader: bool = False, healthy: bool = True) -> EtcdMember:
    return EtcdMember(healthy, True, leader, False, 25165824, "")


LEADER, FOLLOWER, SICK = member(leader=True), member(), member(healthy=False)
SILENT, UNASKED = EtcdSilence(True), EtcdSilence(False)


@pytest.mark.parametrize(
    ("members", "known", "state", "words"),
    [
        ([LEADER, FOLLOWER, FOLLOWER], 3, OK, "3 of 3 members healthy, leader n0, 24 MB"),
        ([LEADER], 1, OK, "1 of 1"),
        ([LEADER, FOLLOWER, FOLLOWER], 0, OK, "3 of 3"),
        ([LEADER, FOLLOWER, SILENT], 3, DEGRADED, "2 of 3"),
        ([LEADER, FOLLOWER, UNASKED], 3, DEGRADED, "2 of 3"),
        ([LEADER, UNASKED, UNASKED], 3, DEGRADED, "1 of 3"),
        ([FOLLOWER, FOLLOWER, FOLLOWER], 3, DEGRADED, "leader ?"),
        ([LEADER, LEADER, FOLLOWER], 3, DEGRADED, "leader n0, n1"),
        ([LEADER, FOLLOWER, FOLLOWER], 4, DEGRADED, "4 members, the plan says 3"),
        ([SILENT, SILENT, SILENT], 3, DOWN, "lost its quorum"),
        ([SICK, SILENT, UNASKED], 3, DOWN, "lost its quorum"),
        ([SILENT, UNASKED, UNASKED], 3, UNKNOWN, "No member could be checked"),
        ([UNASKED, UNASKED, UNASKED], 3, UNKNOWN, "No member could be checked"),
        ([SILENT], 3, DOWN, "lost its quorum"),
    ],
)
def test_quorum(members: list[EtcdMember | EtcdSilence], known: int, state: ProbeState, words: str) -> None:
    answer = judge_quorum({f"n{number}": one for number, one in enumerate(members)}, known, "GET")
    assert answer.state is state
    assert words in str(answer.detail)
