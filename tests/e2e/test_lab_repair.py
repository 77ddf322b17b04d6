"""Findings on real hosts, repaired: each once, nothing else touched, the second time there is nothing to do."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator

import pytest

from tests.e2e.lab_site import LabSite
from tests.lab import Lab

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(600)]

SPEC = """apiVersion: rbdtui/v1
name: lab-repair
profile: kubernetes-only
bundle: {bundle}
ssh: {{user: root, key: {key}}}
nodes:
  - {{name: n1, address: {n1}, roles: [control-plane, etcd, worker, gateway]}}
  - name: n2
    address: {n2}
    roles: [control-plane, etcd, worker, gateway]
    ssh: {{user: {op}, sudo_password: secret:sudo}}
kubernetes:
  distribution: rke2
  api: {{mode: vip, address: {vip}}}
  settings: {{profile: cis}}
gateway: {{mode: keepalived, vip: {vip}/26, virtual_router_id: 87}}
"""
FSTAB = "/swap.img none swap sw 0 0\n"
UNITS = {
    "firewalld": "/bin/sleep infinity",
    "nginx": "/usr/bin/perl -MIO::Socket::INET -e "
    "'$$s=IO::Socket::INET->new(LocalPort=>9345,Listen=>5,ReuseAddr=>1) or die; $$s->accept while 1'",
}
CODES = {"RBD-HW-106", "RBD-FW-101", "RBD-NAME-105", "RBD-NAME-106", "RBD-SEC-105", "RBD-PORT-101", "RBD-TIME-104"}

BEFORE: dict[str, dict[str, str]] = {}
"""What files of each host held before the first repair."""


def plant(lab: Lab, host: str) -> None:
    """Trouble as people have it."""
    write = "cat > {path}"
    lab.ssh(host, "cat >> /etc/fstab", stdin=FSTAB)
    other = {"n1": "n2", "n2": "n1"}[host]
    lab.ssh(host, "cat >> /etc/hosts", stdin=f"10.9.9.9 {other} old # of the old rack\n")
    lab.ssh(host, "mkdir -p /etc/cloud/cloud.cfg.d /usr/local/bin")
    lab.ssh(host, write.format(path="/etc/cloud/cloud.cfg"), stdin="manage_etc_hosts: true\n")
    lab.ssh(host, "printf '#!/bin/sh\\n' > /usr/local/bin/cloud-init && chmod 755 /usr/local/bin/cloud-init")
    units = {**UNITS, "chrony": "/bin/sleep infinity"}
    for name, command in units.items():
        text = f"[Service]\nExecStart={command}\n[Install]\nWantedBy=multi-user.target\n"
        lab.ssh(host, write.format(path=f"/etc/systemd/system/{name}.service"), stdin=textwrap.dedent(text))
    lab.ssh(host, "systemctl daemon-reload && systemctl mask --now systemd-timesyncd")
    for name in UNITS:
        lab.ssh(host, f"systemctl -q enable --now {name}")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("repair", hosts=2, bundle=False) as lab:
        made = LabSite.__new__(LabSite)
        made.lab, made.path, made.spec = lab, tmp_path_factory.mktemp("repair") / "site", SPEC
        made.bundle, made.vip = made.path.parent, lab.vips[0]
        made.write()
        for host in lab.hosts:
            plant(lab, host)
            BEFORE[host] = {path: lab.ssh(host, f"cat {path}").stdout for path in ("/etc/hosts", "/etc/fstab")}
        yield made


def found(site: LabSite) -> dict[str, set[str]]:
    """The nodes of each finding that is repaired here."""
    said = site.rbdtui("check", str(site.path), "--json")
    nodes: dict[str, set[str]] = {}
    for each in json.loads(said.stdout)["findings"]:
        if each["code"] in CODES:
            nodes.setdefault(each["code"], set()).add(each["place"]["node"])
    return nodes


def test_one_kind_is_repaired_on_one_node(site: LabSite) -> None:
    assert found(site) == {code: {"n1", "n2"} for code in CODES}
    listed = json.loads(site.rbdtui("repair", str(site.path), "--json").stdout)["repairs"]
    assert {code for each in listed for code in each["codes"]} == CODES
    untouched = site.fingerprint("n2", "/etc")

    dry = site.rbdtui("repair", str(site.path), "RBD-HW-106", "--node", "n1", "--dry-run")
    assert dry.returncode == 0, dry.stderr
    assert found(site) == {code: {"n1", "n2"} for code in CODES}, "nothing was changed"
    done = site.rbdtui("repair", str(site.path), "RBD-HW-106", "--node", "n1", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr

    assert site.lab.ssh("n1", "grep swap /etc/fstab").stdout == f"# {FSTAB}"
    assert site.fingerprint("n2", "/etc") == untouched
    assert found(site)["RBD-HW-106"] == {"n2"}


def test_everything_is_repaired_at_once_and_then_nothing_is_left(site: LabSite) -> None:
    done = site.rbdtui("repair", str(site.path), "--all", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert found(site) == {}
    for host in site.lab.hosts:
        assert "10.9.9.9 old # of the old rack" in site.lab.ssh(host, "grep 10.9.9.9 /etc/hosts").stdout
        states = site.lab.ssh(host, "systemctl is-active firewalld nginx chrony", check=False).stdout.split()
        assert states == ["inactive", "inactive", "active"]
        assert site.lab.ssh(host, "id -u etcd").returncode == 0
        kept = site.lab.ssh(host, "ls /var/lib/rbdtui/backup/*/etc").stdout.split()
        assert {"fstab", "hosts"} <= set(kept)

    runs = len(list((site.path / "runs").iterdir()))
    again = site.rbdtui("repair", str(site.path), "--all", "--yes")
    assert again.returncode == 0, again.stderr
    assert len(list((site.path / "runs").iterdir())) == runs, "nothing to do is no run"


def test_all_of_it_is_taken_back_and_found_again(site: LabSite) -> None:
    lab = site.lab
    lab.ssh("n2", "echo '# mine' >> /etc/fstab")
    refused = site.rbdtui("repair", str(site.path), "--undo", "--yes")
    assert refused.returncode != 0, "what somebody has changed since was written over"
    assert "/etc/fstab" in refused.stdout + refused.stderr
    lab.ssh("n2", "sed -i '/^# mine$/d' /etc/fstab")
    done = site.rbdtui("repair", str(site.path), "--undo", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    nodes = found(site)
    assert nodes.pop("RBD-HW-106") == {"n2"}, "n1 was repaired by the run before"
    assert nodes == {code: {"n1", "n2"} for code in CODES - {"RBD-HW-106"}}
    for host, before in BEFORE.items():
        states = lab.ssh(host, "systemctl is-active firewalld nginx chrony", check=False).stdout.split()
        assert states == ["active", "active", "inactive"]
        assert lab.ssh(host, "cat /etc/hosts").stdout == before["/etc/hosts"]
        assert lab.ssh(host, "id -u etcd", check=False).returncode != 0
    first = json.loads(site.rbdtui("runs", str(site.path), "--json").stdout)["runs"][0]["run"]
    back = site.rbdtui("repair", str(site.path), "--undo", "--of", first, "--yes")
    assert back.returncode == 0, back.stdout + back.stderr
    for host, before in BEFORE.items():
        assert lab.ssh(host, "cat /etc/fstab").stdout == before["/etc/fstab"]
    assert found(site) == {code: {"n1", "n2"} for code in CODES}


def test_what_there_is_no_repair_for_is_said(site: LabSite) -> None:
    said = site.rbdtui("repair", str(site.path), "RBD-BUNDLE-001", "--yes")
    assert said.returncode == 1
    assert "RBD-BUNDLE-001" in said.stderr
