"""Preflight of real hosts, whole and broken."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from rbdtui.checks.preflight import PreflightResult, preflight
from rbdtui.checks.services.asking import Asking, no_secret
from rbdtui.checks.services.vip import CHECK, VipAnswer
from rbdtui.facts.store import load_all_facts, save_facts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import endpoints_of
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from tests.checks.support import Packages, place
from tests.lab import OP_PASSWORD, OP_USER, Lab
from tests.lab.servers.vrrp import announcing

pytestmark = [pytest.mark.lab, pytest.mark.timeout(180)]

ROUTER_ID = 87
OF_THIS_MACHINE = {"RBD-DISK-115"}
"""All hosts of a lab write to the one disk of this machine, which may be busy with other things."""
RESOLV_CONF = "/etc/resolv.conf"


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab("checks", hosts=3, bundle=False) as lab:
        yield lab


class Site:
    """A plan for the lab's hosts, and what a preflight of it finds."""

    def __init__(self, lab: Lab, directory: Path) -> None:
        self._lab = lab
        self.known_hosts = directory / "known_hosts"
        self.vip = str(lab.vips[0])
        lines = [line for name in lab.hosts for line in lab.host_keys(name)]
        self.known_hosts.write_text("\n".join(lines) + "\n")

    def spec(self, ssh: dict[str, object]) -> ClusterSpec:
        roles = ["control-plane", "etcd", "worker", "gateway"]
        nodes = [{"name": host.name, "address": host.address, "roles": roles} for host in self._lab.hosts.values()]
        vip = f"{self.vip}/{self._lab.network.prefixlen}"
        return ClusterSpec.model_validate(
            {
                "apiVersion": "rbdtui/v1",
                "name": "site-a",
                "profile": "kubernetes-only",
                "bundle": "packages",
                "ssh": {"key": str(self._lab.key), "agent": False, **ssh},
                "nodes": nodes,
                "gateway": {"vip": vip, "virtual_router_id": ROUTER_ID},
            }
        )

    @asynccontextmanager
    async def hosts(self, spec: ClusterSpec) -> AsyncIterator[HostPool]:
        async with HostPool(endpoints_of(spec), KnownHosts(self.known_hosts), lambda name: OP_PASSWORD) as pool:
            yield pool

    async def preflight(self, **ssh: object) -> PreflightResult:
        spec = self.spec({"user": "root", **ssh})
        async with self.hosts(spec) as hosts:
            return await preflight(spec, hosts, Packages("debian-12-amd64"), place)

    async def look_for_vip(self) -> list[VipAnswer]:
        spec = self.spec({"user": "root"})
        question = CHECK.question(spec)
        assert question is not None
        async with self.hosts(spec) as hosts:
            return await asyncio.gather(*(CHECK.ask(question, Asking(no_secret, host)) for host in hosts.values()))


@pytest.fixture
def site(lab: Lab, tmp_path: Path) -> Site:
    return Site(lab, tmp_path)


def errors(result: PreflightResult) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in result.findings:
        if finding.severity is Severity.ERROR and finding.code not in OF_THIS_MACHINE:
            found.setdefault(finding.code, []).append(finding)
    return found


async def test_clean_hosts_have_no_errors_and_answer_everything(site: Site, lab: Lab, tmp_path: Path) -> None:
    result = await site.preflight()
    assert errors(result) == {}
    assert result.facts.keys() == lab.hosts.keys()
    for name, facts in result.facts.items():
        assert facts.failed == {}
        assert facts.os.id == "debian"
        assert facts.hostname == name
        assert any(listener.process == "sshd" for listener in facts.listeners)
        assert facts.clock is not None
        assert abs(facts.clock.offset_s) <= facts.clock.uncertainty_s + 0.01
        save_facts(tmp_path, facts)
    assert load_all_facts(tmp_path, lab.hosts) == result.facts
    absent = [finding.place.node for finding in result.findings if finding.code == "RBD-LB-101"]
    assert absent == [host.name for host in lab.hosts.values() if not host.keepalived]


async def test_a_user_with_sudo_sees_the_same(site: Site) -> None:
    result = await site.preflight(user=OP_USER, sudo_password="secret:sudo")
    assert errors(result) == {}
    assert all(facts.failed == {} for facts in result.facts.values())
    assert any(listener.process == "sshd" for listener in result.facts["n1"].listeners)


async def test_a_missing_resolv_conf(site: Site, lab: Lab) -> None:
    lab.ssh("n1", f"mv {RESOLV_CONF} {RESOLV_CONF}.away")
    try:
        result = await site.preflight()
    finally:
        lab.ssh("n1", f"mv {RESOLV_CONF}.away {RESOLV_CONF}")
    assert [finding.place.node for finding in result.findings if finding.code == "RBD-DNS-101"] == ["n1"]
    assert errors(result) == {}


@contextmanager
def listening(lab: Lab, host: str, port: int) -> Iterator[None]:
    """A second sshd on a port, as a service of its own."""
    lab.ssh(host, f"systemd-run --quiet --unit=squatter /usr/sbin/sshd -D -p {port}")
    wait = f"for try in 1 2 3 4 5 6 7 8 9; do ss -Hltn | grep -q ':{port} ' && exit; sleep .3; done; exit 1"
    lab.ssh(host, wait)
    try:
        yield
    finally:
        lab.ssh(host, "systemctl stop squatter")


async def test_a_taken_port_names_the_process(site: Site, lab: Lab) -> None:
    with listening(lab, "n2", 9345):
        found = errors(await site.preflight())
    assert found.keys() == {"RBD-PORT-101"}
    (finding,) = found["RBD-PORT-101"]
    message = str(finding.message)
    assert finding.place.node == "n2"
    assert "9345/tcp" in message
    assert "sshd (pid " in message
    assert "squatter.service" in message


async def test_a_squatter_on_the_vip_is_seen_with_its_mac(site: Site, lab: Lab) -> None:
    lab.squat(site.vip)
    try:
        found = errors(await site.preflight())
        table = lab.ssh("n1", "cat /proc/net/arp").stdout
    finally:
        lab.unsquat(site.vip)
    (mac,) = [line.split()[3] for line in table.splitlines() if line.split()[0] == site.vip]
    assert found.keys() == {"RBD-VIP-105"}
    assert mac in str(found["RBD-VIP-105"][0].message)
    assert "n1, n2, n3" in str(found["RBD-VIP-105"][0].message)


async def test_a_squatter_that_comes_while_hosts_still_search_for_the_address_is_seen(site: Site, lab: Lab) -> None:
    for pause_s in (0.0, 0.1, 0.2, 0.3):
        assert [answer.macs for answer in await site.look_for_vip()] == [(), (), ()]
        await asyncio.sleep(pause_s)
        lab.squat(site.vip)
        try:
            seen = await site.look_for_vip()
        finally:
            lab.unsquat(site.vip)
        assert [len(answer.macs) for answer in seen] == [1, 1, 1], f"{pause_s} s after the search before"


async def test_a_vip_on_a_host_counts_unless_our_own_run_put_it_there(site: Site, lab: Lab) -> None:
    prefix = lab.network.prefixlen
    claim = json.dumps({"site": "site-a", "cluster_id": "c1", "run_id": "r1"})
    lab.ssh("n2", f"ip addr add {site.vip}/{prefix} dev host0")
    try:
        foreign = errors(await site.preflight())
        for name in lab.hosts:
            lab.ssh(name, "mkdir -p -m 700 /var/lib/rbdtui; cat > /var/lib/rbdtui/claim.json", stdin=claim)
        ours = errors(await site.preflight())
        lab.ssh("n3", "cat > /var/lib/rbdtui/claim.json", stdin=claim.replace("site-a", "site-b"))
        other = errors(await site.preflight())
    finally:
        lab.ssh("n2", f"ip addr del {site.vip}/{prefix} dev host0")
        for name in lab.hosts:
            lab.ssh(name, "rm -rf /var/lib/rbdtui")
    assert foreign.keys() == {"RBD-VIP-104", "RBD-VIP-107"}
    assert [finding.place.node for finding in foreign["RBD-VIP-104"]] == ["n2"]
    assert "n2 answers" in str(foreign["RBD-VIP-107"][0].message)
    assert ours == {}
    assert {code: findings[0].place.node for code, findings in other.items()} == {"RBD-OLD-102": "n3"}


async def test_a_virtual_router_of_somebody_else_is_heard(site: Site, lab: Lab) -> None:
    here = str(lab.jump_address)
    with announcing(here, router_id=ROUTER_ID, address=str(lab.vips[-1])):
        same_id = await site.preflight()
    with announcing(here, router_id=51, address=site.vip):
        same_address = await site.preflight()
    heard = {finding.code: finding for finding in same_id.findings if finding.code.startswith("RBD-VIP-11")}
    assert heard.keys() == {"RBD-VIP-112"}
    assert heard["RBD-VIP-112"].severity is Severity.WARNING, "by unicast nobody hears it"
    assert heard["RBD-VIP-112"].params["source"] == here
    assert errors(same_address).keys() == {"RBD-VIP-113"}


@pytest.mark.parametrize(
    ("rule", "pairs"),
    [
        ("INPUT -s {n1} -p vrrp -j DROP", "n1 -> n3"),
        ("INPUT -p vrrp -j REJECT", "* -> n3"),
        ("OUTPUT -p vrrp -j DROP", "n3 -> n1, n3 -> n2"),
    ],
)
async def test_vrrp_that_a_packet_filter_drops_is_told_with_its_ways(
    site: Site, lab: Lab, rule: str, pairs: str
) -> None:
    rule = rule.format(n1=lab.hosts["n1"].address)
    lab.ssh("n3", f"iptables -A {rule}")
    try:
        found = errors(await site.preflight())
    finally:
        lab.ssh("n3", f"iptables -D {rule}")
    assert found.keys() == {"RBD-VIP-115"}
    (finding,) = found["RBD-VIP-115"]
    assert finding.params["pairs"] == pairs
    assert ("not permitted" in finding.evidence) == rule.startswith("OUTPUT")


async def test_vxlan_that_a_packet_filter_drops_is_told_with_its_ways(site: Site, lab: Lab) -> None:
    rule = f"INPUT -s {lab.hosts['n2'].address} -p udp --dport 8472 -j DROP"
    lab.ssh("n1", f"iptables -A {rule}")
    try:
        found = errors(await site.preflight())
    finally:
        lab.ssh("n1", f"iptables -D {rule}")
    assert [finding.params["pairs"] for finding in found.pop("RBD-NET-115")] == ["n2 -> n1"]
    assert found == {}


async def test_a_keepalived_at_work_takes_no_notice_of_the_try(site: Site, lab: Lab) -> None:
    text = f"vrrp_instance own {{ state BACKUP\n interface host0\n virtual_router_id {ROUTER_ID}\n priority 100\n"
    text += f" virtual_ipaddress {{ {lab.vips[3]} }}\n }}\n"
    lab.ssh("n1", "cat > /etc/keepalived/keepalived.conf && systemctl start keepalived", stdin=text)
    try:
        holds = (
            f"for try in $(seq 30); do ip -o addr show host0 | grep -q '{lab.vips[3]}/' && exit; sleep .5; done; exit 1"
        )
        lab.ssh("n1", holds)
        log = "journalctl -q -o cat -u keepalived"
        before = lab.ssh("n1", log).stdout
        found = await site.preflight()
        assert lab.ssh("n1", log).stdout == before
        lab.ssh("n1", holds)
    finally:
        lab.ssh("n1", "systemctl stop keepalived; rm /etc/keepalived/keepalived.conf")
    assert not [finding for finding in found.findings if finding.code in ("RBD-VIP-115", "RBD-VIP-116")]


async def test_a_full_disk(site: Site, lab: Lab) -> None:
    lab.fill("n3", "/")
    try:
        found = errors(await site.preflight())
    finally:
        lab.drain("n3")
    assert found.keys() == {"RBD-DISK-101", "RBD-DISK-104"}
    assert {finding.place.node for findings in found.values() for finding in findings} == {"n3"}


@pytest.mark.parametrize("verdict", ["DROP", "REJECT --reject-with icmp-host-prohibited"])
async def test_a_packet_filter_between_two_hosts_is_seen_in_the_matrix(site: Site, lab: Lab, verdict: str) -> None:
    source = lab.hosts["n1"].address
    rule = f"INPUT -s {source} -p tcp --dport 2380 -j {verdict}"
    lab.ssh("n3", f"iptables -A {rule}")
    try:
        found = errors(await site.preflight())
    finally:
        lab.ssh("n3", f"iptables -D {rule}")
    assert found.keys() == {"RBD-NET-110"}
    assert [str(finding.message) for finding in found["RBD-NET-110"]] == [
        f"n1 cannot reach n3 ({lab.hosts['n3'].address}) on TCP 2380."
    ]


async def test_a_closed_filter_on_one_host_against_all(site: Site, lab: Lab) -> None:
    rule = "INPUT -p tcp --dport 6443 -j DROP"
    lab.ssh("n3", f"iptables -A {rule}")
    try:
        found = errors(await site.preflight())
    finally:
        lab.ssh("n3", f"iptables -D {rule}")
    assert found.keys() == {"RBD-NET-111"}


async def test_a_host_whose_sshd_does_not_forward(site: Site, lab: Lab) -> None:
    wait = "for try in 1 2 3 4 5 6 7 8 9; do sleep .3; ss -Hltn | grep -q ':22 ' && exit; done; exit 1"
    lab.ssh("n2", f"echo 'AllowTcpForwarding no' > /etc/ssh/sshd_config.d/no.conf && systemctl restart ssh; {wait}")
    try:
        result = await site.preflight()
    finally:
        lab.ssh("n2", f"rm /etc/ssh/sshd_config.d/no.conf && systemctl restart ssh; {wait}")
    assert errors(result) == {}
    (finding,) = [finding for finding in result.findings if finding.code == "RBD-NET-112"]
    assert "from: n2." in str(finding.message)


async def test_a_clock_that_is_off(site: Site, lab: Lab) -> None:
    lab.skew("n2", 5)
    try:
        found = errors(await site.preflight())
    finally:
        lab.skew("n2", 0)
    assert found.keys() == {"RBD-TIME-102"}
    (finding,) = found["RBD-TIME-102"]
    assert finding.place.node == "n2"
    assert 4.5 < float(str(finding.params["seconds"])) < 5.5


async def test_a_read_only_file_system(site: Site, lab: Lab) -> None:
    lab.ssh("n1", "mkdir -p /var/lib/rancher && mount -t tmpfs -o ro,noexec,size=1m none /var/lib/rancher")
    try:
        found = errors(await site.preflight())
    finally:
        lab.ssh("n1", "umount /var/lib/rancher && rmdir /var/lib/rancher")
    assert found.keys() == {"RBD-DISK-101", "RBD-DISK-106", "RBD-DISK-108"}


async def test_leftovers_and_a_keepalived_of_somebody_else(site: Site, lab: Lab) -> None:
    foreign = (
        "vrrp_instance other {{ state BACKUP\n interface host0\n virtual_router_id 7\n priority 100\n"
        " virtual_ipaddress {{ {} }}\n }}\n"
    )
    lab.ssh("n1", "mkdir -p /etc/rancher/rke2 /var/lib/kubelet && touch /etc/rancher/rke2/config.yaml")
    lab.ssh("n2", "mkdir -p /etc/keepalived; cat > /etc/keepalived/keepalived.conf", stdin=foreign.format(lab.vips[5]))
    lab.ssh("n2", "systemctl start keepalived")
    try:
        found = errors(await site.preflight())
    finally:
        lab.ssh("n2", "systemctl stop keepalived; rm /etc/keepalived/keepalived.conf")
        lab.ssh("n1", "rm -rf /etc/rancher /var/lib/kubelet")
    assert {code: findings[0].place.node for code, findings in found.items()} == {
        "RBD-OLD-101": "n1",
        "RBD-LB-103": "n2",
    }
    assert "/etc/rancher" in str(found["RBD-OLD-101"][0].message)
    assert "/var/lib/kubelet" not in str(found["RBD-OLD-101"][0].message)


async def test_a_host_that_is_off(site: Site, lab: Lab) -> None:
    lab.off("n3")
    try:
        result = await site.preflight()
    finally:
        lab.on("n3")
    found = errors(result)
    assert result.facts.keys() == {"n1", "n2"}
    assert [f.place.node for code, findings in found.items() if code.startswith("RBD-SSH") for f in findings] == ["n3"]
    assert [finding.place.node for finding in found["RBD-NET-111"]] == ["n3"]
