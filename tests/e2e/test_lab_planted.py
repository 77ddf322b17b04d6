"""Thirty faults on three real hosts at once: `check` finds each of them once, and nothing on hosts in good order."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import pytest

from tests.e2e.lab_site import LabSite
from tests.lab import Lab
from tests.lab.servers.vrrp import announcing

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(600)]

ROUTER_ID = 87
SPEC = """apiVersion: rbdtui/v1
name: lab-planted
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""
Planter = Callable[[Lab, str, ExitStack], object]
LISTENS = (
    "systemd-run --quiet --unit=taker{port} /usr/sbin/sshd -D -p {port}; "
    "for try in 1 2 3 4 5 6 7 8 9; do ss -Hltn | grep -q ':{port} ' && exit; sleep .3; done; exit 1"
)
DROPS = "for allowed in tcp icmp vrrp udp; do iptables -A INPUT -p $allowed -j ACCEPT; done && iptables -P INPUT DROP"
NOEXEC = "mkdir -p /var/lib/rancher && mount -t tmpfs -o noexec,size=90% tmpfs /var/lib/rancher"
BY_DHCP = "ip addr change $(ip -4 -o addr show host0 | awk '{print $4}') dev host0 valid_lft 9999 preferred_lft 9999"
TRUE_OF_THE_LAB: Final = frozenset(
    {"RBD-HW-102", "RBD-TIME-106", "RBD-KERN-104", "RBD-NET-114", "RBD-DISK-114", "RBD-DISK-115", "RBD-BUNDLE-015"}
)
"""Its hosts have two processors, no time source, networkd, and one kernel and one disk together."""


def runs(command: str) -> Planter:
    """A command in the host's own shell."""
    return lambda lab, host, _: lab.ssh(host, command)


def unit(name: str) -> Planter:
    """A service or timer of this name, which runs."""
    what = (
        "[Timer]\nOnActiveSec=1d\nUnit=idle.service"
        if name.endswith(".timer")
        else "[Service]\nExecStart=/bin/sleep inf"
    )
    text = f"{what}\n[Install]\nWantedBy=multi-user.target\n"

    def plant(lab: Lab, host: str, _: ExitStack) -> None:
        lab.ssh(host, f"cat > /etc/systemd/system/{name}", stdin=text)
        idle = "[Service]\nExecStart=/bin/true\n"
        lab.ssh(host, "cat > /etc/systemd/system/idle.service; systemctl daemon-reload", stdin=idle)
        lab.ssh(host, f"systemctl -q enable --now {name}")

    return plant


def cloud_init(lab: Lab, host: str, _: ExitStack) -> None:
    lab.ssh(host, "mkdir -p /etc/cloud /usr/local/bin; echo 'manage_etc_hosts: true' > /etc/cloud/cloud.cfg")
    lab.ssh(host, "printf '#!/bin/sh\\n' > /usr/local/bin/cloud-init && chmod 755 /usr/local/bin/cloud-init")


def foreign_keepalived(lab: Lab, host: str, _: ExitStack) -> None:
    text = "vrrp_instance other {\n interface host0\n virtual_router_id 9\n virtual_ipaddress {\n 192.0.2.9/32\n }\n}\n"
    lab.ssh(host, "cat > /etc/keepalived/keepalived.conf && systemctl restart keepalived", stdin=text)


def same_machine_id(lab: Lab, host: str, _: ExitStack) -> None:
    lab.ssh(host, "cat > /etc/machine-id", stdin=lab.ssh("n1", "cat /etc/machine-id").stdout)


def another_router(lab: Lab, host: str, stack: ExitStack) -> None:
    stack.enter_context(announcing(str(lab.jump_address), router_id=ROUTER_ID, address=str(lab.vips[-1])))


def nearly_full(lab: Lab, host: str, _: ExitStack) -> None:
    size_mib = int(lab.ssh(host, "df -Pm / | tail -1").stdout.split()[1])
    lab.fill(host, "/", leave_mib=size_mib * 14 // 100)


CLAIM: Final = json.dumps({"site": "next-door", "cluster_id": "c1", "run_id": "r1"})
FAULTS: Final[tuple[tuple[str, str, Planter], ...]] = (
    ("n1", "RBD-OS-101", runs("printf 'ID=gentoo\\nPRETTY_NAME=Gentoo\\n' > /etc/os-release")),
    ("n1", "RBD-NAME-106", cloud_init),
    ("n1", "RBD-PORT-102", runs(LISTENS.format(port=80))),
    ("n1", "RBD-FW-103", runs(DROPS)),
    ("n1", "RBD-NET-107", unit("nm-cloud-setup.timer")),
    ("", "RBD-NET-103", runs("ip link set host0 mtu 1400")),
    ("n1", "RBD-OLD-102", runs(f"mkdir -p -m 700 /var/lib/rbdtui; echo '{CLAIM}' > /var/lib/rbdtui/claim.json")),
    ("n1", "RBD-TOOL-101", runs("mv /usr/bin/tar /usr/bin/tar.away")),
    ("n2", "RBD-HW-106", runs("echo '/swap.img none swap sw 0 0' >> /etc/fstab")),
    ("n2", "RBD-NET-113", runs(BY_DHCP)),
    ("n2", "RBD-LB-103", foreign_keepalived),
    ("n2", "RBD-DISK-106", runs("mount --bind /tmp /tmp && mount -o remount,ro,bind /tmp")),
    ("n2", "RBD-NAME-105", runs("echo '10.9.9.9 old n3' >> /etc/hosts")),
    ("n2", "RBD-OLD-104", unit("k3s.service")),
    ("n2", "RBD-PORT-101", runs(LISTENS.format(port=2379))),
    ("n2", "RBD-TIME-104", runs("systemctl -q disable --now chrony")),
    ("n2", "RBD-NET-108", unit("wicked.service")),
    ("n2", "RBD-NET-102", runs("ip route del default")),
    ("n3", "RBD-ID-101", same_machine_id),
    ("n3", "RBD-DISK-103", nearly_full),
    ("n3", "RBD-OLD-101", runs("mkdir -p /etc/rancher/k3s")),
    ("n3", "RBD-OLD-105", unit("docker.service")),
    ("n3", "RBD-FW-101", unit("firewalld.service")),
    ("n3", "RBD-SEC-103", unit("fapolicyd.service")),
    ("n3", "RBD-NET-104", runs("ip addr add 10.42.7.1/24 dev host0")),
    ("n3", "RBD-DNS-102", runs("echo 'nameserver 127.0.0.53' > /etc/resolv.conf")),
    ("n3", "RBD-NAME-103", runs("sed -i '/ n3$/d; /\\tn3$/d' /etc/hosts; echo '10.0.0.99 n3' >> /etc/hosts")),
    ("n3", "RBD-TIME-102", lambda lab, host, _: lab.skew(host, 30)),
    ("", "RBD-VIP-105", lambda lab, host, _: lab.squat(lab.vips[0])),
    ("", "RBD-VIP-112", another_router),
    ("", "RBD-NET-115", runs("iptables -A INPUT -p udp --dport 8472 -j DROP")),
    ("", "RBD-VIP-115", runs("iptables -A INPUT -p vrrp -j DROP")),
    ("n3", "RBD-DISK-108", runs(NOEXEC)),
)  # fmt: skip
"""Server, code, and what is done to it; without a server it shows only when all are seen side by side."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("planted", hosts=3) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("planted") / "site", SPEC)
        made.write()
        with ExitStack() as stack:
            for host in lab.hosts:
                unit("chrony.service")(lab, host, stack)
        yield made


def found(site: LabSite) -> Counter[tuple[str, str]]:
    """Code and server of every error and warning, but for those on this machine and what is true of every lab."""
    said = site.rbdtui("check", str(site.path), "--json")
    findings = json.loads(said.stdout)["findings"]
    bad = [
        each
        for each in findings
        if each["severity"] != "info"
        and not each["code"].startswith("RBD-JUMP-")
        and each["code"] not in TRUE_OF_THE_LAB
    ]
    for each in bad:
        print(each["severity"], each["code"], each["place"]["node"], each["message"])
    return Counter((each["code"], each["place"]["node"]) for each in bad)


def test_nothing_on_hosts_in_good_order_and_each_of_thirty_faults_once(site: LabSite) -> None:
    assert found(site) == {}
    assert len({code for _, code, _ in FAULTS}) == len(FAULTS) >= 30
    with ExitStack() as stack:
        for node, _, plant in FAULTS:
            plant(site.lab, node or "n3", stack)
        assert found(site) == Counter((code, node) for node, code, _ in FAULTS)
