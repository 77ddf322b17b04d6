"""Rainbond 6.9.3 behind a pair of HAProxy servers with keepalived, on real hosts.

One story in the order of the file: it is installed and proven through the pair, a second run changes nothing, and what
its users reach by the VIP is missed for seconds when a server or the VIP's holder loses its power.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.lab_site import wait_for
from tests.e2e.test_lab_haproxy_pair import PAIR, SERVERS, Pair
from tests.lab import Lab
from tests.lab.bundle import SPEED_VARIABLE
from tests.lab.packages import bundle_with

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(2400)]

RELEASE, SPEED = "6.9.3", "5"
SPEC = """apiVersion: rbdtui/v1
name: lab-behind
profile: rainbond-6
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n4, address: {n4}, roles: [balancer]}}
  - {{name: n5, address: {n5}, roles: [balancer]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: haproxy, vip: {vip}/26, virtual_router_id: 87}}
rainbond: {{version: v6.9.3-release, domain_suffix: apps.lab.lan}}
"""
USED = (80, 443, 6060, 7070, 8443)


class Behind(Pair):
    """The site, and how long its gateway is missed."""

    def shakes_hands(self) -> bool:
        """Whether a gateway behind the VIP answers a browser."""
        with suppress(OSError), socket.create_connection((self.vip, 80), 0.5) as plain:
            plain.settimeout(0.5)
            plain.sendall(b"GET / HTTP/1.1\r\nHost: nobody.apps.lab.lan\r\nConnection: close\r\n\r\n")
            return plain.recv(16).startswith(b"HTTP/1.")
        return False


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv(SPEED_VARIABLE, SPEED)
        with Lab("behind", hosts=5, without_keepalived=()) as lab:
            made = Behind(lab, tmp_path_factory.mktemp("behind") / "site", SPEC)
            # Beside the lab's own: links do not reach into another file system.
            made.bundle = bundle_with(lab.rainbond_bundle(RELEASE), Path(lab.directory) / "bundle", ["haproxy"])
            made.write()
            yield made


def test_it_is_installed_and_proven_through_the_pair_and_a_second_run_changes_nothing(behind: Behind) -> None:
    behind.said("run", "--yes")
    finished = {str(event["step"]) for event in behind.events() if event["type"] == "step-finished"}
    assert {"rainbond-release", "rainbond-ready", "rainbond-proof", "rainbond-trial"} <= finished
    assert behind.holder() in PAIR
    assert behind.ready_nodes("n1") == list(SERVERS)
    again = behind.said("run", "--yes")
    assert behind.events()[-1]["changed"] == 0, again


def test_every_port_of_users_is_well_by_the_vip(behind: Behind) -> None:
    wait_for(behind.is_well, 180, "all to be well", every_s=2)
    probes = behind.probes(status=0)
    by_vip = {name: state for name, state in probes.items() if name.endswith("@VIP")}
    assert {name for name, state in by_vip.items() if state != "ok"} == set()
    assert all(any(str(port) in name for name in by_vip) for port in USED), by_vip
    assert {probes[f"haproxy@{name}"] for name in PAIR} == {"ok"}


def test_a_gateway_without_power_is_not_led_to(behind: Behind) -> None:
    with behind.gap("a gateway without power", 12):
        behind.lab.off("n2")
    assert {behind.probes(status=1)[f"haproxy@{name}"] for name in PAIR} == {"degraded"}
    behind.lab.on("n2")
    behind.wait_ready("n1", *SERVERS)
    wait_for(behind.is_well, 500, "all to be well", every_s=3)


def test_the_holders_power_cut_is_bridged(behind: Behind) -> None:
    first = behind.holder()
    with behind.gap("the holder's power cut", 10):
        behind.lab.off(first)
    other = behind.holder(off=first)
    assert other in PAIR
    assert other != first
    assert behind.probes(status=1)[f"ssh@{first}"] == "down"
    behind.lab.on(first)
    wait_for(behind.is_well, 300, "all to be well", every_s=3)


def test_a_reset_takes_all_of_it_away(behind: Behind) -> None:
    behind.said("reset", "--yes")
    assert behind.vip_holders() == []
    for name in behind.lab.hosts:
        assert behind.lab.inside(name, "ls -d /var/lib/rancher/rke2 /var/lib/rbdtui 2>/dev/null; true").stdout == ""
