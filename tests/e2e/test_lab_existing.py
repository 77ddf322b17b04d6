"""Rainbond into a cluster that was there before, by its kubeconfig alone: the servers are prepared by hand, as is said.

One story in the order of the file, on one server; nobody logs in to it for the site that installs Rainbond.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lab_site import LabSite
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1800)]

CLUSTER = """apiVersion: rbdtui/v1
name: somebodys-cluster
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker]}}
kubernetes:
  api: {{mode: first-server}}
  settings: {{disable: [rke2-ingress-nginx]}}
gateway: {{mode: none}}
"""
RAINBOND = """apiVersion: rbdtui/v1
name: rainbond-there
profile: rainbond-6
bundle: {bundle}
nodes:
  - {{name: n1, address: {n1}, roles: [gateway, build]}}
kubernetes: {{distribution: existing, kubeconfig: {kubeconfig}}}
gateway: {{mode: none}}
rainbond:
  domain_suffix: apps.lab.example
  values: {{Cluster: {{containerdRuntimePath: {containerd}}}}}
"""
ARCHIVE = "rainbond-images-amd64.tar.gz"
CTR = "/var/lib/rancher/rke2/bin/ctr -a /run/k3s/containerd/containerd.sock -n k8s.io"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("there", hosts=1) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("lab") / "cluster", CLUSTER)
        made.write()
        done = made.rbdtui("run", str(made.path), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        yield made


@pytest.fixture(scope="module")
def rainbond(cluster: LabSite) -> LabSite:
    """The site that knows the cluster by a copy of its kubeconfig only."""
    kubeconfig = cluster.path.parent / "given"
    shutil.copy(cluster.path / "kubeconfig", kubeconfig)
    made = LabSite(cluster.lab, cluster.path.parent / "rainbond")
    assert made.rbdtui("init", str(made.path)).returncode == 0
    address = cluster.lab.hosts["n1"].address
    made.path.joinpath("cluster.yaml").write_text(
        RAINBOND.format(bundle=made.bundle, kubeconfig=kubeconfig, n1=address, containerd="/var/run/k3s/containerd")
    )
    return made


def prepare_by_hand(site: LabSite, archive: Path) -> None:
    """What the check asks for."""
    host = site.lab.hosts["n1"]
    site.lab.inside("n1", f"echo '{host.address} goodrain.me region.goodrain.me' >> /etc/hosts")
    options = ["-i", str(site.lab.key), "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]
    subprocess.run(
        ["scp", "-q", *options, str(archive), f"root@{host.address}:/var/tmp/images"], check=True, timeout=120
    )
    site.lab.inside("n1", f"gzip -dc /var/tmp/images | {CTR} images import - && rm /var/tmp/images", timeout_s=300)


def test_the_check_asks_the_cluster_and_says_what_is_left_to_do_by_hand(rainbond: LabSite) -> None:
    checked = rainbond.rbdtui("check", str(rainbond.path), "--json")
    findings = json.loads(checked.stdout)["findings"]
    assert [each["code"] for each in findings if each["severity"] == "error"] == [], checked.stdout
    assert {"RBD-EXISTING-008", "RBD-EXISTING-112"} <= {each["code"] for each in findings}


def test_rainbond_is_installed_and_proven_without_a_login(rainbond: LabSite) -> None:
    prepare_by_hand(rainbond, rainbond.bundle / ARCHIVE)
    done = rainbond.rbdtui("run", str(rainbond.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert not (rainbond.path / "known_hosts").exists()
    assert not [event for event in rainbond.events() if "@" in str(event.get("step", ""))]


def test_a_second_run_changes_nothing(rainbond: LabSite) -> None:
    before = rainbond.kubectl("n1", "-n rbd-system get all -o name")
    again = rainbond.rbdtui("run", str(rainbond.path), "--yes")
    assert again.returncode == 0, again.stdout + again.stderr
    finished = [event for event in rainbond.events() if event["type"] == "step-finished"]
    assert finished
    assert [event["step"] for event in finished if event["outcome"] == "changed"] == []
    assert rainbond.kubectl("n1", "-n rbd-system get all -o name") == before


def test_its_health_is_asked_by_the_kubeconfig(rainbond: LabSite) -> None:
    said = rainbond.rbdtui("health", str(rainbond.path), "--json")
    probes = {probe["id"]: probe["state"] for probe in json.loads(said.stdout)["probes"]}
    assert (probes["api@LB"], probes["node@n1"], probes["gateway-7070@n1"]) == ("ok", "ok", "ok"), said.stdout
