"""Servers with two network cards: logged in to and reached by users on one, with Kubernetes and etcd on the other.

This machine is not in the second network, as a jump host often is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1200)]

NAMES = ("n1", "n2", "n3")
SPEC = """apiVersion: rbdtui/v1
name: lab-networks
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, internal_address: INNER-n1, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n2, address: {n2}, internal_address: INNER-n2, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n3, address: {n3}, internal_address: INNER-n3, roles: [control-plane, etcd, worker, gateway]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""


@pytest.fixture(scope="module")
def inner() -> dict[str, str]:
    """Addresses of the second cards, by host."""
    return {}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, inner: dict[str, str]) -> Iterator[LabSite]:
    with Lab("nets", hosts=len(NAMES)) as lab:
        spec = SPEC
        for name in NAMES:
            inner[name] = lab.second_card(name)
            spec = spec.replace(f"INNER-{name}", inner[name])
        made = LabSite(lab, tmp_path_factory.mktemp("nets") / "site", spec)
        made.write()
        yield made


def codes(site: LabSite) -> set[str]:
    said = site.rbdtui("check", str(site.path), "--json")
    return {each["code"] for each in json.loads(said.stdout)["findings"]}


def test_an_inner_address_that_is_on_no_card_is_found_before_anything_runs(
    site: LabSite, inner: dict[str, str]
) -> None:
    before = codes(site)
    assert not {"RBD-NET-101", "RBD-NET-109"} & before
    file, right = site.path / "cluster.yaml", (site.path / "cluster.yaml").read_text()
    file.write_text(right.replace(inner["n2"], inner["n2"].rpartition(".")[0] + ".60"))
    try:
        assert codes(site) - before == {"RBD-NET-101"}
    finally:
        file.write_text(right)


def test_kubernetes_and_etcd_live_on_the_inner_network(site: LabSite, inner: dict[str, str]) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = json.loads(site.kubectl("n1", "get", "nodes", "-o", "json"))["items"]
    found = {
        node["metadata"]["name"]: address["address"]
        for node in nodes
        for address in node["status"]["addresses"]
        if address["type"] == "InternalIP"
    }
    assert found == inner
    for name in NAMES:
        peers = site.lab.ssh(name, "ss -Htn state established '( sport = :2380 or dport = :2380 )'").stdout
        ends = {word.rpartition(":")[0] for line in peers.splitlines() for word in line.split()[2:4]}
        assert ends
        assert ends <= set(inner.values()), f"etcd of {name} speaks on {ends}"
        told = site.lab.ssh(name, "cat /var/lib/rancher/rke2/server/manifests/rbdtui-canal.yaml").stdout
        assert 'iface: "host1"' in told, "the pods' network goes where the default route leads"


def test_a_second_run_changes_nothing(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {event["outcome"] for event in site.events() if event["type"] == "step-finished"} == {"unchanged"}


def test_health_asks_all_of_it_although_this_machine_is_in_one_network_only(site: LabSite) -> None:
    wait_for(lambda: site.rbdtui("health", str(site.path)).returncode == 0, 120, "health", every_s=2)


def test_a_server_comes_back_with_both_cards(site: LabSite) -> None:
    site.lab.off("n1")
    site.lab.on("n1")
    site.wait_ready("n2", *NAMES)
