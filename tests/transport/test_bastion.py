"""Hosts behind one or more bastions."""

from __future__ import annotations

import asyncio

import pytest

from rbdtui.transport.base import (
    BastionError,
    ConnectRefusedError,
    HostKeyUnknownError,
    LoginRefusedError,
    TransportError,
)
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.transport.scripts import Script
from tests.transport.conftest import QUICK, Connect, StartSshd
from tests.transport.openssh import RealSshd, make_key
from tests.transport.wire import Wire, known_by
from tests.waiting import until

OK = Script("work", "echo $SSH_CONNECTION\n")


def pinned(*servers: RealSshd) -> KnownHosts:
    return servers[0].known_hosts(*servers[1:])


async def test_many_hosts_share_one_login_at_each_bastion_of_a_chain(start_sshd: StartSshd) -> None:
    outer, middle, inner = [await start_sshd() for _ in range(3)]
    first = outer.endpoint("outer")
    second = middle.endpoint("middle", bastions=(first,))
    endpoints = {f"n{i}": inner.endpoint(f"n{i}", bastions=(first, second)) for i in range(8)}
    async with HostPool(endpoints, pinned(outer, middle, inner), str, QUICK) as pool:
        results = await asyncio.gather(*(host.run(OK) for host in pool.values()))
        assert all(result.ok for result in results)
        reach = await pool["n1"].reach("127.0.0.1", outer.port)
        assert reach.reach.value == "open"
    assert [server.log.count("Accepted publickey") for server in (outer, middle, inner)] == [1, 1, 8]


async def test_a_bastion_that_does_not_forward_is_blamed(start_sshd: StartSshd, connect: Connect) -> None:
    gate, inner = await start_sshd(config="AllowTcpForwarding no"), await start_sshd()
    host = connect(inner.endpoint(bastions=(gate.endpoint("gate"),)), pinned(gate, inner))
    with pytest.raises(BastionError) as caught:
        await host.run(OK)
    assert str(caught.value) == ("n1: not reached through the bastion gate: its sshd does not forward connections.")
    assert not caught.value.retryable


async def test_a_bastion_that_refuses_us_is_blamed_with_its_own_reason(start_sshd: StartSshd, connect: Connect) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    stranger = make_key(gate.directory / "stranger")
    host = connect(inner.endpoint(bastions=(gate.endpoint("gate", key=stranger),)), pinned(gate, inner))
    with pytest.raises(BastionError) as caught:
        await host.run(OK)
    where: dict[str, str | int] = {"address": "127.0.0.1", "port": gate.port}
    offered = "publickey, keyboard-interactive"
    why = LoginRefusedError("gate", **where, user="root", tried="publickey", offered=offered)
    assert caught.value.params["reason"] == why.text
    assert caught.value.node == "n1"
    assert not caught.value.retryable


async def test_a_bastion_that_is_down_is_tried_once_for_all_behind_it(start_sshd: StartSshd) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    known = pinned(gate, inner)
    gate.stop()
    endpoints = {f"n{i}": inner.endpoint(f"n{i}", bastions=(gate.endpoint("gate"),)) for i in range(20)}
    async with HostPool(endpoints, known, str, QUICK) as pool:
        failures = await asyncio.gather(*(host.run(OK) for host in pool.values()), return_exceptions=True)
    assert all(isinstance(failure, BastionError) and failure.retryable for failure in failures)
    assert {failure.node for failure in failures if isinstance(failure, TransportError)} == set(endpoints)


async def test_a_host_that_the_bastion_cannot_reach_is_blamed_itself(start_sshd: StartSshd, connect: Connect) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    known = pinned(gate, inner)
    inner.stop()
    host = connect(inner.endpoint(bastions=(gate.endpoint("gate"),)), known)
    with pytest.raises(ConnectRefusedError):
        await host.run(OK)


async def test_a_bastion_that_is_not_trusted_yet_is_named_by_its_address(
    start_sshd: StartSshd, connect: Connect
) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    host = connect(inner.endpoint(bastions=(gate.endpoint("gate"),)), pinned(inner))
    with pytest.raises(HostKeyUnknownError) as caught:
        await host.run(OK)
    assert (caught.value.node, caught.value.params["port"]) == ("n1", gate.port)
    assert "Accepted" not in inner.log


async def test_a_lost_bastion_is_logged_in_to_again(start_sshd: StartSshd, connect: Connect) -> None:
    gate, inner = await start_sshd(), await start_sshd()
    async with Wire(gate.port) as wire:
        known_by(wire, gate)
        known = pinned(inner)
        file = inner.directory / "known_hosts"
        file.write_text(file.read_text() + (gate.directory / "known_hosts_wire").read_text())
        ran = inner.directory / "ran"
        host = connect(inner.endpoint(bastions=(gate.endpoint("gate", port=wire.port),)), known)
        running = asyncio.create_task(host.run(Script("work", 'echo x >> "$1"; sleep 1; echo ok\n'), str(ran)))
        await until(ran.exists)
        wire.break_connections()
        assert (await running).text == "ok\n"
    assert gate.log.count("Accepted publickey") == 2
