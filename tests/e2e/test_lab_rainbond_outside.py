"""Rainbond 6.9.3 with MySQL 8.0 and an image registry outside of the cluster, and what becomes of it in trouble.

One story in the order of the file, on three servers: what is in the way before, an installation during which MySQL is
away, a second run, a healthy site, one fault after the other, and a new installation over what an earlier one left.
MySQL and the registry are real ones on this machine, at its address in the hosts' network.
"""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.lab_site import ArgvWatch, LabSite, wait_for
from tests.lab import Lab
from tests.lab.bundle import SPEED_VARIABLE
from tests.lab.servers import databases, registry
from tests.lab.servers.authority import Authority
from tests.lab.servers.databases import Database, database
from tests.lab.servers.registry import Registry

_LACKING = databases.unavailable("8.0") or registry.unavailable()
pytestmark = [
    pytest.mark.lab_long,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(_LACKING is not None, reason=f"NOT TESTED WITH REAL SERVERS OUTSIDE: {_LACKING}"),
]

RELEASE = "6.9.3"
SPEED = "5"
USER, MYSQL_PASSWORD, HUB_PASSWORD = "rbd", "Region-and-console-7", "Push-and-pull-7"
SPEC = """apiVersion: rbdtui/v1
name: lab-outside
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
mysql: {{mode: external, host: HERE, port: PORT_OF_MYSQL, username: rbd, password: secret:mysql}}
registry: {{mode: external, domain: 'HERE:PORT_OF_HUB', namespace: goodrain,
            username: rbd, password: secret:hub, ca: THE_CA}}
rainbond: {{version: v6.9.3-release, domain_suffix: apps.lab.lan}}
"""
SYSTEM = ("-n", "rbd-system")
NGINX = "cp /usr/bin/perl /run/nginx && cat > /run/nginx.pl && systemd-run -q --unit=nginx /run/nginx /run/nginx.pl"
"""A program of that name on port 80, written in what every Debian has."""
LISTENS = """use IO::Socket::INET;
my $socket = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die;
$socket->accept while 1;
"""
RELEASE_STEP, READY_STEP = "rainbond-release", "rainbond-ready"


@dataclass(slots=True)
class Outside:
    """The site, and the servers that Rainbond uses outside of it."""

    site: LabSite
    mysql: Database
    hub: Registry

    @property
    def lab(self) -> Lab:
        return self.site.lab

    def check(self) -> dict[str, dict[str, Any]]:
        said = self.site.rbdtui("check", str(self.site.path), "--json")
        return {each["code"]: each for each in json.loads(said.stdout)["findings"]}

    def health(self) -> dict[str, Any]:
        said = self.site.rbdtui("health", str(self.site.path), "--json")
        found: dict[str, Any] = json.loads(said.stdout)
        return found

    def probe(self, name: str) -> dict[str, Any]:
        return next(probe for probe in self.health()["probes"] if probe["id"] == name)

    def run(self, *more: str) -> subprocess.CompletedProcess[str]:
        return self.site.rbdtui("run", str(self.site.path), "--yes", *more)

    def empty_databases(self) -> None:
        for name in ("console", "region"):
            self.mysql.root(
                f"DROP DATABASE IF EXISTS {name}",
                f"CREATE DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
                f"GRANT ALL ON {name}.* TO rbd@'%'",
            )

    @contextmanager
    def mysql_is_away(self) -> Iterator[None]:
        self.mysql.program.stop()
        try:
            yield
        finally:
            self.mysql.program.start()


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    directory = tmp_path_factory.mktemp("outside")
    with ExitStack() as stack:
        variables = stack.enter_context(pytest.MonkeyPatch.context())
        variables.setenv(SPEED_VARIABLE, SPEED)
        lab = stack.enter_context(Lab("outside", hosts=3, bundle=False))
        authority, here = Authority(), lab.jump_address
        (directory / "ca.pem").write_bytes(authority.pem)
        mysql = stack.enter_context(database("8.0", "--skip-name-resolve", address=here))
        serving = registry.registry(address=here, authority=authority, user=USER, password=HUB_PASSWORD)
        hub = stack.enter_context(serving)
        made = Outside(site_of(lab, directory, mysql, hub), mysql, hub)
        mysql.root(f"CREATE USER rbd@'%' IDENTIFIED WITH mysql_native_password BY '{MYSQL_PASSWORD}'")
        made.empty_databases()
        yield made


def site_of(lab: Lab, directory: Path, mysql: Database, hub: Registry) -> LabSite:
    """The site as its operator has written it, with both passwords in the vault."""
    spec, there = SPEC, {"HERE": lab.jump_address, "PORT_OF_MYSQL": mysql.port, "PORT_OF_HUB": hub.port}
    for name, value in {**there, "THE_CA": directory / "ca.pem"}.items():
        spec = spec.replace(name, str(value))
    site = LabSite(lab, directory / "site", spec)
    site.bundle = lab.rainbond_bundle(RELEASE)
    site.write()
    for name, password in (("mysql", MYSQL_PASSWORD), ("hub", HUB_PASSWORD)):
        assert site.rbdtui("secret", "set", str(site.path), name, stdin=password).returncode == 0
    return site


def errors(findings: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {code: each["message"] for code, each in findings.items() if each["severity"] == "error"}


def test_what_is_in_the_way_is_told_before_anything_is_installed(outside: Outside) -> None:
    outside.lab.ssh("n2", NGINX, stdin=LISTENS)
    outside.hub.change_password(USER, "another-one")
    outside.mysql.root("REVOKE ALL ON region.* FROM rbd@'%'")
    try:
        found = errors(outside.check())
    finally:
        outside.lab.ssh("n2", "systemctl stop nginx")
        outside.hub.change_password(USER, HUB_PASSWORD)
        outside.mysql.root("GRANT ALL ON region.* TO rbd@'%'")
    assert found.keys() == {"RBD-PORT-101", "RBD-REG-132", "RBD-MYSQL-133"}, found
    assert "nginx" in found["RBD-PORT-101"]


def test_a_run_during_which_mysql_is_away_says_so_and_ends_with_a_proven_rainbond(outside: Outside) -> None:
    site, watch = outside.site, ArgvWatch(lambda: [HUB_PASSWORD])
    with watch.watching():
        started = outside.run("--detach")
        assert started.returncode == 0, started.stdout + started.stderr
        site.wait_event("step-finished", RELEASE_STEP, limit_s=1200)
        with outside.mysql_is_away():
            wait_for(
                lambda: "database" in json.dumps(site.seen("step-noted", READY_STEP)), 300, "a word of the database"
            )
        attached = site.rbdtui("attach", str(site.path))
    assert attached.returncode == 0, attached.stdout + attached.stderr
    # Rainbond itself hands the registry's password to those of its pods that build.
    assert {each for each in watch.seen if " HOSTNAME=rbd-" not in each} == set()
    listed = json.loads(site.kubectl("n1", *SYSTEM, "get", "deploy,sts,ds", "-o", "json"))["items"]
    names = {item["metadata"]["name"] for item in listed}
    assert {"rbd-gateway", "rbd-api", "rbd-app-ui"} <= names
    assert not {"rbd-db", "rbd-hub"} & names
    pods = json.loads(site.kubectl("n1", *SYSTEM, "get", "pods", "-o", "json"))["items"]
    images = {each["image"] for pod in pods for each in pod["spec"]["containers"]}
    assert all(image.startswith(f"{outside.hub.address}:{outside.hub.port}/goodrain/") for image in images), images


def test_a_second_run_changes_nothing(outside: Outside) -> None:
    done = outside.run()
    assert done.returncode == 0, done.stdout + done.stderr
    finished = [event for event in outside.site.events() if event["type"] == "step-finished"]
    assert [event["step"] for event in finished if event["outcome"] == "changed"] == []


def test_its_health_is_good(outside: Outside) -> None:
    wait_for(lambda: outside.health()["state"] == "ok", 120, "a healthy site", every_s=1)


def test_health_names_mysql_when_it_is_away(outside: Outside) -> None:
    with outside.mysql_is_away():
        found = {probe["id"]: probe for probe in outside.health()["probes"]}
        assert (found["mysql"]["state"], found["gateway-7070@VIP"]["state"]) == ("down", "down"), found
    wait_for(lambda: outside.probe("mysql")["state"] == "ok", 60, "MySQL to be found well again", every_s=1)


def test_a_run_names_the_registry_that_lets_nobody_in_any_more(outside: Outside) -> None:
    outside.hub.change_password(USER, "another-one")
    done = outside.run()
    outside.hub.change_password(USER, HUB_PASSWORD)
    assert done.returncode != 0
    assert "secret set" in done.stdout + done.stderr or "password" in done.stdout + done.stderr
    assert f"{outside.hub.address}:{outside.hub.port}" in done.stdout + done.stderr


def test_health_names_a_component_that_crashes_and_why(outside: Outside) -> None:
    site = outside.site
    args = json.loads(site.kubectl("n1", *SYSTEM, "get", "deploy", "rbd-api", "-o", "json"))["spec"]["template"][
        "spec"
    ]["containers"][0]["args"]
    place = next(index for index, arg in enumerate(args) if arg.startswith("--client-ca-file="))
    patch = [
        {"op": "replace", "path": f"/spec/template/spec/containers/0/args/{place}", "value": "--client-ca-file=/x"}
    ]
    site.kubectl("n1", *SYSTEM, "patch", "deploy", "rbd-api", "--type=json", "-p", f"'{json.dumps(patch)}'")

    def told() -> bool:
        found = outside.probe("component-rbd-api")
        return found["state"] != "ok" and "/x" in json.dumps(found)

    wait_for(told, 120, "the component to be named with its last words", every_s=1)
    site.kubectl("n1", *SYSTEM, "rollout", "undo", "deploy/rbd-api")
    wait_for(lambda: outside.probe("component-rbd-api")["state"] == "ok", 120, "it to be well again", every_s=1)


def test_rainbond_alone_is_removed(outside: Outside) -> None:
    done = outside.site.rbdtui("reset", str(outside.site.path), "--only", "rainbond", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert outside.site.ready_nodes("n1") == ["n1", "n2", "n3"]


def test_a_release_that_was_cut_off_is_healed_and_an_earlier_region_is_named(outside: Outside) -> None:
    """helm is killed while it waits, as when the line to the API is lost; the console's database is the earlier one."""
    site = outside.site
    leave_a_stuck_release(outside)
    started = outside.run("--detach")
    assert started.returncode == 0, started.stdout + started.stderr
    site.wait_event("step-finished", RELEASE_STEP)
    (holder,) = site.vip_holders()
    outside.lab.ssh(holder, "systemctl stop keepalived")
    attached = site.rbdtui("attach", str(site.path))
    outside.lab.ssh(holder, "systemctl start keepalived")
    assert "pending-install" in json.dumps(site.seen("step-noted", RELEASE_STEP))
    assert attached.returncode != 0
    assert "console_region_stale" in json.dumps(site.seen("step-failed", "rainbond-proof")[-1])


def test_after_what_the_error_says_the_same_run_ends_well(outside: Outside) -> None:
    outside.empty_databases()
    outside.site.kubectl("n1", *SYSTEM, "delete", "pods", "-l", "'name in (rbd-app-ui,rbd-api,rbd-worker,rbd-chaos)'")
    done = outside.run()
    assert done.returncode == 0, done.stdout + done.stderr
    with urllib.request.urlopen(f"http://{outside.site.vip}:7070/lab/region", timeout=20) as answer:
        assert answer.read() == b"ok", "the console reaches the API with what it has kept of the region"


def leave_a_stuck_release(outside: Outside) -> None:
    """A first installation by helm that waits for an operator without image, and is killed meanwhile."""
    site = outside.site
    kubeconfig = site.path / "kubeconfig"
    (chart,) = site.bundle.glob("rainbond-*.tgz")
    argv: list[str | Path] = [site.bundle / "helm-amd64", "--kubeconfig", kubeconfig, *SYSTEM, "install", "rainbond"]
    more = ["--create-namespace", "--wait", "--set", "Cluster.installVersion=none"]
    with subprocess.Popen([*argv, chart, *more], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as helm:
        wait_for(lambda: "pending-install" in releases(site), 60, "helm to begin")
        time.sleep(3)
        helm.kill()
    assert "pending-install" in releases(site)


def releases(site: LabSite) -> str:
    return site.kubectl(
        "n1", *SYSTEM, "get", "secrets", "-l", "owner=helm", "-o", "jsonpath={.items[*].metadata.labels.status}"
    )
