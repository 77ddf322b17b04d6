"""Services outside, good and with each fault, asked from real hosts over their network: the same is told as here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from rbdtui.checks.services import Asking, etcd, mysql, nfs, nfs_locks, registry
from rbdtui.checks.services.asking import no_secret
from rbdtui.checks.services.nfs_answer import NfsQuestion
from rbdtui.findings import Finding
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.words import say
from tests.checks import test_etcd, test_mysql, test_nfs, test_registry
from tests.checks.support import spec_of
from tests.lab import Lab
from tests.lab.layout import squatter_name
from tests.lab.servers.authority import Authority
from tests.lab.servers.certificates import CertificateAuthority
from tests.lab.servers.databases import Database, database, unavailable
from tests.lab.servers.etcd import etcd_cluster, why_no_etcd
from tests.lab.servers.nfs import Share, nfs_server, why_no_nfs
from tests.lab.servers.registry import registry as registry_server
from tests.lab.servers.registry import unavailable as why_no_registry

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(600)]

AnswerT = TypeVar("AnswerT")
NO_CLIENT = "RBD-NFS-130"
"""True of the lab's hosts: they have no client programs of NFS."""
NODES = {"node1": "n1", "node2": "n2"}
"""Names in the plan, and the lab's hosts."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("serves", hosts=len(NODES), bundle=False) as lab:
        yield lab


@pytest.fixture
async def hosts(lab: Lab, tmp_path: Path) -> AsyncIterator[HostPool]:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("\n".join(line for name in lab.hosts for line in lab.host_keys(name)) + "\n")
    written = spec_of(len(NODES)).model_dump(mode="json", exclude_unset=True)
    for node, host in zip(written["nodes"], lab.hosts.values(), strict=True):
        node.update(name=host.name, address=str(host.address))
    written["ssh"] = {"user": "root", "key": str(lab.key), "agent": False}
    spec = type(spec_of()).model_validate(written)
    async with HostPool(endpoints_of(spec), KnownHosts(known_hosts), dict[str, str]().__getitem__) as pool:
        yield pool


async def from_nodes(
    hosts: HostPool, ask: Callable[[Asking], Awaitable[AnswerT]], secrets: Mapping[str, str | None]
) -> dict[str, AnswerT]:
    """What each node answers, all asked at once."""
    answers = await asyncio.gather(*(ask(Asking(secrets.get, hosts[host])) for host in NODES.values()))
    return dict(zip(NODES, answers, strict=True))


def names_both(finding: Finding) -> bool:
    """Unless it is about a file of this machine."""
    return (
        "node1, node2" in say(finding.message, "en") or "hosts" not in finding.params or finding.code == "RBD-REG-127"
    )


@pytest.fixture(scope="module")
def databases(lab: Lab) -> Iterator[dict[str, Database]]:
    with ExitStack() as stack:
        started = {}
        for series in ("8.0", "5.7", "mariadb"):
            if reason := unavailable(series):
                pytest.skip(f"NOT TESTED AGAINST A REAL SERVER: {reason}")
            started[series] = stack.enter_context(database(series, address=str(lab.jump_address)))
        yield started


@pytest.mark.parametrize("fault", test_mysql.FAULTS, ids=lambda fault: fault.name)
async def test_mysql_from_the_nodes(databases: dict[str, Database], hosts: HostPool, fault: test_mysql.Fault) -> None:
    server = databases[fault.series]
    test_mysql.fresh(server, fault.series)
    server.root(*fault.spoil)
    asked = test_mysql.question(server, **fault.question)
    try:
        answers = await from_nodes(hosts, lambda asking: mysql.CHECK.ask(asked, asking), {"mysql": fault.password})
    finally:
        server.root(*fault.mend)
    found = test_mysql.judged(answers, test_mysql.rainbond(fault.profile), asked)
    assert {finding.code for finding in found} == fault.codes.keys()
    assert all(map(names_both, found)), found
    assert fault.evidence in " ".join(finding.evidence for finding in found)
    assert test_mysql.nothing_is_left(server)


@pytest.fixture(scope="module")
def authority() -> Authority:
    if reason := why_no_registry():
        pytest.skip(f"NOT TESTED AGAINST A REAL REGISTRY: {reason}")
    return Authority()


@pytest.mark.parametrize("spoilt", test_registry.SPOILT, ids=lambda spoilt: spoilt.name)
async def test_a_registry_from_the_nodes(
    spoilt: test_registry.Spoilt, authority: Authority, lab: Lab, hosts: HostPool, tmp_path: Path
) -> None:
    ca, address = tmp_path / "ca.pem", str(lab.jump_address)
    ca.write_bytes(authority.pem)
    with registry_server(address=address, authority=authority if spoilt.tls else None, **spoilt.server) as server:
        asked = test_registry.asked_of(server, ca, **spoilt.asked)
        answers = await from_nodes(
            hosts, lambda asking: registry.CHECK.ask(asked, asking), {"registry": spoilt.password}
        )
        if not spoilt.tls and not spoilt.server:
            assert test_registry.tags(server) in (None, [])
    found = test_registry.judged(answers, asked)
    assert {finding.code for finding in found} == spoilt.codes.keys()
    assert all(map(names_both, found)), found
    assert spoilt.evidence.replace("127.0.0.1", address) in " ".join(finding.evidence for finding in found)


@pytest.mark.parametrize(("shares", "options", "question", "expected"), test_nfs.CASES)
async def test_nfs_from_the_nodes(
    shares: list[Share],
    options: dict[str, Any],
    question: NfsQuestion,
    expected: list[str],
    machine: tuple[str, tuple[str, ...]],
    hosts: HostPool,
    tmp_path: Path,
) -> None:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    address, within = machine
    with nfs_server(tmp_path, shares, within=within, **options):
        asked = replace(question, server=address)
        answers = await from_nodes(hosts, lambda asking: nfs.CHECK.ask(asked, asking), {})
    found = test_nfs.judged(asked, answers)
    assert [finding.code for finding in found if finding.code != NO_CLIENT] == expected, answers
    assert all(map(names_both, found)), found


async def test_a_lock_of_one_node_is_refused_to_the_other(
    machine: tuple[str, tuple[str, ...]], hosts: HostPool, tmp_path: Path
) -> None:
    if reason := why_no_nfs():
        pytest.skip(f"NOT TESTED AGAINST A REAL NFS SERVER: {reason}")
    address, within = machine
    with nfs_server(tmp_path, [Share("/srv/nfs")], within=within):
        asked = nfs_locks.LocksQuestion(NfsQuestion(address, "/srv/nfs"), tuple(NODES.values()))
        answer = await nfs_locks.CHECK.ask(asked, hosts, no_secret)
    assert [(conflict.way, conflict.others) for conflict in answer] == [
        (nfs_locks.Way.LOCK_MANAGER, {"n2": nfs_locks.Got.REFUSED})
    ], answer


@pytest.fixture(scope="module")
def machine(lab: Lab) -> Iterator[tuple[str, tuple[str, ...]]]:
    """One more on the hosts' wire: its address, and what starts a program in its network."""
    address = lab.vips[-1]
    lab.squat(address)
    try:
        yield str(address), ("ip", "netns", "exec", squatter_name(lab.name, address))
    finally:
        lab.unsquat(address)


ETCD = [
    pytest.param({}, {}, [], id="all well"),
    pytest.param({"members": 2}, {}, ["RBD-ETCD-116"], id="an even number"),
    pytest.param({"members": 3, "ends": 2}, {}, ["RBD-ETCD-102"], id="one member down"),
    pytest.param({"expired": True}, {}, ["RBD-ETCD-107"], id="expired"),
    pytest.param({}, {"stranger": True}, ["RBD-ETCD-108"], id="a client of another authority"),
]


@pytest.mark.skipif(bool(why_no_etcd()), reason=f"NOT TESTED AGAINST A REAL ETCD: {why_no_etcd()}")
@pytest.mark.parametrize(("server", "client", "expected"), ETCD)
async def test_etcd_from_the_nodes(
    server: dict[str, Any],
    client: dict[str, Any],
    expected: list[str],
    lab: Lab,
    hosts: HostPool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rbdtui.checks.services.etcd_findings._SLOW_MS", 60_000.0)
    ours, others, address = test_etcd.LAB, CertificateAuthority("others"), str(lab.jump_address)
    pair = ours.issue(address, days=(-10, -1)) if server.get("expired") else None
    members = server.get("members", 1)
    with etcd_cluster(tmp_path / "etcd", ours, members=members, address=address, server=pair) as cluster:
        if "ends" in server:
            cluster.end(server["ends"])
        pem, own = (ours.pem + others.pem, others.issue()) if client else (ours.pem, None)
        asked = test_etcd.question(tmp_path, *cluster.endpoints, client=own, ca=pem)
        until = asyncio.get_running_loop().time() + 30
        while True:
            answers = await from_nodes(hosts, lambda asking: etcd.CHECK.ask(asked, asking), {})
            found = test_etcd.judged(asked, answers)
            # The member that ended may have led: the two that are left have no leader until they choose one.
            if [finding.code for finding in found] == expected or asyncio.get_running_loop().time() > until:
                break
            await asyncio.sleep(0.3)
    assert [finding.code for finding in found] == expected
    assert all(map(names_both, found)), found


async def test_what_one_node_alone_does_not_reach_is_told_of_that_node(
    databases: dict[str, Database], lab: Lab, hosts: HostPool
) -> None:
    """The usual fault: a port that this machine and another node reach."""
    server = databases["8.0"]
    test_mysql.fresh(server)
    asked = test_mysql.question(server)
    rule = f"OUTPUT -p tcp -d {server.address} --dport {server.port} -j DROP"
    lab.ssh("n2", f"iptables -A {rule}")
    try:
        answers = await from_nodes(hosts, lambda asking: mysql.CHECK.ask(asked, asking), {"mysql": test_mysql.PASSWORD})
    finally:
        lab.ssh("n2", f"iptables -D {rule}")
    here = await mysql.CHECK.ask(asked, Asking({"mysql": test_mysql.PASSWORD}.get))
    (finding,) = test_mysql.judged({**answers, "": here}, test_mysql.rainbond(), asked)
    assert (finding.code, str(finding.severity)) == ("RBD-MYSQL-104", "error")
    assert "node2" in say(finding.message, "en")
    assert "node1" not in say(finding.message, "en")
