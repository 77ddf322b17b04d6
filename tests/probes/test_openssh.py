"""The probes' ways and the health script over a real OpenSSH server on loopback."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from rbdtui.probes.etcd import METRICS_PORT, EtcdMember, ask_member
from rbdtui.probes.host_sample import take_sample
from rbdtui.probes.routes import Limits, ProbeRoutes, Readiness, Target
from rbdtui.probes.wire import HttpAnswer, Place, ProbeFailure, http_get
from rbdtui.transport.base import Host
from rbdtui.transport.pool import HostPool
from tests.probes import targets
from tests.probes.targets import serve
from tests.probes.test_etcd import METRICS
from tests.transport.openssh import RealSshd, sshd_directory, why_not

LIMITS = Limits(connect_s=5.0, answer_s=10.0, script_s=20.0)


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    """Root on an OpenSSH server of this machine."""
    if reason := why_not():
        pytest.skip(f"NOT TESTED AGAINST OPENSSH: {reason}")
    with sshd_directory() as directory:
        sshd = RealSshd(directory)
        await sshd.start()
        try:
            async with HostPool({"n1": sshd.endpoint()}, sshd.known_hosts(), str) as hosts:
                yield hosts["n1"]
        finally:
            sshd.stop()


async def get(place: Place) -> HttpAnswer:
    return await http_get(place, "/", host="x", connect_s=5, answer_s=10)


async def test_sample_of_this_machine(host: Host) -> None:
    sample = await take_sample(host, "/", "/no/such/path", timeout_s=20)
    assert sample.clock is not None
    assert abs(sample.clock.offset_s) <= sample.clock.uncertainty_s + 0.01
    assert sample.clock.uncertainty_s < 10
    assert [disk.path for disk in sample.disks] == ["/"]
    assert "127.0.0.1" in sample.addresses
    assert sample.latency_ms > 0
    assert abs(float(sample.raw.split()[1]) - time.time()) < 30


async def test_open_closed_and_silent_ports_seen_from_the_host(host: Host) -> None:
    ways = ProbeRoutes({"n1": host}, Readiness(), LIMITS, straight=False)
    closed = await targets.closed_port()
    async with serve(targets.http(404)) as open_port, serve(targets.accept_and_close) as stream:
        answered = await ways.ask(Target("127.0.0.1", open_port), get)
        refused = await ways.ask(Target("127.0.0.1", closed), get)
        dropped = await ways.ask(Target("127.0.0.1", stream), get)
    assert answered.value is not None
    assert (answered.value.status, answered.via) == (404, "n1")
    assert (refused.trouble, refused.told) == (ProbeFailure.REFUSED, True)
    assert (dropped.trouble, dropped.met) == (ProbeFailure.CLOSED, True)


async def test_etcd_member_through_the_hosts_own_loopback(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"/health": (200, b'{"health":"true"}'), "/metrics": (200, METRICS.encode() + b"# filler\n" * 20000)}
    async with serve(targets.http(answers)) as port:
        monkeypatch.setattr("rbdtui.probes.etcd.METRICS_PORT", port)
        assert port != METRICS_PORT
        member = await ask_member(ProbeRoutes({"n1": host}, Readiness(), LIMITS, straight=False), host, LIMITS)
    assert isinstance(member, EtcdMember)
    assert (member.size_bytes, member.is_leader) == (25165824, True)
