"""Certificates that servers show: Rainbond's on the gateways, and those of registry, MySQL and etcd outside."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import ConnectTimeoutError
from rbdtui.workbench.upkeep.served_certificates import ServedKind, places_of, served_certificates
from tests.checks.real_node import real_node
from tests.lab.servers.databases import database, unavailable
from tests.probes import targets
from tests.probes.conftest import authority
from tests.probes.standin import Network, StandIn, spec_of
from tests.probes.targets import Authority, serve

__all__ = ["authority"]

SECRET = "secret:x"
PAIR = {"mode": "pair", "source": "node3", "replica": "node4", "username": "rbd", "password": SECRET}
CLEAR = {"mode": "external", "domain": "hub.corp", "scheme": "http"}
OUTSIDE: dict[str, Any] = {
    "registry": {"mode": "external", "domain": "hub.corp:5000"},
    "mysql": {"mode": "external", "host": "db.corp", "username": "rbd", "password": SECRET},
}


def hosts_of(spec: ClusterSpec, network: Network, *, broken: tuple[str, ...] = ()) -> dict[str, StandIn]:
    hosts = {node.name: StandIn(node.name, network) for node in spec.nodes}
    for name in broken:
        hosts[name].broken = ConnectTimeoutError(name)
    return hosts


@pytest.mark.parametrize(
    ("spec", "places"),
    [
        (spec_of(), ["region node1", "hub node1", "region node2", "hub node2"]),
        (spec_of(**OUTSIDE), ["region node1", "region node2", "registry hub.corp:5000", "mysql db.corp:3306"]),
        (
            spec_of(registry=CLEAR),
            ["region node1", "region node2"],
        ),
        (
            spec_of(registry={"mode": "external", "domain": "hub.corp"}),
            ["region node1", "region node2", "registry hub.corp:443"],
        ),
        (
            spec_of(
                mysql={"mode": "pair", "source": "node3", "replica": "node4", "username": "rbd", "password": SECRET}
            ),
            ["region node1", "hub node1", "region node2", "hub node2", "mysql node3", "mysql node4"],
        ),
        (
            spec_of(
                "rainbond-5.17",
                etcd={"mode": "external", "endpoints": ["10.1.1.1:2379"], "ca": "/ca", "cert": "/c", "key": "/k"},
            ),
            ["region node1", "hub node1", "region node2", "hub node2", "etcd-outside 10.1.1.1:2379"],
        ),
        (spec_of("kubernetes-only"), []),
    ],
)
def test_where_certificates_are_to_be_seen(spec: ClusterSpec, places: list[str]) -> None:
    assert [f"{place.kind} {place.where}" for place in places_of(spec)] == places


async def test_each_shows_its_own_and_what_shows_none_is_left_out(authority: Authority) -> None:
    spec = spec_of(**OUTSIDE)
    async with (
        serve(targets.accept_and_hang, authority.server("region", mutual=True)) as region,
        serve(targets.accept_and_close) as closes,
        serve(targets.http(401), authority.server("hub.corp")) as hub,
    ):
        network: Network = {("127.0.0.1", 8443): region, ("hub.corp", 5000): hub, ("db.corp", 3306): closes}
        found = await served_certificates(spec, hosts_of(spec, network, broken=("node2",)))
    assert [(each.at.kind, each.at.where) for each in found] == [
        (ServedKind.REGION, "node1"),
        (ServedKind.REGISTRY, "hub.corp:5000"),
    ]
    assert all(0 < each.end - time.time() <= 3600 for each in found), "the test's certificates are good for an hour"


async def test_a_server_outside_is_asked_from_another_node_where_the_first_is_gone(authority: Authority) -> None:
    spec = spec_of(**OUTSIDE)
    async with serve(targets.http(401), authority.server("hub.corp")) as hub:
        network: Network = {("hub.corp", 5000): hub}
        one = await served_certificates(spec, hosts_of(spec, network, broken=("node1",)))
        none = await served_certificates(spec, hosts_of(spec, network, broken=tuple(node.name for node in spec.nodes)))
    assert [each.at.where for each in one] == ["hub.corp:5000"]
    assert none == []


@pytest.mark.parametrize(
    "greeting",
    [b"", b"x", b"SSH-2.0-x\r\n" + b"x" * 80, b"\x05\0\0\0\xff\x10\x04no", b"\xff\xff\xff\0", b"\x04\0\0\0\x0a8.0"],
)
async def test_what_greets_as_no_mysql_does_shows_none(greeting: bytes) -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()

    spec = spec_of(**OUTSIDE)
    async with serve(greet) as port:
        assert await served_certificates(spec, hosts_of(spec, {("db.corp", 3306): port})) == []


@pytest.mark.timeout(600)
@pytest.mark.parametrize("series", ["8.0", "mariadb"])
async def test_a_real_server_shows_its_own_through_a_real_sshd(series: str) -> None:
    """MySQL makes itself a certificate for ten years; MariaDB of this series has no TLS unless it is given some."""
    if reason := unavailable(series):
        pytest.skip(f"NOT TESTED AGAINST {series}: {reason}")
    with database(series) as server:
        spec = spec_of(mysql={**OUTSIDE["mysql"], "host": "127.0.0.1", "port": server.port})
        async with real_node({}) as asking:
            assert asking.host is not None
            found = await served_certificates(spec, {"node1": asking.host})
    years = [round((each.end - time.time()) / (365 * 86400)) for each in found if each.at.kind is ServedKind.MYSQL]
    assert years == ([10] if series == "8.0" else [])
