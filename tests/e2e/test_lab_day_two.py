"""Day two on real hosts: a snapshot, a restore, a dead server removed and a fresh one in its place.

One story in the order of the file, driven through the command line alone, and looked at from outside the product.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.lab_site import LabSite, wait_for
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(1800)]

SERVERS = ("n1", "n2", "n3")
SNAPSHOTS = "/var/lib/rancher/rke2/server/db/snapshots"
SPEC = """# Three servers in the lab; this comment belongs to the operator.
apiVersion: rbdtui/v1
name: lab-two
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n2, address: {n2}, roles: [control-plane, etcd, worker, gateway]}}
  # n3 stands in the other room.
  - {{name: n3, address: {n3}, roles: [control-plane, etcd, worker, gateway]}}
  - {{name: n5, address: {n5}, roles: [worker]}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("two", hosts=5, without_keepalived=()) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("two") / "site", SPEC)
        made.write()
        yield made


def make(site: LabSite, name: str) -> None:
    site.kubectl("n1", "create", "configmap", name, "--from-literal=is=there")


def made(site: LabSite) -> set[str]:
    listed = json.loads(site.kubectl("n1", "get", "configmaps", "-o", "json"))["items"]
    return {item["metadata"]["name"] for item in listed} - {"kube-root-ca.crt"}


def listed(site: LabSite, status: int = 0) -> list[dict[str, object]]:
    done = site.rbdtui("snapshots", str(site.path), "--json")
    assert done.returncode == status, done.stdout + done.stderr
    found = json.loads(done.stdout)["snapshots"]
    assert isinstance(found, list)
    return found


def test_the_cluster_comes_up(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    site.wait_ready("n1", *SERVERS, "n5")


def test_a_snapshot_is_taken_proven_and_copied_encrypted(site: LabSite) -> None:
    make(site, "before")
    done = site.rbdtui("snapshot", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr

    here, there = listed(site)
    assert (here["server"], there["server"]) == (None, "n1")
    assert here["name"] == there["name"]
    assert here["digest"] == there["digest"]
    assert here["state"] == there["state"] == "whole"
    path = f"{SNAPSHOTS}/{there['name']}"
    sums = site.lab.ssh("n1", f"head -c -32 {path} | sha256sum; tail -c 32 {path} | od -An -v -tx1").stdout.split("\n")
    assert sums[0].split()[0] == here["digest"]
    copy = next((site.path / "snapshots").iterdir())
    assert copy.stat().st_mode & 0o777 == 0o600
    content = copy.read_bytes()
    assert b"is=there" not in content
    assert b"/registry/" not in content
    assert b"/registry/" in site.lab.ssh("n1", f"grep -a -o -m1 /registry/ {path} | head -n 1").stdout.encode()


def test_what_was_cut_off_is_told_and_a_full_disk_too(site: LabSite) -> None:
    whole = next(str(each["name"]) for each in listed(site) if each["server"] == "n1")
    site.lab.ssh(
        "n1", f"cd {SNAPSHOTS} && head -c 100000 {whole} > cut-n1-1700000000 && cp {whole} on-n1-1700000001.part"
    )
    states = {str(each["name"]): each["state"] for each in listed(site, status=1) if each["server"] == "n1"}
    assert states == {whole: "whole", "cut-n1-1700000000": "cut", "on-n1-1700000001.part": "part"}
    site.lab.ssh("n1", f"rm {SNAPSHOTS}/cut-n1-1700000000 {SNAPSHOTS}/on-n1-1700000001.part")
    site.lab.fill("n1", "/var/lib/rancher", leave_mib=30)
    try:
        done = site.rbdtui("snapshot", str(site.path), "--node", "n1", "--yes")
        assert done.returncode != 0
        assert "free" in done.stdout + done.stderr
    finally:
        site.lab.drain("n1")
    assert len(listed(site)) == 2


def test_a_restore_brings_back_what_was_and_nothing_else(site: LabSite) -> None:
    make(site, "after")
    assert made(site) == {"before", "after"}
    (name,) = {str(each["name"]) for each in listed(site)}
    site.lab.ssh("n1", f"rm {SNAPSHOTS}/{name}")
    voters = set(site.etcd_voters("n1"))

    refused = site.rbdtui("restore", str(site.path), name)
    assert refused.returncode == 2, "nobody typed the site's name"
    assert made(site) == {"before", "after"}
    done = site.rbdtui("restore", str(site.path), name, "--yes")
    assert done.returncode == 0, done.stdout + done.stderr

    assert made(site) == {"before"}
    site.wait_ready("n1", *SERVERS, "n5")
    now = site.etcd_voters("n1")
    assert [each.rpartition("-")[0] for each in now] == list(SERVERS)
    assert not voters & set(now), "each is a new member"
    for host in SERVERS:
        assert site.lab.ssh(host, "systemctl is-active rke2-server").stdout.strip() == "active"
        assert site.lab.ssh(host, "systemctl is-enabled rke2-server").stdout.strip() == "enabled"
    make(site, "again")
    assert made(site) == {"before", "again"}
    wait_for(lambda: site.rbdtui("health", str(site.path)).returncode == 0, 120, "health", every_s=5)
    second = site.rbdtui("run", str(site.path), "--yes")
    assert second.returncode == 0, second.stdout + second.stderr


def test_a_dead_server_is_removed(site: LabSite) -> None:
    site.lab.off("n3")
    refused = site.rbdtui("remove", str(site.path), "n2", "--yes")
    assert refused.returncode != 0, "without n3 it would take the quorum"
    assert "2" in refused.stderr
    assert len(site.etcd_voters("n1")) == 3

    done = site.rbdtui("remove", str(site.path), "n3", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each.rpartition("-")[0] for each in site.etcd_voters("n1")] == ["n1", "n2"]
    site.wait_ready("n1", "n1", "n2", "n5")
    secrets = site.kubectl("n1", "-n", "kube-system", "get", "secrets", "-o", "name")
    assert "n3.node-password.rke2" not in secrets
    assert "n2.node-password.rke2" in secrets
    text = (site.path / "cluster.yaml").read_text()
    assert "name: n3" not in text
    assert "# Three servers in the lab" in text


def test_a_fresh_server_joins_in_its_place(site: LabSite) -> None:
    path = site.path / "cluster.yaml"
    text = path.read_text()
    line = f"  - {{name: n4, address: {site.lab.hosts['n4'].address}, roles: [control-plane, etcd, worker, gateway]}}\n"
    path.write_text(text.replace("  - {name: n5", f"{line}  - {{name: n5", 1))
    assert site.rbdtui("trust", str(site.path), "--yes").returncode == 0
    done = site.rbdtui("run", str(site.path), "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    site.wait_ready("n1", "n1", "n2", "n4", "n5")
    assert [each.rpartition("-")[0] for each in site.etcd_voters("n1")] == ["n1", "n2", "n4"]
    for host in ("n1", "n2"):
        assert "n3" not in site.lab.ssh(host, "cat /etc/hosts /etc/keepalived/keepalived.conf").stdout
    assert made(site) == {"before", "again"}


def test_an_agent_that_lives_is_drained_removed_and_bare_again(site: LabSite, tmp_path: Path) -> None:
    done = site.rbdtui("remove", str(site.path), "n5", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    site.wait_ready("n1", "n1", "n2", "n4")
    assert site.lab.ssh("n5", "ls -d /var/lib/rancher/rke2 /var/lib/rbdtui /etc/rancher", check=False).stdout == ""
    second = site.rbdtui("run", str(site.path), "--yes")
    assert second.returncode == 0, second.stdout + second.stderr
