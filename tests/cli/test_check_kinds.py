"""What `check` looks at: the kinds that `--only` names, each once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.fleet import SimulatedFleet
from rbdtui.site import Site
from tests.cli import console
from tests.cli.hosts import FleetThread

BALANCER = "RBD-LB-122"
"""Simulated hosts cannot listen for a balancer, so that this is told whenever it is tried."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with FleetThread(SimulatedFleet(3, speed=20.0)) as thread:
        fleet = thread.fleet
        site = Site.create(tmp_path_factory.mktemp("kinds") / "site")
        bundle = write_bundle(site.path / "bundle", images_bytes=65536)
        site.demo_key_file.touch(mode=0o600)
        site.demo_key_file.write_bytes(fleet.client_key.export_private_key())
        nodes = "".join(
            f"  - {{name: {name}, address: {station.machine.ip}, roles: [control-plane, etcd, worker, gateway],"
            f" ssh: {{port: {station.sshd.port}, user: root, key: {site.demo_key_file}}}}}\n"
            for name, station in fleet.stations.items()
        )
        site.spec_file.write_text(
            f"apiVersion: rbdtui/v1\nname: demo\nprofile: kubernetes-only\nbundle: {bundle}\nnodes:\n{nodes}"
            "kubernetes: {distribution: rke2, api: {mode: external, address: 127.77.0.200}}\n"
            "gateway: {mode: none}\n"
        )
        lines = [station.sshd.known_hosts_line for station in fleet.stations.values()]
        site.known_hosts_file.write_text("\n".join(lines) + "\n")
        yield site


def codes(capsys: pytest.CaptureFixture[str], site: Site, *words: str) -> Counter[str]:
    said = console.say(capsys, "en", "check", site.path, *words, "--json")
    return Counter(finding["code"] for finding in json.loads(said.out)["findings"])


def is_of_hosts(code: str) -> bool:
    return code.startswith(("RBD-HW-", "RBD-KERN-", "RBD-TIME-", "RBD-DISK-", "RBD-JUMP-", "RBD-BUNDLE-"))


def test_services_alone_hosts_alone_and_both(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    services = codes(capsys, site, "--only", "services")
    hosts = codes(capsys, site, "--only", "preflight")
    both = codes(capsys, site)
    assert (services[BALANCER], hosts[BALANCER], both[BALANCER]) == (1, 0, 1)
    assert not any(map(is_of_hosts, services))
    assert any(map(is_of_hosts, hosts))
    assert codes(capsys, site, "--only", "services,preflight") == both
    assert both == services | hosts
