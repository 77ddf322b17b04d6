"""The chart's values: from the plan, with the operator's laid over them, and no secret where it can be seen."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rbdtui.rainbond.values import chart_values, merged, misfits
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.references import secret_references
from tests.rainbond.plans import CLASS, MYSQL, NFS, ONE_GATEWAY, REGISTRY, plan, release, values

NEW = "v6.9.8-release"
OLD = "v5.17.3-release"
SECRETS = {"mysql": "p@ss: '\"#{}\n\u2028", "hub": "admin1234", "own": "s3"}


def helm_gets(spec: ClusterSpec, tag: str = NEW) -> dict[str, Any]:
    loaded = yaml.safe_load(chart_values(spec, release(tag), SECRETS.__getitem__).actual)
    assert isinstance(loaded, dict)
    return loaded


def env(tree: dict[str, Any], tag: str = NEW) -> dict[str, str]:
    return {item["name"]: item["value"] for item in tree["operator"]["env"]}


@pytest.mark.parametrize(("profile", "tag"), [("rainbond-6", NEW), ("rainbond-6", "v6.2.1"), ("rainbond-5.17", OLD)])
def test_nodes_and_address_are_always_given(profile: str, tag: str) -> None:
    cluster = helm_gets(plan(profile), tag)["Cluster"]
    assert cluster["gatewayIngressIPs"] == "10.0.0.100"
    assert cluster["nodesForGateway"] == [
        {"name": "n1", "internalIP": "10.0.0.11", "externalIP": "10.0.0.11"},
        {"name": "n2", "internalIP": "10.0.0.12", "externalIP": "203.0.113.2"},
        {"name": "n3", "internalIP": "10.0.0.13", "externalIP": "10.0.0.13"},
    ]
    assert cluster["nodesForChaos"] == [{"name": "n2"}, {"name": "n3"}]
    assert cluster["installVersion"] == tag
    assert cluster["regionDatabase"] == cluster["uiDatabase"] == cluster["imageHub"] == {"enable": False}
    assert "rainbondImageRepository" not in cluster


@pytest.mark.parametrize(
    ("gateway", "address"),
    [
        ("gateway: {mode: external, address: 10.0.0.9}\n", "10.0.0.9"),
        ("gateway: {mode: none}\nkubernetes: {api: {mode: first-server}}\n", "10.0.0.11"),
    ],
)
def test_the_address_is_one_text(gateway: str, address: str) -> None:
    assert helm_gets(plan(gateway=gateway))["Cluster"]["gatewayIngressIPs"] == address


@pytest.mark.parametrize(("profile", "tag"), [("rainbond-6", NEW), ("rainbond-5.17", OLD)])
def test_services_outside(profile: str, tag: str) -> None:
    cluster = helm_gets(plan(profile, MYSQL + REGISTRY), tag)["Cluster"]
    server = {"enable": True, "host": "db.lan", "port": 3307, "username": "rbd", "password": SECRETS["mysql"]}
    assert cluster["regionDatabase"] == {**server, "name": "region"}
    assert cluster["uiDatabase"] == {**server, "name": "console"}
    hub = {"enable": True, "domain": "hub.lan:5000", "namespace": "rbd", "username": "u", "password": "admin1234"}
    assert cluster["imageHub"] == hub
    assert cluster["rainbondImageRepository"] == "hub.lan:5000/rbd"


def test_a_registry_for_everybody_has_no_name_of_the_charts() -> None:
    hub = helm_gets(plan(more="registry: {mode: external, domain: hub.lan}\n"))["Cluster"]
    assert hub["imageHub"] == {"enable": True, "domain": "hub.lan", "namespace": "", "username": "", "password": ""}
    assert hub["rainbondImageRepository"] == "hub.lan"


@pytest.mark.parametrize(
    ("tag", "storage", "name"),
    [
        ("v6.2.1-release", NFS, None),
        ("v6.4.0-release", NFS, "nfs-storage"),
        (NEW, CLASS, "fast"),
        (NEW, "", None),
    ],
)
def test_a_class_is_named_where_it_is_honoured(tag: str, storage: str, name: str | None) -> None:
    assert env(helm_gets(plan(more=storage), tag)).get("STORAGE_CLASS_NAME") == name


def test_nothing_is_told_to_the_maker_and_nothing_asked_of_the_market() -> None:
    tree = helm_gets(plan())
    assert env(tree) == {"DEPLOY_VERSION": "helm", "DISABLE_LOG": "true"}
    assert tree["Component"]["rbd_app_ui"]["env"] == [{"name": "DISABLE_DEFAULT_APP_MARKET", "value": "true"}]
    assert "operator" not in helm_gets(plan(more="rainbond: {telemetry: true}\n"), "v6.2.1-release")
    assert env(helm_gets(plan(more="rainbond: {telemetry: true}\n"))) == {"DEPLOY_VERSION": "helm"}
    old = helm_gets(plan("rainbond-5.17"), OLD)
    assert env(old) == {"DISABLE_LOG": "true"}
    assert old["Component"]["rbd_app_ui"]["env"] == {"DISABLE_DEFAULT_APP_MARKET": "true"}, "5.17 wants a mapping"


def test_containerd_is_where_rke2_has_it() -> None:
    assert helm_gets(plan(), "v6.2.1-release")["Cluster"]["containerdRuntimePath"] == "/var/run/k3s/containerd"
    # Detected by helm from 6.5 on, but not in a preview without a cluster.
    assert helm_gets(plan())["Cluster"]["containerdRuntimePath"] == "/var/run/k3s/containerd"
    assert helm_gets(plan("rainbond-5.17"), OLD)["useK3sContainerd"] is True


def test_of_a_cluster_that_is_there_already_containerd_is_the_charts_matter() -> None:
    existing = "kubernetes: {distribution: existing, kubeconfig: /k}\n"
    gateway = "gateway: {mode: external, address: 10.0.0.9}\n"
    assert "containerdRuntimePath" not in helm_gets(plan(more=existing, gateway=gateway))["Cluster"]
    assert helm_gets(plan("rainbond-5.17", existing, gateway=gateway), OLD)["useK3sContainerd"] is False


def test_no_more_replicas_than_gateways() -> None:
    assert helm_gets(plan())["Cluster"]["replicas"] == 2
    one = ONE_GATEWAY.replace("gateway, build], ext", "build], ext").replace("worker, gateway]", "worker, gateway]")
    assert helm_gets(plan(nodes=one))["Cluster"]["replicas"] == 1


def test_5_17_re_uses_etcd_and_makes_its_class() -> None:
    tree = helm_gets(plan("rainbond-5.17", MYSQL + NFS + REGISTRY), OLD)
    cluster = tree["Cluster"]
    assert cluster["enableHA"] is True
    assert cluster["enableEnvCheck"] is False
    endpoints = ["10.0.0.11:2379", "10.0.0.12:2379", "10.0.0.13:2379"]
    assert cluster["etcd"] == {"enable": True, "endpoints": endpoints, "secretName": "rbd-etcd-secret"}
    assert cluster["RWX"] == {"enable": True, "type": "none", "config": {"storageClassName": "nfs-client"}}
    assert cluster["RWO"] == {"enable": False}
    assert "nfs-client-provisioner" not in tree, "its class is there before the chart, whose own would be refused"
    assert tree["operator"]["image"] == {"tag": OLD, "name": "hub.lan:5000/rbd/rainbond-operator"}


@pytest.mark.parametrize("more", [MYSQL, NFS, MYSQL + NFS + "etcd: {mode: builtin}\n"])
def test_5_17_is_not_called_highly_available_by_half(more: str) -> None:
    assert helm_gets(plan("rainbond-5.17", more), OLD)["Cluster"]["enableHA"] is False


def test_an_etcd_elsewhere() -> None:
    etcd = "etcd: {mode: external, endpoints: ['e1:2379'], ca: /a, cert: /b, key: /c}\n"
    assert helm_gets(plan("rainbond-5.17", etcd), OLD)["Cluster"]["etcd"]["endpoints"] == ["e1:2379"]
    assert helm_gets(plan("rainbond-5.17", "etcd: {mode: builtin}\n"), OLD)["Cluster"]["etcd"] == {"enable": False}


def test_secrets_are_names_in_what_is_shown_line_by_line() -> None:
    spec = plan(more=MYSQL + REGISTRY + values("{Component: {rbd_api: {env: [{name: P, value: secret:own}]}}}"))
    content = chart_values(spec, release(NEW), SECRETS.__getitem__)
    assert content.has_secret
    assert content.shown.count('"secret:mysql"') == 2
    assert '"secret:own"' in content.shown
    assert not any(secret in content.shown for secret in SECRETS.values())
    assert len(content.shown.splitlines()) == len(content.actual.decode().splitlines())
    assert helm_gets(spec)["Component"]["rbd_api"]["env"] == [{"name": "P", "value": "s3"}]
    assert ("rainbond.values.Component.rbd_api.env[0].value", "own") in list(secret_references(spec))
    assert not chart_values(plan(), release(NEW), SECRETS.__getitem__).has_secret


def test_values_of_the_operator_are_laid_over() -> None:
    more = values("{operator: {env: [{name: A, value: b}]}, Cluster: {replicas: 3, imagePullPolicy: Always}}")
    tree = helm_gets(plan(more=more))
    assert env(tree) == {"DEPLOY_VERSION": "helm", "DISABLE_LOG": "true", "A": "b"}, "helm would replace the list"
    assert (tree["Cluster"]["replicas"], tree["Cluster"]["imagePullPolicy"]) == (3, "Always")


def test_what_is_ours_stays_ours() -> None:
    more = values("{Cluster: {gatewayIngressIPs: [1.2.3.4], imageHub: {enable: true}, nodesForChaos: []}}")
    assert helm_gets(plan(more=more)) == helm_gets(plan())
    assert helm_gets(plan(more=values("{Cluster: text, operator: []}"))) == helm_gets(plan())
    assert list(misfits({"Cluster": {"replicas": 1}}, {"Cluster": {"replicas": [1]}})) == ["Cluster.replicas"]


SCALARS = st.sampled_from([None, True, 7, 0.5, "", "a: b", "no", "'\"#\n\u2028"])
KEYS = st.sampled_from(["a", "b", "on", "c d"])
VARIABLES = st.lists(
    st.builds(lambda name, value: {"name": name, "value": value}, KEYS, SCALARS),
    max_size=3,
    unique_by=itemgetter("name"),
)
TREES = st.dictionaries(
    KEYS,
    st.recursive(
        SCALARS | st.lists(SCALARS, max_size=3) | VARIABLES,
        lambda below: st.dictionaries(KEYS, below, max_size=3),
        max_leaves=6,
    ),
    max_size=3,
)


def leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    if not isinstance(tree, dict):
        return {path: tree}
    return {place: leaf for key, below in tree.items() for place, leaf in leaves(below, (*path, key)).items()}


@settings(max_examples=40, deadline=None)
@given(TREES, TREES)
def test_what_is_laid_over_is_there_unless_its_shape_does_not_fit(base: dict[str, Any], over: dict[str, Any]) -> None:
    result = merged(base, over)
    unfit = set(misfits(base, over))
    there = leaves(result)
    for path, value in leaves(over).items():
        if any(".".join(path[:depth]) in unfit for depth in range(1, len(path) + 1)) or isinstance(value, list):
            continue
        assert there[path] == value
    assert merged(result, over) == result
    assert merged(base, {}) == base
    assert merged({}, over) == over
    assert set(base) | set(over) == set(result)


@settings(max_examples=40, deadline=None)
@given(VARIABLES, VARIABLES)
def test_variables_are_joined_by_name(base: list[dict[str, Any]], over: list[dict[str, Any]]) -> None:
    result = merged({"env": [{"name": "always", "value": 1}, *base]}, {"env": over})["env"]
    assert isinstance(result, list)
    by_name = {item["name"]: item["value"] for item in result}
    assert len(by_name) == len(result)
    assert by_name["always"] == 1
    assert {item["name"]: item["value"] for item in over}.items() <= by_name.items()
    assert {item["name"] for item in (*base, *over)} | {"always"} == set(by_name)


@settings(max_examples=40, deadline=None)
@given(TREES)
def test_helm_reads_what_was_written(tree: dict[str, Any]) -> None:
    more = plan(more="rainbond: {values: {}}\n")
    rainbond = more.rainbond.model_copy(update={"values": {"extra": tree}})
    spec = more.model_copy(update={"rainbond": rainbond})
    assert helm_gets(spec)["extra"] == tree
