"""Rainbond 6.2.1 on real hosts: three servers with a VIP, everything built in, from cluster.yaml to its proof.

The lab's Rainbond is a stand-in that settles, waits and fails as the real one does; Kubernetes, helm, keepalived and
containerd are real.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.e2e.lab_site import LabSite
from tests.lab import Lab

pytestmark = [pytest.mark.lab, pytest.mark.timeout(2400)]

THREE_HOSTS = """# Three servers that are all there is.
apiVersion: rbdtui/v1
name: lab-rainbond
profile: rainbond-6
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway, build]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway, build]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
rainbond: {{version: v6.2.1-release, domain_suffix: apps.lab.lan}}
"""
STEPS = ("rainbond-release", "rainbond-ready", "rainbond-proof", "rainbond-trial", "keepalived-gateway-check@n1")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("rainbond", hosts=3) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("lab") / "site", THREE_HOSTS)
        made.write()
        yield made


def test_a_run_ends_with_a_proven_rainbond(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    finished = {event["step"] for event in site.events() if event["type"] == "step-finished"}
    assert set(STEPS) <= finished
    listed = json.loads(site.kubectl("n1", "-n", "rbd-system", "get", "deploy,sts,ds", "-o", "json"))["items"]
    names = {item["metadata"]["name"] for item in listed}
    assert {"rbd-gateway", "rbd-api", "rbd-hub", "rbd-db", "rbd-chaos", "rbd-app-ui"} <= names
    assert "rbdtui-proof" not in names, "the application of the proof is gone"
    cluster = json.loads(site.kubectl("n1", "-n", "rbd-system", "get", "rainbondcluster", "-o", "json"))["items"][0]
    assert cluster["spec"]["installMode"] == "Offline"
    assert cluster["spec"]["suffixHTTPHost"] == "apps.lab.lan"


def test_a_second_run_changes_nothing(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    finished = [event for event in site.events() if event["type"] == "step-finished"]
    assert [event for event in finished if event["outcome"] != "unchanged"] == []
