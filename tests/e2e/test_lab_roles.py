"""Roles apart on real hosts: three servers with etcd alone, two with a control plane alone, and an agent.

One story in the order of the file: the cluster comes up, a second run changes nothing, and after a power cut of the
whole site everything comes back, although the server that the cluster began with stays dead.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1800)]

ETCD, CONTROL_PLANE, AGENT = ("n1", "n2", "n3"), ("n4", "n5"), "n6"
ALL = (*ETCD, *CONTROL_PLANE, AGENT)
COLD_START_S = 300.0
SPEC = """apiVersion: rbdtui/v1
name: lab-roles
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [etcd]}}
  - {{name: n2, address: {n2}, roles: [etcd]}}
  - {{name: n3, address: {n3}, roles: [etcd]}}
  - {{name: n4, address: {n4}, roles: [control-plane, gateway]}}
  - {{name: n5, address: {n5}, roles: [control-plane, gateway]}}
  - {{name: n6, address: {n6}, roles: [worker]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}, domain: api.lab-roles.lan}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("roles", hosts=6, without_keepalived=ETCD) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("roles") / "site", SPEC)
        made.write()
        yield made


def test_six_nodes_come_up(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert site.ready_nodes("n4") == list(ALL)
    assert [name.rpartition("-")[0] for name in site.etcd_voters("n1")] == list(ETCD)
    nodes = json.loads(site.kubectl("n4", "get", "nodes", "-o", "json"))["items"]
    prefix = "node-role.kubernetes.io/"
    roles = {
        node["metadata"]["name"]: {label[len(prefix) :] for label in node["metadata"]["labels"] if prefix in label}
        for node in nodes
    }
    assert {name: roles[name] for name in ETCD} == {name: {"etcd"} for name in ETCD}
    assert {name: roles[name] for name in CONTROL_PLANE} == {
        name: {"control-plane", "master"} for name in CONTROL_PLANE
    }


def test_a_second_run_changes_nothing(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert {event["outcome"] for event in site.events() if event["type"] == "step-finished"} == {"unchanged"}


def test_all_come_back_from_a_power_cut_though_the_first_server_is_dead(site: LabSite) -> None:
    for name in ALL:
        site.lab.off(name)
    assert not site.api_answers()
    with ThreadPoolExecutor(max_workers=3) as pool:
        list(pool.map(site.lab.on, ALL[1:]))

    took_s = wait_for(site.api_answers, COLD_START_S, "the API on the VIP", every_s=1)
    site.wait_ready("n4", *ALL[1:])
    print(f"API on the VIP {took_s:.0f} s after a power cut of all, without {ALL[0]}")

    site.lab.on(ALL[0])
    site.wait_ready("n5", *ALL)
    assert [name.rpartition("-")[0] for name in site.etcd_voters("n1")] == list(ETCD)
