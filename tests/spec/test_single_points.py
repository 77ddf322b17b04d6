"""What exists only once in a plan, and what stands still with it."""

from __future__ import annotations

import pytest

from rbdtui.profiles import PROFILES
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.single_points import Loss, single_points
from rbdtui.words import LANGUAGES, say

NODES = """\
  - {name: n1, address: 10.0.0.11, roles: [control-plane, etcd, worker, gateway, build]}
  - {name: n2, address: 10.0.0.12, roles: [control-plane, etcd, worker, gateway, build]}
  - {name: n3, address: 10.0.0.13, roles: [control-plane, etcd, worker]}
"""
VIP = "gateway: {mode: keepalived, vip: 10.0.0.100/24, virtual_router_id: 87}\n"
MYSQL = "mysql: {mode: external, host: db.lan, username: rbd, password: secret:mysql}\n"
REGISTRY = "registry: {mode: external, domain: hub.lan}\n"
NFS = "storage: {mode: nfs, server: nas.lan, path: /data}\n"
V6_ALWAYS = {"rbd-app-ui", "minio", "rbd-monitor", "rbd-mq", "local-path-provisioner", "rainbond-operator"}


def plan(profile: str, more: str = "", *, nodes: str = NODES, gateway: str = VIP) -> ClusterSpec:
    text = f"apiVersion: rbdtui/v1\nname: a\nprofile: {profile}\nbundle: /b\nnodes:\n{nodes}{gateway}{more}"
    loaded = parse_spec(text)
    assert loaded.spec is not None, loaded.findings
    return loaded.spec


def losses(spec: ClusterSpec) -> dict[str, Loss]:
    return {point.part: point.loss for point in single_points(spec)}


def stopping(spec: ClusterSpec) -> set[str]:
    return {part for part, loss in losses(spec).items() if loss is Loss.STOPS}


def test_a_kubernetes_of_three_servers_behind_a_vip_has_none() -> None:
    assert single_points(plan("kubernetes-only")) == []


def test_kubesphere_has_each_part_three_times_with_three_servers_alone() -> None:
    section = "kubesphere: {install: true}\n"
    assert losses(plan("kubernetes-only", section)) == {"ks-museum": Loss.MOVES}
    one = plan("kubernetes-only", section, nodes="\n".join(NODES.splitlines()[:1]) + "\n")
    assert losses(one)["ks-parts"] is Loss.MOVES
    points = [point for point in single_points(one) if point.part.startswith("ks-")]
    assert all("single_point" not in say(point.text, language) for point in points for language in LANGUAGES)


@pytest.mark.parametrize(
    ("more", "nodes", "gateway", "parts"),
    [
        ("kubernetes: {api: {mode: first-server}}\n", NODES, VIP, {"api"}),
        ("", "\n".join(NODES.splitlines()[:1]) + "\n", VIP, {"api", "kubernetes-etcd"}),
        ("kubernetes: {api: {mode: external, address: 10.0.0.9}}\n", NODES, VIP, {"balancer"}),
        ("", NODES, "gateway: {mode: external, address: 10.0.0.9}\n", {"balancer"}),
    ],
)
def test_what_kubernetes_has_only_once(more: str, nodes: str, gateway: str, parts: set[str]) -> None:
    assert set(losses(plan("kubernetes-only", more, nodes=nodes, gateway=gateway))) == parts


def test_all_built_in_stops_with_the_node_that_has_the_data() -> None:
    spec = plan("rainbond-6")
    assert stopping(spec) == {"rbd-db", "rbd-hub", "rbd-app-ui", "minio", "rbd-monitor", "registry-name"}
    assert set(losses(spec)) == stopping(spec) | V6_ALWAYS
    choices = {point.part: point.choice for point in single_points(spec)}
    assert (choices["rbd-db"], choices["rbd-hub"], choices["minio"]) == ("mysql.mode", "registry.mode", "storage.mode")


@pytest.mark.parametrize(
    ("version", "stop"),
    [
        ("v6.2.1-release", {"rbd-app-ui", "minio", "rbd-monitor"}),
        ("v6.3.9-release", {"rbd-app-ui", "minio", "rbd-monitor"}),
        ("v6.4.0-release", set()),
        ("v6.9.8-release", set()),
        ("", {"rbd-app-ui", "minio", "rbd-monitor"}),
    ],
)
def test_external_services_leave_what_the_version_keeps_on_a_local_disk(version: str, stop: set[str]) -> None:
    named = f"rainbond: {{version: {version}}}\n" if version else ""
    spec = plan("rainbond-6", MYSQL + REGISTRY + NFS + named)
    assert stopping(spec) == stop
    assert set(losses(spec)) == V6_ALWAYS | {"mysql", "registry", "nfs", "nfs-client-provisioner"}
    outside = {point.at for point in single_points(spec) if point.loss is Loss.OUTSIDE}
    assert outside == {"db.lan", "hub.lan", "nas.lan"}


def test_5_17_has_an_etcd_and_a_storage_of_its_own() -> None:
    built_in = plan("rainbond-5.17", "etcd: {mode: builtin}\n")
    assert {"rbd-etcd", "nfs-provisioner", "rbd-db", "rbd-hub", "rbd-eventlog"} <= stopping(built_in)
    assert "minio" not in losses(built_in)
    outside = plan("rainbond-5.17", MYSQL + REGISTRY + NFS)
    assert stopping(outside) == set()
    assert {"rbd-etcd", "nfs-provisioner", "rbd-db", "rbd-hub"}.isdisjoint(losses(outside))


@pytest.mark.parametrize("gateway", ["gateway: {mode: none}\n", VIP])
def test_a_gateway_that_nobody_takes_over_from(gateway: str) -> None:
    one = NODES.replace("gateway, ", "", 1)
    nodes = NODES if "none" in gateway else one
    api = "kubernetes: {api: {mode: external, address: 10.0.0.9}}\n"
    assert "gateway" in stopping(plan("rainbond-6", api, nodes=nodes, gateway=gateway))


def test_what_stops_comes_first_and_everything_has_its_sentence() -> None:
    for profile in PROFILES:
        points = single_points(plan(profile.name, "kubernetes: {api: {mode: first-server}}\n"))
        order = [tuple(Loss).index(point.loss) for point in points]
        assert order == sorted(order)
        for point in points:
            for language in LANGUAGES:
                assert "single_point" not in say(point.text, language)
                assert "{" not in say(point.text, language)
