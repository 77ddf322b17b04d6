"""Many faults on three servers at once: `check` finds each of them, once, and nothing else."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import pytest

from rbdtui.facts.compose import frame_outputs
from rbdtui.facts.fact import Output
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.call import Call
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.simulator.verbs import VERBS
from rbdtui.simulator.verbs.facts import ANSWERS
from rbdtui.site import Site
from tests.cli import console
from tests.cli.hosts import FleetThread

Planter = Callable[["Ground", str], None]


def as_it_is(text: str) -> str:
    return text


@dataclass
class Ground:
    """A fleet, and what commands of its servers print in another way than the simulated ones would."""

    prints: dict[tuple[str, str], Callable[[str], str]] = field(default_factory=dict)
    """By server and fact."""
    fleet: SimulatedFleet = field(init=False)

    def __post_init__(self) -> None:
        self.fleet = SimulatedFleet(3, speed=20.0, verbs={**VERBS, "facts": self._facts})

    async def _facts(self, call: Call) -> int:
        machine = call.machine
        outputs = {}
        for name, answer in ANSWERS.items():
            spoil = self.prints.get((machine.name, name), as_it_is)
            outputs[name] = Output(0, spoil(answer(machine)))
        call.out(frame_outputs(outputs, machine.clock()))
        return 0


def says(fact: str, text: str) -> Planter:
    def plant(ground: Ground, node: str) -> None:
        ground.prints[node, fact] = lambda _: text

    return plant


def says_instead(fact: str, old: str, new: str) -> Planter:
    def plant(ground: Ground, node: str) -> None:
        before = ground.prints.get((node, fact), as_it_is)

        def spoilt(text: str) -> str:
            text = before(text)
            assert old in text, (fact, old, text)
            return text.replace(old, new)

        ground.prints[node, fact] = spoilt

    return plant


def says_more(fact: str, text: str) -> Planter:
    def plant(ground: Ground, node: str) -> None:
        ground.prints[node, fact] = lambda printed: printed + text

    return plant


def runs(unit: str) -> Planter:
    return says_instead("units", f"Id={unit}\nActiveState=inactive", f"Id={unit}\nActiveState=active")


def listens(port: int, program: str) -> Planter:
    return lambda ground, node: ground.fleet.machines[node].listen(port, program)


def holds(path: str, text: str, *, more: bool = False) -> Planter:
    def plant(ground: Ground, node: str) -> None:
        files = ground.fleet.machines[node].files
        files.put(path, (files.text(path) if more else "") + text)

    return plant


def both(*planters: Planter) -> Planter:
    def plant(ground: Ground, node: str) -> None:
        for each in planters:
            each(ground, node)

    return plant


def small(ground: Ground, node: str) -> None:
    machine = ground.fleet.machines[node]
    machine.hardware = replace(machine.hardware, cpu_count=1)


def short_of_memory(ground: Ground, node: str) -> None:
    machine = ground.fleet.machines[node]
    machine.hardware = replace(machine.hardware, memory_bytes=2 * 1024**3)


def nearly_full(ground: Ground, node: str) -> None:
    disk = ground.fleet.machines[node].files.disk_of("/")
    disk.other_bytes = disk.size_bytes * 85 // 100


def same_machine_id(ground: Ground, node: str) -> None:
    other = ground.fleet.machines["node1"].files.text("/etc/machine-id")
    ground.fleet.machines[node].files.put("/etc/machine-id", other)


def without(tool: str) -> Planter:
    return lambda ground, node: ground.fleet.machines[node].tools.discard(tool)


NM_CLOUD_SETUP: Final = "\nId=nm-cloud-setup.timer\nActiveState=active\nUnitFileState=enabled\n"
FAULTS: Final[tuple[tuple[str, str, Planter], ...]] = (
    ("node1", "RBD-HW-101", small),
    ("node1", "RBD-HW-103", short_of_memory),
    ("node1", "RBD-OS-101", says("os_release", 'ID=gentoo\nPRETTY_NAME="Gentoo"\n')),
    ("node1", "RBD-NAME-106", says("hosts_rewritten", "true\n")),
    ("node1", "RBD-TIME-106", says("clock_synchronised", "no\n")),
    ("node1", "RBD-DISK-113", says("immutable", "----i---------e------- /etc/hosts\n")),
    ("node1", "RBD-DISK-112", says("xfs_ftype", "naming   =version 2   bsize=4096   ascii-ci=0, ftype=0\n")),
    ("node1", "RBD-PORT-102", listens(80, "nginx")),
    ("node1", "RBD-FW-103", says("firewall", "== ufw\n== iptables\n-P INPUT DROP\n")),
    ("node1", "RBD-NET-107", says_more("units", NM_CLOUD_SETUP)),
    ("node1", "RBD-KERN-103", says_instead("kernel_modules", "/br_netfilter.ko.xz", "/nothing.ko.xz")),
    ("", "RBD-NET-103", says_instead("interfaces", " 1500 0x1003", " 9000 0x1003")),
    ("node2", "RBD-OS-102", says("uname", "3.10.0-327.el7.x86_64\nx86_64\n")),
    ("node2", "RBD-HW-106", says_more("memory", "fstab /dev/vda2 none swap sw 0 0\n")),
    ("node2", "RBD-NET-113", says_instead("interfaces", "scope global eth0", "scope global dynamic eth0")),
    ("node2", "RBD-LB-103", runs("keepalived.service")),
    ("node2", "RBD-DISK-106", lambda ground, node: ground.fleet.read_only(node, "/tmp")),
    ("node2", "RBD-KERN-101", says_instead("cgroups", " memory", "")),
    ("node2", "RBD-SEC-104", both(says("selinux", "0\n"), says("selinux_at_boot", "enforcing\n"))),
    ("node2", "RBD-NAME-105", holds("/etc/hosts", "10.9.9.9 old node3\n", more=True)),
    ("node2", "RBD-OLD-104", runs("k3s.service")),
    ("node2", "RBD-PORT-101", listens(2379, "etcd")),
    ("node3", "RBD-ID-101", same_machine_id),
    ("node3", "RBD-DISK-103", nearly_full),
    ("node3", "RBD-OLD-101", says("leftovers", "/etc/rancher\n")),
    ("node3", "RBD-OLD-105", runs("docker.service")),
    ("node3", "RBD-FW-101", runs("firewalld.service")),
    ("node3", "RBD-TOOL-101", without("iptables")),
    ("node3", "RBD-SEC-103", runs("fapolicyd.service")),
    ("node3", "RBD-NET-104", says_more("routes", "cni0\t00032A0A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")),
    ("node3", "RBD-DNS-102", says("nameservers", "== configured\nnameserver 127.0.0.53\n== upstream absent\n")),
    ("node3", "RBD-NAME-103", holds("/etc/hosts", "10.0.0.99 node3\n", more=True)),
    ("node3", "RBD-TIME-102", lambda ground, node: ground.fleet.skew(node, 30.0)),
    ("", "RBD-VIP-105", lambda ground, _: ground.fleet.squat(str(ground.fleet.vip.ip))),
    ("", "RBD-NET-115", lambda ground, _: ground.fleet.network.without_vxlan.add("node2")),
    ("", "RBD-VIP-115", lambda ground, _: ground.fleet.network.without_vrrp.add("node3")),
)  # fmt: skip
"""Server, code, and what is done to it; without a server it shows only when all are seen side by side."""


@pytest.fixture(scope="module")
def ground() -> Iterator[tuple[Ground, FleetThread]]:
    ground = Ground()
    with FleetThread(ground.fleet) as thread:
        yield ground, thread


@pytest.fixture(scope="module")
def site(ground: tuple[Ground, FleetThread], tmp_path_factory: pytest.TempPathFactory) -> Site:
    fleet, site = ground[0].fleet, Site.create(tmp_path_factory.mktemp("planted") / "site")
    bundle: Path = write_bundle(site.path / "bundle", images_bytes=65536)
    site.demo_key_file.touch(mode=0o600)
    site.demo_key_file.write_bytes(fleet.client_key.export_private_key())
    nodes = "".join(
        f"  - {{name: {name}, address: {station.machine.ip}, roles: [control-plane, etcd, worker, gateway],"
        f" ssh: {{port: {station.sshd.port}, user: root, key: {site.demo_key_file}}}}}\n"
        for name, station in fleet.stations.items()
    )
    site.spec_file.write_text(
        f"apiVersion: rbdtui/v1\nname: demo\nprofile: kubernetes-only\nbundle: {bundle}\nnodes:\n{nodes}"
        f"gateway: {{mode: keepalived, vip: {fleet.vip}, virtual_router_id: 87}}\n"
    )
    site.known_hosts_file.write_text(fleet.known_hosts)
    return site


def found(capsys: pytest.CaptureFixture[str], site: Site) -> Counter[tuple[str, str]]:
    """Code and server of every error and warning, but for those on the machine that the test runs on."""
    said = console.say(capsys, "en", "check", site.path, "--json")
    findings = json.loads(said.out)["findings"]
    bad = [each for each in findings if each["severity"] != "info" and not each["code"].startswith("RBD-JUMP-")]
    for each in bad:
        print(each["code"], each["place"]["node"], each["message"])
    return Counter((each["code"], each["place"]["node"]) for each in bad)


def test_nothing_on_servers_in_good_order_and_each_of_many_faults_once(
    site: Site, ground: tuple[Ground, FleetThread], capsys: pytest.CaptureFixture[str]
) -> None:
    assert found(capsys, site) == {}
    assert len({code for _, code, _ in FAULTS}) == len(FAULTS) >= 30
    for node, _, plant in FAULTS:
        plant(ground[0], node or "node3")
    assert found(capsys, site) == Counter((code, node) for node, code, _ in FAULTS)
