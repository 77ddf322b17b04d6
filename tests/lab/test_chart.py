"""The lab's charts of Rainbond: the vendor's value keys, and what each of them does, as helm itself renders it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.archive import write_compressed
from tests.lab.bundle import helm_program
from tests.lab.cache import Cache, cache_root
from tests.lab.chart import chart_archive
from tests.lab.shell import LabError, run, to_stderr

pytestmark = pytest.mark.lab

KEYS = {
    "serviceAccount": {"name"},
    "operator": {"name"},
    "Cluster": {
        *("imageHub", "regionDatabase", "uiDatabase", "gatewayIngressIPs", "nodesForGateway", "nodesForChaos"),
        *("rainbondImageRepository", "installVersion", "imagePullPolicy", "replicas", "containerdRuntimePath"),
    },
    "Component": {"rbd_app_ui"},
}
DATABASE = {"enable", "host", "name", "password", "port", "username"}
DEFAULTS = {
    "local-path-provisioner": ("local-path-provisioner:v0.0.30", 1),
    "minio": ("minio:RELEASE.2023-10-24T04-42-36Z", 1),
    "rbd-hub": ("registry:2.6.2", 1),
    "rbd-mq": ("rbd-mq:v6.2.1-release", 1),
    "rbd-monitor": ("rbd-monitor:v2.20.0", 1),
    "rbd-db": ("rbd-db:8.0.19", 1),
    "rbd-chaos": ("rbd-chaos:v6.2.1-release", 1),
    "rbd-worker": ("rbd-worker:v6.2.1-release", 1),
    "rbd-api": ("rbd-api:v6.2.1-release", 1),
    "rbd-app-ui": ("rainbond:v6.2.1-release", 1),
}
REPOSITORY = "registry.cn-hangzhou.aliyuncs.com/goodrain"


@pytest.fixture(scope="session")
def helm() -> Path:
    return helm_program(Cache(cache_root(), to_stderr), to_stderr)


class Chart:
    def __init__(self, helm: Path, directory: Path, release: str) -> None:
        name, data = chart_archive(release)
        self.file, self.helm = directory / name, helm
        write_compressed(self.file, data)

    def shown(self, what: str) -> Any:
        return yaml.safe_load(run([self.helm, "show", what, self.file]).stdout)

    def rendered(self, values: Mapping[str, object] | None = None) -> list[dict[str, Any]]:
        """Every object that helm would create, those of lists one by one."""
        argv: list[str | Path] = [self.helm, "template", "rainbond", self.file, "-n", "rbd-system", "-f", "-"]
        found = yaml.safe_load_all(run(argv, stdin=json.dumps(values or {})).stdout)
        return [item for each in found if each for item in each.get("items", [each])]

    def components(self, values: Mapping[str, object] | None = None) -> dict[str, dict[str, Any]]:
        return {
            each["metadata"]["name"]: each["spec"] for each in self.rendered(values) if each["kind"] == "RbdComponent"
        }

    def cluster(self, **values: object) -> dict[str, Any]:
        (found,) = [each for each in self.rendered({"Cluster": values}) if each["kind"] == "RainbondCluster"]
        return dict(found["spec"])

    def operator(self, values: Mapping[str, object] | None = None) -> dict[str, Any]:
        (found,) = [each for each in self.rendered(values) if each["kind"] == "Deployment"]
        return dict(found["spec"]["template"]["spec"])


@pytest.fixture
def chart(helm: Path, tmp_path: Path) -> Chart:
    return Chart(helm, tmp_path, "6.2.1")


def paths(pod: Mapping[str, Any]) -> Sequence[object]:
    return [volume["hostPath"] for volume in pod["volumes"]]


def test_the_keys_are_those_of_the_vendors_chart(chart: Chart) -> None:
    values = chart.shown("values")
    assert {name: set(part) for name, part in values.items()} == KEYS
    assert set(values["Cluster"]["regionDatabase"]) == set(values["Cluster"]["uiDatabase"]) == DATABASE
    assert set(values["Cluster"]["imageHub"]) == {"enable", "domain", "namespace", "username", "password"}
    about = chart.shown("chart")
    assert (about["name"], about["version"]) == ("rainbond", "6.2.1")


def test_definitions_are_those_that_the_vendor_brings(chart: Chart) -> None:
    found = run([chart.helm, "show", "crds", chart.file]).stdout
    names = {each["metadata"]["name"] for each in yaml.safe_load_all(found) if each}
    assert len(names) == 18
    assert names >= {"rainbondclusters.rainbond.io", "rbdcomponents.rainbond.io", "apisixtlses.apisix.apache.org"}


def test_components_and_their_images_by_default(chart: Chart) -> None:
    found = chart.components()
    gateway = found.pop("rbd-gateway")
    assert gateway["image"] == f"{REPOSITORY}/apisix-ingress-controller:v1.8.3@{REPOSITORY}/apisix:3.9.1-debian"
    assert {name: (spec["image"], spec["replicas"]) for name, spec in found.items()} == {
        name: (f"{REPOSITORY}/{image}", replicas) for name, (image, replicas) in DEFAULTS.items()
    }
    assert [name for name, spec in found.items() if not spec["priorityComponent"]] == ["rbd-app-ui"]


def test_replicas_reach_four_components_and_the_gateway_alone(chart: Chart) -> None:
    found = chart.components({"Cluster": {"replicas": 2}})
    assert {name for name, spec in found.items() if spec["replicas"] == 2} == {
        *("rbd-gateway", "rbd-hub", "rbd-chaos", "rbd-worker", "rbd-api"),
    }


@pytest.mark.parametrize("enabled", [["regionDatabase"], ["uiDatabase"], ["regionDatabase", "uiDatabase"]])
def test_one_external_database_is_enough_to_lose_the_built_in_one(chart: Chart, enabled: list[str]) -> None:
    values = {name: {"enable": True, "host": "192.0.2.7"} for name in enabled}
    assert "rbd-db" not in chart.components({"Cluster": values})
    spec = chart.cluster(**values)
    assert [name for name in ("regionDatabase", "uiDatabase") if name in spec] == enabled
    assert spec[enabled[0]]["port"] == 3306


def test_an_external_database_needs_a_host(chart: Chart) -> None:
    with pytest.raises(LabError, match=r"regionDatabase\.host cannot be empty"):
        chart.cluster(regionDatabase={"enable": True, "host": ""})


def test_the_hub_is_written_only_when_it_is_enabled(chart: Chart) -> None:
    assert "imageHub" not in chart.cluster()
    hub = {"domain": "hub.example:5000", "namespace": "n", "username": "u", "password": "1234"}
    assert chart.cluster(imageHub={"enable": True, **hub})["imageHub"] == hub


def test_the_address_of_the_gateway_is_one_text_whatever_is_given(chart: Chart) -> None:
    assert chart.cluster(gatewayIngressIPs="192.0.2.1")["gatewayIngressIPs"] == ["192.0.2.1"]
    assert chart.cluster(gatewayIngressIPs=["192.0.2.1", "192.0.2.2"])["gatewayIngressIPs"] != [
        "192.0.2.1",
        "192.0.2.2",
    ]
    assert chart.cluster()["suffixHTTPHost"] == ""


def test_nodes_are_handed_on_as_they_are(chart: Chart) -> None:
    gateways = [{"name": "n1", "internalIP": "192.0.2.1", "externalIP": "192.0.2.1"}]
    spec = chart.cluster(nodesForGateway=gateways, nodesForChaos=[{"name": "n2"}])
    assert (spec["nodesForGateway"], spec["nodesForChaos"]) == (gateways, [{"name": "n2"}])
    assert not {"nodesForGateway", "nodesForChaos", "gatewayIngressIPs"} & chart.cluster().keys()


def test_containerd_is_where_it_was_told_for_operator_and_builder(chart: Chart) -> None:
    values = {"Cluster": {"containerdRuntimePath": "/var/run/k3s/containerd"}}
    own = {"path": "/var/run/k3s/containerd", "type": "Directory"}
    assert paths(chart.operator(values)) == [own, {"path": "/var", "type": "Directory"}]
    assert paths(chart.components(values)["rbd-chaos"]) == [own]
    assert paths(chart.operator())[0] == {"path": "/run/containerd", "type": "Directory"}


def test_the_console_can_be_left_out_and_has_an_environment_of_its_own(chart: Chart) -> None:
    off: Mapping[str, object] = {"Component": {"rbd_app_ui": {"enable": False}}}
    assert "rbd-app-ui" not in chart.components(off)
    env = [{"name": "DISABLE_DEFAULT_APP_MARKET", "value": "true"}]
    found = chart.components({"Component": {"rbd_app_ui": {"env": env}}})["rbd-app-ui"]["env"]
    assert found == [{"name": "DB_TYPE", "value": "mysql"}, *env]


def test_the_operators_environment_is_handed_on(chart: Chart) -> None:
    env = {"name": "DISABLE_LOG", "value": "true"}
    (container,) = chart.operator({"operator": {"env": [env]}})["containers"]
    assert container["env"][-1] == env
    assert {each["name"] for each in container["env"]} >= {"RBD_NAMESPACE", "RAINBOND_IMAGE_REPOSITORY"}


@pytest.mark.parametrize(
    ("release", "config", "aliases", "apisix"),
    [
        ("6.2.1", False, False, "3.9.1-debian"),
        ("6.5.2", True, False, "3.9.1-debian-fix"),
        ("6.9.3", True, True, "3.9.1-debian-fix"),
    ],
)
def test_what_charts_of_other_releases_bring(
    helm: Path, tmp_path: Path, release: str, config: bool, aliases: bool, apisix: str
) -> None:
    chart = Chart(helm, tmp_path, release)
    nodes = {"nodesForGateway": [{"name": "n1", "internalIP": "192.0.2.1", "externalIP": "192.0.2.1"}]}
    made = {each["metadata"]["name"] for each in chart.rendered() if each["kind"] == "ConfigMap"}
    assert ("apisix-gw-config.yaml" in made) is config
    assert ("hostAliases" in chart.operator({"Cluster": nodes})) is aliases
    assert chart.components()["rbd-gateway"]["image"].endswith(f"/apisix:{apisix}")
    assert bool(chart.shown("values")["Cluster"]["containerdRuntimePath"]) is (release == "6.2.1")
    assert chart.components()["rbd-api"]["image"].endswith(f":v{release}-release")
    described = run([chart.helm, "show", "crds", chart.file]).stdout
    (component,) = [
        each
        for each in yaml.safe_load_all(described)
        if each and each["metadata"]["name"] == "rbdcomponents.rainbond.io"
    ]
    schema = component["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert ("affinity" in schema) is (release != "6.2.1")


KEYS_OF_5 = {
    *("rbac", "serviceAccount", "useK3sContainerd", "operator", "Cluster", "Component", "nfs-client-provisioner"),
}
CLUSTER_OF_5 = {
    *("enableHA", "enableEnvCheck", "imageHub", "etcd", "RWX", "RWO", "regionDatabase", "uiDatabase"),
    *("rainbondImageRepository", "installVersion", "imagePullPolicy", "replicas"),
}


def test_the_chart_of_5_17_has_its_own_keys_and_components(helm: Path, tmp_path: Path) -> None:
    chart = Chart(helm, tmp_path, "5.17.3")
    values = chart.shown("values")
    assert (set(values), set(values["Cluster"])) == (KEYS_OF_5, CLUSTER_OF_5)
    assert chart.shown("chart")["name"] == "rainbond-cluster"
    assert len(chart.components()) == 18
    outside = {name: {"enable": True, "host": "192.0.2.7"} for name in ("regionDatabase", "uiDatabase")}
    assert len(chart.components({"Cluster": outside})) == 17
    assert "rbd-db" in chart.components({"Cluster": {"uiDatabase": outside["uiDatabase"]}})
    etcd = {"enable": True, "endpoints": ["192.0.2.1:2379"], "secretName": "rbd-etcd-secret"}
    assert "rbd-etcd" not in chart.components({"Cluster": {"etcd": etcd}})
    assert {spec["replicas"] for spec in chart.components({"Cluster": {"replicas": 3}}).values()} == {1}
    assert 3 in {spec["replicas"] for spec in chart.components({"Cluster": {"replicas": 3, "enableHA": True}}).values()}
    assert "Job" in {each["kind"] for each in chart.rendered()}
    without = chart.rendered({"Cluster": {"enableEnvCheck": False}})
    assert "Job" not in {each["kind"] for each in without}
    assert paths(chart.operator({"useK3sContainerd": True}))[0] == {
        "path": "/var/run/k3s/containerd",
        "type": "Directory",
    }
    described = run([helm, "show", "crds", chart.file]).stdout
    assert len([each for each in yaml.safe_load_all(described) if each]) == 12
