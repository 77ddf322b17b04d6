"""Which workloads a plan's Rainbond is made of."""

from __future__ import annotations

import pytest

from rbdtui.rainbond.components import Component, Unused, WorkloadKind, components
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.rainbond.plans import MYSQL, NFS, NODES, ONE_GATEWAY, REGISTRY, plan, release, values

NEW = "v6.9.8-release"
OLD = "v5.17.3-release"


def of(spec: ClusterSpec, tag: str = NEW) -> dict[str, Component]:
    parts = components(spec, release(tag))
    assert len(parts) == len({part.name for part in parts})
    return {part.name: part for part in parts}


def unused(spec: ClusterSpec, tag: str = NEW) -> dict[str, Unused]:
    return {name: part.unused for name, part in of(spec, tag).items() if part.unused is not None}


def test_all_built_in() -> None:
    parts = of(plan())
    assert len(parts) == 12
    assert unused(plan()) == {}
    assert {name for name, part in parts.items() if part.replicas == 2} == {
        "rbd-hub", "rbd-worker", "rbd-api", "rbd-chaos",
    }  # fmt: skip
    stateful = {name for name, part in parts.items() if part.kind is WorkloadKind.STATEFUL_SET}
    assert stateful == {"minio", "rbd-db", "rbd-monitor"}


@pytest.mark.parametrize(("tag", "kind"), [(NEW, WorkloadKind.DEPLOYMENT), (OLD, WorkloadKind.DAEMON_SET)])
def test_gateways_and_builders_stand_on_their_nodes(tag: str, kind: WorkloadKind) -> None:
    spec = plan("rainbond-5.17" if tag == OLD else "rainbond-6")
    gateway, chaos = (of(spec, tag)[name] for name in ("rbd-gateway", "rbd-chaos"))
    assert (gateway.kind, gateway.replicas, gateway.nodes) == (kind, 3, ("n1", "n2", "n3"))
    assert (chaos.kind, chaos.replicas, chaos.nodes) == (WorkloadKind.DAEMON_SET, 2, ("n2", "n3"))


def test_more_replicas_do_not_make_more_gateways() -> None:
    parts = of(plan(more=values("{Cluster: {replicas: 3}}"), nodes=NODES))
    assert parts["rbd-gateway"].replicas == 3
    assert parts["rbd-api"].replicas == 3
    assert parts["minio"].replicas == parts["rbd-app-ui"].replicas == 1
    single = of(plan(nodes=ONE_GATEWAY.replace(", gateway]", "]", 1).replace("build], ext", "gateway, build], ext")))
    assert single["rbd-gateway"].replicas == single["rbd-api"].replicas == 1


def test_what_a_plan_does_without() -> None:
    more = MYSQL + REGISTRY + values("{Component: {rbd_app_ui: {enable: false}}}")
    assert unused(plan(more=more)) == {
        "rbd-hub": Unused.EXTERNAL_REGISTRY,
        "rbd-db": Unused.EXTERNAL_MYSQL,
        "rbd-app-ui": Unused.SWITCHED_OFF,
    }
    assert all(part.replicas == 0 for part in of(plan(more=more)).values() if part.unused)


def test_the_workloads_of_5_17() -> None:
    spec = plan("rainbond-5.17", "etcd: {mode: builtin}\n")
    parts = of(spec, OLD)
    assert len(parts) == 19
    assert unused(spec, OLD) == {"metrics-server": Unused.CLUSTER_HAS_ONE}
    assert parts["rbd-etcd"].replicas == 1
    assert parts["rbd-node"].nodes == ("n1", "n2", "n3")
    assert parts["rbd-api"].replicas == 1, "5.17 counts replicas only where it is highly available"
    ha = plan("rainbond-5.17", MYSQL + NFS)
    assert of(ha, OLD)["rbd-api"].replicas == 2
    assert {"rbd-db", "rbd-etcd", "nfs-provisioner"} <= unused(ha, OLD).keys()
    own = "kubernetes: {settings: {disable: [rke2-metrics-server]}}\n"
    assert "metrics-server" not in unused(plan("rainbond-5.17", own), OLD)


@pytest.mark.parametrize(("profile", "tag"), [("rainbond-6", NEW), ("rainbond-5.17", OLD)])
def test_an_nfs_server_has_a_provisioner_beside_rainbond(profile: str, tag: str) -> None:
    assert of(plan(profile, NFS), tag)["nfs-client-provisioner"].replicas == 1
    assert "nfs-client-provisioner" not in of(plan(profile), tag)


@pytest.mark.parametrize("language", LANGUAGES)
def test_why_something_is_not_used_is_said(language: str) -> None:
    assert all(not say(why.text, language).startswith("rainbond.") for why in Unused)
