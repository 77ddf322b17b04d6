"""Rainbond 5.17 on a simulated cluster, from bare hosts to its proof, with all that it can have outside of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rbdtui.plan.builder import build_plan
from rbdtui.plan.step import Plan, StepContext
from rbdtui.plan.steps.rainbond.access import open_api
from rbdtui.rainbond.images import needed_images
from rbdtui.rainbond.releases import release_of
from rbdtui.spec.model import ClusterSpec
from tests.lab.servers.registry import Registry, registry, unavailable
from tests.plan.support import Bench, bench
from tests.plan.walk import Walked, walk

NAMESPACED = "namespaces/rbd-system"
USER, PASSWORD, DATABASE_PASSWORD = "rbd", "Push-1", "canary-of-mysql"


def planned(at: Bench, **sections: object) -> ClusterSpec:
    data = at.context.spec.model_dump(mode="json", exclude_unset=True)
    nodes = [{**node, "roles": [*node["roles"], "build"]} for node in data["nodes"]]
    return ClusterSpec.model_validate({**data, "profile": "rainbond-5.17", "nodes": nodes, **sections})


def outside(at: Bench, hub: Registry) -> dict[str, object]:
    return {
        "storage": {"mode": "nfs", "server": "198.51.100.9", "path": "/data"},
        "registry": {
            "mode": "external", "domain": f"{hub.address}:{hub.port}", "namespace": "rbd", "scheme": "http",
            "username": USER, "password": "secret:hub",
        },
        "mysql": {
            "mode": "external", "host": str(at.machine("node1").ip), "username": "rbd", "password": "secret:mysql",
        },
        "rainbond": {"domain_suffix": "apps.lan"},
    }  # fmt: skip


def pull_from(hub: Registry, at: Bench, spec: ClusterSpec) -> None:
    """What containerd would pull: the simulated one reaches no registry."""
    release = release_of("v5.17.3-release")
    assert release is not None
    for machine in at.fleet.machines.values():
        for name in ("rainbond-operator:v5.17.3-release", *needed_images(spec, release)):
            machine.images[f"{hub.address}:{hub.port}/rbd/{name}"] = "sha256:simulated"


async def objects(context: StepContext, *paths: str) -> list[Any]:
    async with open_api(context) as api:
        return [await api.kube.get(path) for path in paths]


def order(plan: Plan) -> list[str]:
    names = [step.name for step in plan.steps if not step.node]
    return names[names.index("rainbond-namespace") :]


@pytest.mark.timeout(300)
@pytest.mark.skipif(unavailable() is not None, reason=f"NOT TESTED AGAINST A REAL REGISTRY: {unavailable()}")
async def test_with_everything_outside_it_ends_proven_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    """All of it in one: each step builds on what the one before has left in the cluster."""
    with registry(user=USER, password=PASSWORD) as hub:
        async with bench(tmp_path, 3, old=True) as at:
            spec = planned(at, **outside(at, hub))
            secrets = {"hub": PASSWORD, "mysql": DATABASE_PASSWORD}
            known = at.context.secret
            context = replace(at.context, spec=spec, secret=lambda name: secrets.get(name) or known(name))
            pull_from(hub, at, spec)
            at.machine().listen(3306, "mysqld")
            plan = build_plan(spec, context.facts)
            first = await walk(plan, context)
            at.machine("node2").files.remove("/var/lib/rancher/rke2/server/tls/etcd/client.key")
            second = await walk(plan, context)
            cluster, secret, api, ingresses, components = await objects(
                context,
                f"/apis/rainbond.io/v1alpha1/{NAMESPACED}/rainbondclusters/rainbondcluster",
                f"/api/v1/{NAMESPACED}/secrets/rbd-etcd-secret",
                f"/apis/apps/v1/{NAMESPACED}/deployments/rbd-api",
                f"/apis/networking.k8s.io/v1/{NAMESPACED}/ingresses",
                f"/apis/rainbond.io/v1alpha1/{NAMESPACED}/rbdcomponents",
            )
            told = json.dumps([[*at.heard.lines], *map(str, at.heard.notes), *map(changes, first.values())])
    assert order(plan)[:3] == ["rainbond-namespace", "rainbond-etcd-secret", "storage-provisioner"]
    assert first["rainbond-etcd-secret"].changed
    assert first["rainbond-trial"].changed
    assert [step.step for step in second.values() if step.changed] == []
    assert cluster["spec"]["enableHA"] is True
    assert cluster["spec"]["suffixHTTPHost"] == "apps.lan"
    assert cluster["spec"]["etcdConfig"]["endpoints"] == [f"{node.address}:2379" for node in spec.nodes]
    assert sorted(secret["data"]) == ["ca-file", "cert-file", "key-file"]
    assert api["spec"]["replicas"] == 2
    (container,) = api["spec"]["template"]["spec"]["containers"]
    assert any(argument.startswith("--etcd-key=") for argument in container["args"])
    assert "rbdtui-proof" not in {item["metadata"]["name"] for item in ingresses["items"]}
    made = {item["metadata"]["name"] for item in components["items"]}
    assert {"rbd-etcd", "rbd-db"}.isdisjoint(made)
    assert "PRIVATE KEY" not in told
    assert not {PASSWORD, DATABASE_PASSWORD} & set(told.split('"'))


def changes(done: Walked) -> list[str]:
    return list(done.changes)
