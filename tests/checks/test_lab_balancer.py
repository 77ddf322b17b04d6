"""A real haproxy before real hosts: what it does right and wrong is found before anything of the plan runs."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from rbdtui.checks.preflight import Part, preflight
from rbdtui.checks.services.balancer import CHECK
from rbdtui.findings import Finding, Severity
from rbdtui.profiles import RAINBOND_6, Reach
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.checks.support import place
from tests.lab import OP_PASSWORD, OP_USER, Lab
from tests.lab.layout import squatter_name
from tests.lab.servers.haproxy import Frontend, haproxy, why_no_haproxy
from tests.lab.shell import run

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(180),
    pytest.mark.skipif(bool(why_no_haproxy()), reason=why_no_haproxy()),
]
PORTS = (*RAINBOND_6.ports(Reach.USERS), 6443, 9345)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("balance", hosts=3, bundle=False) as lab:
        yield lab


class Site:
    """A plan for the lab's hosts behind a balancer, which is a machine of its own."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab, self.directory = lab, directory
        self.address = lab.vips[0]
        self.within = ("ip", "netns", "exec", squatter_name(lab.name, self.address))
        self.known_hosts = directory / "known_hosts"
        self.known_hosts.write_text("\n".join(line for name in lab.hosts for line in lab.host_keys(name)) + "\n")

    def spec(self) -> ClusterSpec:
        roles = ["control-plane", "etcd", "worker", "gateway"]
        return ClusterSpec.model_validate(
            {
                "apiVersion": "rbdtui/v1",
                "name": "site-a",
                "profile": "rainbond-6",
                "bundle": "packages",
                "ssh": {
                    "key": str(self.lab.key), "agent": False, "user": OP_USER, "sudo_password": "secret:sudo",
                },
                "nodes": [
                    {"name": host.name, "address": host.address, "roles": roles} for host in self.lab.hosts.values()
                ],
                "gateway": {"mode": "external", "address": self.address},
                "kubernetes": {"api": {"mode": "external", "address": self.address}},
            }
        )  # fmt: skip

    @asynccontextmanager
    async def hosts(self) -> AsyncIterator[HostPool]:
        async with HostPool(endpoints_of(self.spec()), KnownHosts(self.known_hosts), lambda name: OP_PASSWORD) as pool:
            yield pool

    async def check(self) -> list[Finding]:
        async with self.hosts() as hosts:
            result = await preflight(self.spec(), hosts, None, place, parts=Part.FLEET)
        return result.findings

    def units(self) -> list[str]:
        """What is left of listeners, on any host."""
        command = "systemctl list-units --all --plain --no-legend 'rbdtui-balancer-*'"
        return [line for name in self.lab.hosts for line in self.lab.ssh(name, command).stdout.splitlines()]

    def servers(self, port: int, count: int = 3) -> tuple[str, ...]:
        return tuple(f"{host.address}:{port}" for host in list(self.lab.hosts.values())[:count])

    @contextmanager
    def balancer(self, **faults: Mapping[str, object]) -> Iterator[None]:
        """Its ports with their faults by number, such as ``p443={"ends_tls": True}``; ``absent`` leaves one out."""
        frontends = []
        for port in PORTS:
            fault = dict(faults.get(f"p{port}", {}))
            servers = self.servers(port, int(str(fault.pop("count", 3))))
            if not fault.pop("absent", False):
                frontends.append(Frontend(port, servers, **fault))  # type: ignore[arg-type]
        self.lab.squat(self.address)
        try:
            with haproxy(self.directory, frontends, address="0.0.0.0", within=self.within):
                yield
        finally:
            self.lab.unsquat(self.address)


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(lab, tmp_path)


def told(findings: list[Finding]) -> dict[str, str]:
    """Ports by the codes of the findings."""
    return {finding.code: str(finding.params.get("ports", "")) for finding in findings}


async def test_a_good_balancer_is_proven_on_every_port(site: Site) -> None:
    with site.balancer():
        began = asyncio.get_running_loop().time()
        findings = await site.check()
        took_s = asyncio.get_running_loop().time() - began
    (hidden,) = findings
    assert (hidden.code, hidden.severity, hidden.params["peer"]) == ("RBD-LB-120", Severity.INFO, site.address)
    assert took_s < CHECK.limit_s
    assert site.units() == []


FAULTS: list[tuple[int, dict[str, object], str, str, str]] = [
    # port, fault, code, severity, what its finding shows
    (80, {}, "", "", ""),
    (443, {"ends_tls": True}, "RBD-LB-113", "error", "16 03 03"),
    (6060, {"count": 2}, "RBD-LB-117", "warning", "n3"),
    (7070, {"idle_s": 5}, "RBD-LB-121", "warning", "silent for"),
    (8443, {"proxy_protocol": True}, "RBD-LB-114", "error", "PROXY TCP4"),
    (6443, {"absent": True}, "RBD-LB-110", "error", "refuse"),
    (9345, {"count": 0}, "RBD-LB-112", "warning", "none of the servers"),
]


async def test_every_fault_of_a_balancer_is_named_once(site: Site) -> None:
    with site.balancer(**{f"p{port}": fault for port, fault, *_ in FAULTS}):
        findings = await site.check()
    expected = {code: (str(port), severity) for port, _, code, severity, _ in FAULTS if code}
    seen = {
        each.code: (str(each.params["ports"]), each.severity.value) for each in findings if each.code != "RBD-LB-120"
    }
    assert seen == expected
    assert len(findings) == len({each.code for each in findings})
    for port, _, code, _, shown in FAULTS:
        finding = next((each for each in findings if each.code == code), None)
        if finding is not None:
            assert finding.place.field == ("kubernetes.api.address" if port in (6443, 9345) else "gateway.address")
            assert shown in f"{finding.message} {finding.evidence}"
    assert site.units() == []


async def test_filtered_ports_a_server_without_the_program_and_a_filter_on_one_server(site: Site, lab: Lab) -> None:
    program = "/usr/bin/systemd-socket-activate"
    rule = f"INPUT -s {site.address} -p tcp --dport 6060 -j DROP"
    lab.ssh("n2", f"mv {program} {program}.away")
    lab.ssh("n3", f"iptables -A {rule}")
    try:
        with site.balancer():
            run([*site.within, "iptables", "-A", "INPUT", "-p", "tcp", "--dport", "9345", "-j", "DROP"])
            findings = await site.check()
    finally:
        lab.ssh("n2", f"mv {program}.away {program}")
        lab.ssh("n3", f"iptables -D {rule}")
    seen = told(findings)
    assert seen.pop("RBD-LB-120")
    assert seen == {"RBD-LB-111": "9345", "RBD-LB-117": "6060", "RBD-LB-122": ""}
    assert {each.code: each.params["hosts"] for each in findings if "hosts" in each.params} == {
        "RBD-LB-117": "n3",
        "RBD-LB-122": "n2",
    }


async def test_listeners_end_when_the_check_is_given_up_and_by_themselves(site: Site, lab: Lab) -> None:
    with site.balancer(p6060={"count": 2}):
        task = asyncio.create_task(site.check())
        for _ in range(100):
            if left := await asyncio.to_thread(site.units):
                break
            await asyncio.sleep(0.1)
        assert left != []
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert site.units() == []
    listen = Path("assets/scripts/balancer-listen.sh").read_text()
    words = ["rbdtui-balancer-left", "2", "0123456789abcdef", "1", "6060"]
    lab.ssh("n1", f"sh -c {shlex.quote(listen)} x {shlex.join(words)}", stdin="cat")
    assert len(site.units()) == 1
    await asyncio.sleep(4)
    assert site.units() == []


async def test_nothing_listens_where_a_port_is_taken_or_a_run_of_ours_has_been(site: Site, lab: Lab) -> None:
    wait = "for try in 1 2 3 4 5 6 7 8 9; do ss -Hltn | grep -q ':6060 ' && exit; sleep .3; done; exit 1"
    lab.ssh("n2", f"systemd-run --quiet --unit=squatter /usr/sbin/sshd -D -p 6060; {wait}")
    try:
        with site.balancer(p6060={"absent": True}):
            findings = await site.check()
    finally:
        lab.ssh("n2", "systemctl stop squatter")
    assert told(findings).keys() == {"RBD-LB-120"}
    claim = '{"site": "site-a", "cluster_id": "c1", "run_id": "r1"}'
    for name in lab.hosts:
        lab.ssh(name, "mkdir -p -m 700 /var/lib/rbdtui; cat > /var/lib/rbdtui/claim.json", stdin=claim)
    try:
        assert await site.check() == []
    finally:
        for name in lab.hosts:
            lab.ssh(name, "rm -rf /var/lib/rbdtui")
