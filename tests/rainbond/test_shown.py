"""What workloads show against the plan: nodes and databases, passwords as digests only."""

from __future__ import annotations

from typing import Any

import pytest

from rbdtui.rainbond.releases import release_of
from rbdtui.rainbond.shown import outdated, stale, wanted
from rbdtui.rainbond.workloads import Seen
from rbdtui.spec.model import ClusterSpec
from tests.plan.support import ALL_IN_ONE, spec_of

MYSQL = {"mode": "external", "host": "198.51.100.20", "port": 3306, "username": "rbd", "password": "secret:mysql"}
NODES = ("n1", "n2", "n3")
PASSWORD = "s3cret-of-mysql"


def plan_of(**sections: Any) -> ClusterSpec:
    return spec_of(dict.fromkeys(NODES, (*ALL_IN_ONE, "build")), profile="rainbond-6", sections=sections)


def affinity(*names: str) -> dict[str, Any]:
    terms = [{"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": list(names)}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": required}}


def workload(name: str, pod: dict[str, Any]) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod}}}


def dsn(server: str = "198.51.100.20:3306", password: str = PASSWORD) -> dict[str, Any]:
    return {"containers": [{"args": ["--log-level=info", f"--mysql=rbd:{password}@tcp({server})/region"]}]}


def console(password: str = PASSWORD) -> dict[str, Any]:
    env = {"MYSQL_HOST": "198.51.100.20", "MYSQL_PORT": "3306", "MYSQL_USER": "rbd", "MYSQL_DB": "console"}
    values = [{"name": name, "value": value} for name, value in {**env, "MYSQL_PASS": password}.items()]
    return {"containers": [{"env": values}]}


@pytest.mark.parametrize(
    ("kind", "there", "told"),
    [
        ("Deployment", workload("rbd-gateway", affinity(*NODES)), ""),
        ("Deployment", workload("rbd-gateway", affinity("n1", "n2")), "rbd-gateway: on n1, n2, planned n1, n2, n3"),
        ("DaemonSet", workload("rbd-chaos", {**affinity("n3"), **dsn()}), "rbd-chaos: on n3, planned"),
        ("Deployment", workload("rbd-api", dsn()), ""),
        ("Deployment", workload("rbd-api", dsn(server="198.51.100.21:3306")), "@198.51.100.21:3306/region, planned"),
        ("Deployment", workload("rbd-worker", dsn(password="older")), "rbd-worker: database rbd:"),
        ("Deployment", workload("rbd-app-ui", console()), ""),
        ("Deployment", workload("rbd-app-ui", console("older")), "rbd-app-ui: database rbd:"),
        ("Deployment", workload("rbd-mq", {"containers": [{}]}), ""),
    ],
)
def test_a_workload_that_shows_something_else_is_told(kind: str, there: dict[str, Any], told: str) -> None:
    release = release_of("v6.2.1-release")
    assert release is not None
    lines = stale(wanted(plan_of(mysql=MYSQL), release, lambda _: PASSWORD), Seen({kind: [there]}))
    assert ([told in line for line in lines] == [True]) if told else lines == []
    assert not any(PASSWORD in line or "older" in line for line in lines)


def test_without_an_external_database_none_is_compared() -> None:
    release = release_of("v6.2.1-release")
    assert release is not None
    there = workload("rbd-api", dsn(server="rbd-db-rw:3306"))
    assert stale(wanted(plan_of(), release, lambda _: ""), Seen({"Deployment": [there]})) == []


@pytest.mark.parametrize("option", ["--etcd", "--etcd-endpoints", "--discover.etcd.addr"])
@pytest.mark.parametrize(
    ("shown", "told"),
    [
        ("10.0.0.11:2379,10.0.0.12:2379,10.0.0.13:2379", ""),
        ("http://rbd-etcd:2379", "rbd-mq: etcd http://rbd-etcd:2379, "),
    ],
)
def test_another_etcd_of_5_17_is_told(option: str, shown: str, told: str) -> None:
    release = release_of("v5.17.3-release")
    assert release is not None
    spec = spec_of(dict.fromkeys(NODES, (*ALL_IN_ONE, "build")), profile="rainbond-5.17")
    there = workload("rbd-mq", {"containers": [{"args": [f"{option}={shown}", "--etcd-ca=/run/ssl/etcd/ca-file"]}]})
    lines = stale(wanted(spec, release, lambda _: ""), Seen({"Deployment": [there]}))
    assert [line.startswith(told) for line in lines] == ([True] if told else [])


@pytest.mark.parametrize(
    ("name", "image", "told"),
    [
        ("rbd-api", "hub/rbd-api:v6.2.1-release", ""),
        ("rbd-api", "hub/rbd-api:v6.1.0-release", "rbd-api: image rbd-api:v6.1.0-release, planned v6.2.1-release"),
        ("rainbond-operator", "rainbond-operator:v6.1.0-release", "rainbond-operator: image"),
        ("rbd-monitor", "rbd-monitor:v2.20.0", ""),
        ("rbd-app-ui", "hub/rainbond:ours", ""),
        ("somebody-elses", "hub/rbd-api:v6.1.0-release", ""),
    ],
)
def test_an_image_of_another_release_is_told(name: str, image: str, told: str) -> None:
    release = release_of("v6.2.1-release")
    assert release is not None
    seen = Seen({"Deployment": [workload(name, {"containers": [{"image": image}]})]})

    lines = outdated(wanted(plan_of(), release, lambda _: ""), seen)

    assert len(lines) == bool(told)
    assert told in "".join(lines)
