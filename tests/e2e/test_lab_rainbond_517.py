"""Rainbond 5.17.3 on real hosts: three servers with a VIP, the cluster's own etcd, all else built in, to its proof.

Taken back, it is installed once more into the same cluster, with its databases in a real MySQL 5.7 outside.
The lab's Rainbond is a stand-in with the order and the words of the real one; Kubernetes, etcd, helm, keepalived and
containerd are real.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.e2e.lab_site import ArgvWatch, LabSite, wait_for
from tests.lab import Lab
from tests.lab.servers import databases
from tests.lab.servers.databases import Database, database

pytestmark = [pytest.mark.lab_long, pytest.mark.timeout(2400)]

THREE_HOSTS = """# Three servers that are all there is.
apiVersion: rbdtui/v1
name: lab-rainbond-517
profile: rainbond-5.17
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
etcd: {{mode: reuse}}
rainbond: {{version: v5.17.3-release, domain_suffix: apps.lab.lan}}
"""
STEPS = (
    "rainbond-etcd-secret", "rainbond-release", "rainbond-ready", "rainbond-proof", "rainbond-trial",
    "keepalived-gateway-check@n1",
)  # fmt: skip
SYSTEM = ("-n", "rbd-system")
OUTSIDE = "mysql: {mode: external, host: HERE, port: PORT, username: rbd, password: secret:mysql}\n"
PASSWORD = "Region-and-console-57"
TLS = "/var/lib/rancher/rke2/server/tls/etcd"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabSite]:
    with Lab("rain517", hosts=3) as lab:
        made = LabSite(lab, tmp_path_factory.mktemp("lab") / "site", THREE_HOSTS)
        made.bundle = lab.rainbond_bundle("5.17.3")
        made.write()
        yield made


def test_a_run_ends_with_a_proven_rainbond(site: LabSite) -> None:
    watch = ArgvWatch(lambda: ["PRIVATE KEY"])
    with watch.watching():
        done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    finished = {event["step"] for event in site.events() if event["type"] == "step-finished"}
    assert set(STEPS) <= finished
    listed = json.loads(site.kubectl("n1", *SYSTEM, "get", "deploy,sts,ds", "-o", "json"))["items"]
    kinds = {item["metadata"]["name"]: item["kind"] for item in listed}
    assert kinds["rbd-gateway"] == kinds["rbd-node"] == kinds["rbd-chaos"] == "DaemonSet"
    assert {"rbd-api", "rbd-hub", "rbd-db", "rbd-eventlog", "rbd-app-ui"} <= set(kinds)
    assert "rbd-etcd" not in kinds, "the cluster's own is used"
    ingresses = json.loads(site.kubectl("n1", *SYSTEM, "get", "ingress", "-o", "json"))["items"]
    assert "rbdtui-proof" not in {item["metadata"]["name"] for item in ingresses}, "the proof is taken away"
    assert not watch.seen


def test_the_secret_opens_the_clusters_etcd_and_its_key_is_nowhere_else(site: LabSite) -> None:
    data = json.loads(site.kubectl("n1", *SYSTEM, "get", "secret", "rbd-etcd-secret", "-o", "json"))["data"]
    pems = {key: base64.b64decode(text).decode() for key, text in data.items()}
    key = site.lab.inside("n1", f"cat {TLS}/client.key").stdout

    assert set(pems) == {"ca-file", "cert-file", "key-file"}
    assert pems["key-file"].split() == key.split()
    for file in site.path.rglob("*"):
        if file.is_file():
            assert key.split("\n")[1].encode() not in file.read_bytes(), file


def test_its_health_is_good_and_tells_when_its_certificate_for_etcd_ends(site: LabSite) -> None:
    def probes() -> dict[str, str]:
        said = json.loads(site.rbdtui("health", str(site.path), "--json").stdout)
        return {probe["id"]: probe["state"] for probe in said["probes"]}

    wait_for(lambda: set(probes().values()) == {"ok"}, 120, "a healthy site", every_s=1)
    assert probes()["etcd-secret"] == "ok"
    secret = json.loads(site.kubectl("n1", *SYSTEM, "get", "secret", "rbd-etcd-secret", "-o", "json"))["data"]
    make = "openssl req -x509 -newkey rsa:2048 -nodes -days 20 -subj /CN=soon -keyout /dev/null 2>/dev/null"
    soon = site.lab.inside("n1", f"{make} | base64 -w0").stdout
    try:
        set_certificate(site, soon)
        assert probes()["etcd-secret"] == "degraded"
    finally:
        set_certificate(site, secret["cert-file"])
    assert probes()["etcd-secret"] == "ok"


def set_certificate(site: LabSite, encoded: str) -> None:
    patch = json.dumps({"data": {"cert-file": encoded}})
    site.kubectl("n1", *SYSTEM, "patch", "secret", "rbd-etcd-secret", "-p", f"'{patch}'")


def test_a_second_run_changes_nothing(site: LabSite) -> None:
    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    outcomes = Counter(event.get("outcome") for event in site.events() if event["type"] == "step-finished")
    assert set(outcomes) == {"unchanged"}


def test_rainbond_alone_is_taken_back_with_the_secret_and_its_class(site: LabSite) -> None:
    done = site.rbdtui("reset", str(site.path), "--only", "rainbond", "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    namespaces = json.loads(site.kubectl("n1", "get", "namespace", "-o", "json"))["items"]
    assert "rbd-system" not in {item["metadata"]["name"] for item in namespaces}
    classes = json.loads(site.kubectl("n1", "get", "storageclass", "-o", "json"))["items"]
    assert "rainbondvolumerwx" not in {item["metadata"]["name"] for item in classes}


@pytest.fixture(scope="module")
def mysql(site: LabSite) -> Iterator[Database]:
    if (lacking := databases.unavailable("5.7")) is not None:
        pytest.skip(f"NOT TESTED WITH MYSQL 5.7: {lacking}")
    with database("5.7", "--skip-name-resolve", address=site.lab.jump_address) as server:
        server.root(f"CREATE USER rbd@'%' IDENTIFIED BY '{PASSWORD}'")
        for name in ("console", "region"):
            server.root(
                f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
                f"GRANT ALL ON {name}.* TO rbd@'%'",
            )
        yield server


def test_the_same_cluster_gets_it_again_with_mysql_5_7_outside(site: LabSite, mysql: Database) -> None:
    plan = site.path / "cluster.yaml"
    plan.write_text(plan.read_text() + OUTSIDE.replace("HERE", site.lab.jump_address).replace("PORT", str(mysql.port)))
    assert site.rbdtui("secret", "set", str(site.path), "mysql", stdin=PASSWORD).returncode == 0

    done = site.rbdtui("run", str(site.path), "--yes")

    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    listed = json.loads(site.kubectl("n1", *SYSTEM, "get", "deploy,sts,ds", "-o", "json"))["items"]
    parts = {item["metadata"]["name"]: item for item in listed}
    assert "rbd-db" not in parts
    args = parts["rbd-api"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert any(f"rbd:{PASSWORD}@tcp({site.lab.jump_address}:{mysql.port})" in each for each in args)
    tables = {name for (name,) in mysql.root("SELECT DISTINCT table_schema FROM information_schema.tables")}
    assert "console" in tables
