"""RKE2's certificates on real hosts: listed, made anew node after node, and the cluster is well all the while."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from cryptography import x509

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1500)]

SERVERS = ("n1", "n2", "n3")
TLS = "/var/lib/rancher/rke2/server/tls"
LEAVES = (
    "client-admin",
    "serving-kube-apiserver",
    "client-controller",
    "etcd/server-client",
    "etcd/peer-server-client",
)
SPEC = """apiVersion: rbdtui/v1
name: lab-renew
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n4, address: {n4}, roles: [worker]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 88}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("renew", hosts=4, without_keepalived=()) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("renew") / "site", SPEC)
        made.write()
        done = made.rbdtui("run", str(made.path), "--yes")
        assert done.returncode == 0, done.stdout + done.stderr
        made.wait_ready("n1", *SERVERS, "n4")
        yield made


def certificate(site: LabSite, host: str, path: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate(site.lab.ssh(host, f"cat {path}").stdout.encode())


def leaves(site: LabSite) -> dict[tuple[str, str], tuple[int, datetime]]:
    """Serial and end of each, by host and file."""
    found = {(host, f"{TLS}/{name}.crt") for host in SERVERS for name in LEAVES}
    found |= {(host, "/var/lib/rancher/rke2/agent/client-kubelet.crt") for host in (*SERVERS, "n4")}
    read = {place: certificate(site, *place) for place in sorted(found)}
    return {place: (each.serial_number, each.not_valid_after_utc) for place, each in read.items()}


def test_they_are_listed_by_node_and_the_soonest_is_the_first(site: LabSite) -> None:
    done = site.rbdtui("certs", str(site.path), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    listed = json.loads(done.stdout)["certificates"]
    assert {(each["node"], each["kind"]) for each in listed} == {
        *((host, kind) for host in SERVERS for kind in ("server", "agent", "etcd", "authority")),
        ("n4", "agent"), ("n4", "authority"), (None, "kubeconfig"),
    }  # fmt: skip
    ends = [each["ends_at"] for each in listed]
    assert ends == sorted(ends)
    real = min(end.timestamp() for (host, path), (_, end) in leaves(site).items() if host == "n1" and "/etcd/" in path)
    told = next(each["ends_at"] for each in listed if (each["node"], each["kind"]) == ("n1", "etcd"))
    assert abs(told - real) < 1


def test_all_are_new_one_node_after_the_other_and_the_cluster_is_well(site: LabSite) -> None:
    before, voters = leaves(site), set(site.etcd_voters("n1"))
    authority = certificate(site, "n1", f"{TLS}/server-ca.crt").serial_number
    kubeconfig = (site.path / "kubeconfig").read_bytes()
    site.kubectl("n1", "create", "configmap", "stays", "--from-literal=is=there")
    time.sleep(2)

    done = site.rbdtui("renew", str(site.path), "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr

    after = leaves(site)
    assert {place for place in before if before[place][0] == after[place][0]} == set(), "each has another serial"
    assert all(after[place][1] >= before[place][1] for place in before)
    assert certificate(site, "n1", f"{TLS}/server-ca.crt").serial_number == authority
    assert set(site.etcd_voters("n1")) == voters, "nobody left etcd, and nobody came"
    assert "stays" in site.kubectl("n1", "get", "configmaps", "-o", "name")
    assert (site.path / "kubeconfig").read_bytes() != kubeconfig
    for host in SERVERS:
        assert site.lab.ssh(host, "ls -d /var/lib/rancher/rke2/server/tls-*").stdout.count("\n") == 1
        assert site.lab.ssh(host, "systemctl is-active rke2-server").stdout.strip() == "active"
    events = [json.loads(line) for line in done.stdout.splitlines()]
    begun = [each["step"] for each in events if each.get("type") == "step-started"]
    order = [step for step in begun if step.startswith(("renew-certificates", "all-well"))]
    assert order == [f"{step}@{host}" for host in (*SERVERS, "n4") for step in ("renew-certificates", "all-well")]


def test_the_cluster_is_healthy_and_the_plan_has_nothing_to_change(site: LabSite) -> None:
    site.wait_ready("n1", *SERVERS, "n4")
    wait_for(lambda: site.rbdtui("health", str(site.path)).returncode == 0, 120, "health", every_s=5)
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_server_is_rebooted_and_takes_part_again(site: LabSite) -> None:
    """As its own system does it: everything on it ends, and begins again."""
    started = site.lab.ssh("n2", "cut -d ' ' -f 22 /proc/1/stat").stdout
    done = site.rbdtui("reboot", str(site.path), "--node", "n2", "--node", "n4", "--yes", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert site.lab.ssh("n2", "cut -d ' ' -f 22 /proc/1/stat").stdout != started
    assert site.ready_nodes("n1") == [*SERVERS, "n4"]
    nodes = json.loads(site.kubectl("n1", "get", "nodes", "-o", "json"))["items"]
    assert not [node["metadata"]["name"] for node in nodes if node["spec"].get("unschedulable")]
    events = [json.loads(line) for line in done.stdout.splitlines()]
    begun = [each["step"] for each in events if each.get("type") == "step-started"]
    order = [step for step in begun if step.startswith(("leave-drain", "reboot", "uncordon", "all-well"))]
    assert order == [
        step for host in ("n2", "n4")
        for step in (f"leave-drain-{host}", f"reboot@{host}", f"uncordon-{host}", f"all-well@{host}")
    ]  # fmt: skip
    wait_for(lambda: site.rbdtui("health", str(site.path)).returncode == 0, 120, "health", every_s=5)


def test_without_a_quorum_nothing_is_stopped(site: LabSite) -> None:
    """It is refused within a minute, before any other is touched."""
    before = leaves(site)
    site.lab.ssh("n3", "systemctl stop rke2-server; /usr/local/bin/rke2-killall.sh", check=False)
    done = site.rbdtui("renew", str(site.path), "--yes", "--node", "n1")
    assert done.returncode != 0
    assert "nothing was stopped" in done.stdout + done.stderr
    assert "changed: 0" in done.stdout + done.stderr
    refused = site.rbdtui("reboot", str(site.path), "--yes", "--node", "n1")
    assert refused.returncode != 0
    assert "nothing was stopped" in refused.stdout + refused.stderr
    site.lab.ssh("n3", "systemctl start rke2-server")
    site.wait_ready("n1", *SERVERS, "n4")
    now = leaves(site)
    assert {place: now[place] for place in before if place[0] == "n1"} == {
        place: before[place] for place in before if place[0] == "n1"
    }
