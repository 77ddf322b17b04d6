"""The demo's chart of Rainbond: our own, with the vendor's keys of values.yaml, rendered here and by nobody else.

Source of the keys and of what the templates make: goodrain/rainbond-chart v6.2.1-release to v6.9.3-release.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import yaml

Tree = dict[str, Any]

CHART_VERSION: Final = "6.9.3"
RELEASE: Final = "v6.9.3-release"
CONFIG_SINCE: Final = (6, 3, 1)
"""From here on the chart brings the gateway's ConfigMap, and definitions with ``affinity``."""
REPOSITORY: Final = "registry.cn-hangzhou.aliyuncs.com/goodrain"
SIMULATED: Final = "SIMULATED: only the helm of the demo's bundle makes anything of this chart.\n"
OUTSIDE_HUB: Final = """  imageHub:
    enable: false
    domain: registry.example.com
    namespace: rainbond
    username: admin
    password: admin
"""
OUTSIDE_DATABASES: Final = """  regionDatabase:
    enable: false
    host: 192.0.2.1
    port: 3306
    name: region
    username: admin
    password: password
  uiDatabase:
    enable: false
    host: 192.0.2.1
    port: 3306
    name: console
    username: admin
    password: password
"""
_DEFAULTS: Final = f"""# {SIMULATED}serviceAccount:
  name: rainbond-operator
operator:
  name: rainbond-operator
  env:
@ENV@Cluster:
{OUTSIDE_HUB}{OUTSIDE_DATABASES}  gatewayIngressIPs:
  nodesForGateway:
  nodesForChaos:
  rainbondImageRepository: {REPOSITORY}
  installVersion: @RELEASE@
  imagePullPolicy: IfNotPresent
  replicas: 1
  containerdRuntimePath:
Component:
  rbd_app_ui:
    enable: true
    env:
"""
RAINBOND_KINDS: Final[Mapping[str, str]] = {
    "RainbondCluster": "rainbondclusters", "RbdComponent": "rbdcomponents", "HelmApp": "helmapps",
    "ComponentDefinition": "componentdefinitions", "RainbondVolume": "rainbondvolumes",
    "RBDAbility": "rbdabilities", "RBDPlugin": "rbdplugins", "ServiceMeshClass": "servicemeshclasses",
    "ServiceMesh": "servicemeshes", "ThirdComponent": "thirdcomponents",
}  # fmt: skip
"""Kinds of rainbond.io that every release has, with their plurals."""
_GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "rainbond.io/v1alpha1": RAINBOND_KINDS,
    "apisix.apache.org/v2": {
        "ApisixClusterConfig": "apisixclusterconfigs", "ApisixConsumer": "apisixconsumers",
        "ApisixGlobalRule": "apisixglobalrules", "ApisixPluginConfig": "apisixpluginconfigs",
        "ApisixRoute": "apisixroutes", "ApisixTls": "apisixtlses", "ApisixUpstream": "apisixupstreams",
    },
    "monitoring.coreos.com/v1": {"ServiceMonitor": "servicemonitors"},
}  # fmt: skip
_PLAIN_IMAGES: Final[Mapping[str, str]] = {
    "local-path-provisioner": "local-path-provisioner:v0.0.30",
    "minio": "minio:RELEASE.2023-10-24T04-42-36Z",
    "rbd-hub": "registry:2.6.2",
    "rbd-monitor": "rbd-monitor:v2.20.0",
    "rbd-db": "rbd-db:8.0.19",
}
_RELEASED_IMAGES: Final[Mapping[str, str]] = {
    "rbd-mq": "rbd-mq",
    "rbd-chaos": "rbd-chaos",
    "rbd-worker": "rbd-worker",
    "rbd-api": "rbd-api",
    "rbd-app-ui": "rainbond",
}
_SEVERAL: Final = frozenset({"rbd-gateway", "rbd-hub", "rbd-chaos", "rbd-worker", "rbd-api"})
_ORDER: Final = (
    "local-path-provisioner", "minio", "rbd-gateway", "rbd-hub", "rbd-mq", "rbd-monitor", "rbd-db", "rbd-chaos",
    "rbd-worker", "rbd-api", "rbd-app-ui",
)  # fmt: skip


class ChartError(Exception):
    """Not a chart, or values that its templates break on; the words are helm's."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart that was read."""

    about: Tree
    """Chart.yaml."""
    values: Tree
    text: str
    """values.yaml as it stands."""
    definitions: tuple[Tree, ...]
    """Of ``crds/``, also of the charts within."""

    @property
    def title(self) -> str:
        """Name and version, as lists of releases show it."""
        return f"{self.about['name']}-{self.about['version']}"


def numbers(version: str) -> tuple[int, ...]:
    """Of a version such as ``6.9.3`` or a tag such as ``v6.9.3-release``, so that they can be compared."""
    return tuple(map(int, version.removeprefix("v").partition("-")[0].split(".")))


def images(release: str = RELEASE) -> list[str]:
    """Names of all images that a release needs."""
    helper = "alpine:3" if numbers(release) >= (6, 7, 2) else "alpine:latest"
    plain = [*_PLAIN_IMAGES.values(), *_gateway_images(release), helper, "nfs-subdir-external-provisioner:v4.0.2"]
    released = [f"{name}:{release}" for name in ("rainbond-operator", "rbd-init-probe", *_RELEASED_IMAGES.values())]
    return [f"{REPOSITORY}/{name}" for name in (*plain, *released)]


def _gateway_images(version: str) -> tuple[str, str]:
    """From 6.3.2 on there is a repaired one."""
    fixed = "-fix" if numbers(version) >= (6, 3, 2) else ""
    return "apisix-ingress-controller:v1.8.3", f"apisix:3.9.1-debian{fixed}"


def chart_files(version: str = CHART_VERSION) -> dict[str, str]:
    """The chart's files by path, as ``helm package`` has them."""
    env = "  - name: DEPLOY_VERSION\n    value: helm\n" if numbers(version) >= (6, 9, 3) else ""
    defaults = _DEFAULTS.replace("@ENV@", env).replace("@RELEASE@", f"v{version}-release")
    fields = {"RbdComponent": ("affinity",)} if numbers(version) >= CONFIG_SINCE else {}
    return packed("rainbond", version, f"v{version}-release", defaults, _GROUPS, fields)


def packed(
    name: str,
    version: str,
    release: str,
    defaults: str,
    groups: Mapping[str, Mapping[str, str]],
    fields: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
) -> dict[str, str]:
    """The files of a chart of ours; ``groups`` has the plurals of its definitions by API and kind, ``fields`` what
    the ``spec`` of a kind has that older definitions have not."""
    about = {
        "apiVersion": "v2", "name": name, "type": "application", "version": version,
        "appVersion": release, "description": "Rainbond, simulated",
    }  # fmt: skip
    files = {
        f"{name}/Chart.yaml": yaml.safe_dump(about, sort_keys=False),
        f"{name}/values.yaml": defaults,
        f"{name}/templates/NOTES.txt": SIMULATED,
    }
    for definition in definitions(groups, fields):
        files[f"{name}/crds/{definition['metadata']['name']}.yaml"] = yaml.safe_dump(definition, sort_keys=False)
    return files


def definitions(
    groups: Mapping[str, Mapping[str, str]],
    fields: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    *,
    scope: str = "Namespaced",
) -> Iterator[Tree]:
    """The definitions of kinds, as `packed` has them."""
    for group_version, kinds in groups.items():
        group, _, version = group_version.partition("/")
        for kind, plural in kinds.items():
            names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
            schema: Tree = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
            if kind in fields:
                known = {field: {"type": "object"} for field in fields[kind]}
                schema["properties"] = {"spec": schema | {"properties": known}}
            served = {
                "name": version, "served": True, "storage": True, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": schema},
            }  # fmt: skip
            yield {
                "apiVersion": "apiextensions.k8s.io/v1",
                "kind": "CustomResourceDefinition",
                "metadata": {"name": f"{plural}.{group}"},
                "spec": {"group": group, "names": names, "scope": scope, "versions": [served]},
            }


def read_chart(path: Path) -> Chart:
    """A chart's directory or archive; raises `ChartError`."""
    try:
        files = _directory(path) if path.is_dir() else _archive(path)
        about, text = yaml.safe_load(files["Chart.yaml"]), files.get("values.yaml", "")
        # helm takes those of the charts within as well.
        named = [name for name in sorted(files) if name.startswith("crds/") or "/crds/" in name]
        return Chart(about, yaml.safe_load(text) or {}, text, tuple(yaml.safe_load(files[name]) for name in named))
    except FileNotFoundError:
        raise ChartError(f'path "{path}" not found') from None
    except KeyError:
        raise ChartError("Chart.yaml file is missing") from None
    except (OSError, tarfile.TarError, ValueError, yaml.YAMLError) as error:
        raise ChartError(f"file '{path}' does not appear to be a valid archive; got '{error}'") from None


def _directory(path: Path) -> dict[str, str]:
    return {str(each.relative_to(path)): each.read_text() for each in path.rglob("*") if each.is_file()}


def _archive(path: Path) -> dict[str, str]:
    files = {}
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        for member in archive:
            source = archive.extractfile(member)
            if source is not None:
                files[member.name.removeprefix("./").partition("/")[2]] = source.read().decode()
    return files


def render(values: Tree, namespace: str, version: str = CHART_VERSION) -> list[Tree]:
    """All objects that the chart of a version makes besides its definitions; raises `ChartError`."""
    return all_objects("rainbond", _objects(values, namespace, version))


def all_objects(chart: str, objects: Iterator[Tree]) -> list[Tree]:
    """What the templates of a chart make; raises `ChartError` where they break on a value."""
    try:
        return list(objects)
    except (KeyError, TypeError, AttributeError) as error:
        words = f"{type(error).__name__}: {error}"
        raise ChartError(
            f"template: {chart}/templates/rbdcomponent_helm.yaml: error calling include: {words}"
        ) from None


def gateway_config(namespace: str) -> Tree:
    """The gateway's ConfigMap: of the chart, or of an older operator."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "apisix-gw-config.yaml", "namespace": namespace},
        "data": {"config.yaml": "apisix: {node_listen: [80]}\n"},
    }


def _objects(values: Tree, namespace: str, version: str) -> Iterator[Tree]:
    cluster = values["Cluster"]
    yield from account(values, namespace)
    if numbers(version) >= CONFIG_SINCE:
        yield gateway_config(namespace)
    image = f"{cluster['rainbondImageRepository']}/rainbond-operator:{cluster['installVersion']}"
    path = cluster.get("containerdRuntimePath") or "/var/run/k3s/containerd"
    yield operator(values, namespace, image, cluster["imagePullPolicy"], path)
    yield _cluster(cluster, namespace)
    for component in _ORDER:
        has_other = cluster["regionDatabase"]["enable"] or cluster["uiDatabase"]["enable"]
        if component == "rbd-db" and has_other:
            continue
        if component == "rbd-app-ui" and not values["Component"]["rbd_app_ui"]["enable"]:
            continue
        yield _component(component, values, namespace, version)


def account(values: Tree, namespace: str) -> Iterator[Tree]:
    """The operator's account, which may do everything."""
    name = values["serviceAccount"]["name"]
    yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}
    yield {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": name},
        "roleRef": role,
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }


def operator(values: Tree, namespace: str, image: str, pull_policy: str, run_path: str) -> Tree:
    """The operator's Deployment; what is at ``run_path`` on the node it sees as the directory of containerd."""
    name, labels = values["operator"]["name"], {"control-plane": values["operator"]["name"], "release": "rainbond"}
    container = {
        "name": name,
        "image": image,
        "imagePullPolicy": pull_policy,
        "args": ["--leader-elect", f"--zap-log-level={values['operator'].get('logLevel', 4)}"],
        "env": values["operator"].get("env") or [],
    }
    volumes = [
        {"name": "rundir", "hostPath": {"path": run_path, "type": "Directory"}},
        {"name": "vardir", "hostPath": {"path": "/var", "type": "Directory"}},
    ]
    pod = {"serviceAccountName": values["serviceAccount"]["name"], "containers": [container], "volumes": volumes}
    template = {"metadata": {"labels": labels}, "spec": pod}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }


def chosen(cluster: Tree) -> Tree:
    """What a RainbondCluster takes over of ``Cluster``: address, registry, databases and nodes that are given."""
    spec: Tree = {}
    if cluster.get("gatewayIngressIPs"):
        # One address: a list is written as its text, which is no address.
        spec["gatewayIngressIPs"] = [str(cluster["gatewayIngressIPs"])]
    if cluster["imageHub"]["enable"]:
        words = ("domain", "namespace", "username", "password")
        spec["imageHub"] = {word: str(cluster["imageHub"].get(word, "")) for word in words}
    for word in ("regionDatabase", "uiDatabase"):
        if cluster[word]["enable"]:
            spec[word] = {key: cluster[word][key] for key in ("host", "port", "username", "password", "name")}
    for word in ("nodesForGateway", "nodesForChaos"):
        if cluster.get(word):
            spec[word] = cluster[word]
    return spec


def _cluster(cluster: Tree, namespace: str) -> Tree:
    spec: Tree = {
        "suffixHTTPHost": "",
        "rainbondImageRepository": cluster["rainbondImageRepository"],
        "installVersion": cluster["installVersion"],
    }
    spec |= chosen(cluster)
    metadata = {"name": "rainbondcluster", "namespace": namespace}
    return {"apiVersion": "rainbond.io/v1alpha1", "kind": "RainbondCluster", "metadata": metadata, "spec": spec}


def _component(name: str, values: Tree, namespace: str, version: str) -> Tree:
    cluster = values["Cluster"]
    repository, release = cluster["rainbondImageRepository"], cluster["installVersion"]
    if name == "rbd-gateway":
        image = "@".join(f"{repository}/{each}" for each in _gateway_images(version))
    elif name in _PLAIN_IMAGES:
        image = f"{repository}/{_PLAIN_IMAGES[name]}"
    else:
        image = f"{repository}/{_RELEASED_IMAGES[name]}:{release}"
    spec: Tree = {
        "replicas": cluster["replicas"] if name in _SEVERAL else 1,
        "image": image,
        "imagePullPolicy": cluster["imagePullPolicy"],
        "priorityComponent": name != "rbd-app-ui",
    }
    if name == "rbd-chaos":
        path = cluster.get("containerdRuntimePath") or "/var/run/k3s/containerd"
        spec["volumes"] = [{"name": "containerdsock", "hostPath": {"path": path, "type": "Directory"}}]
    if name == "rbd-app-ui":
        spec["env"] = [{"name": "DB_TYPE", "value": "mysql"}, *(values["Component"]["rbd_app_ui"].get("env") or [])]
    metadata = {"name": name, "namespace": namespace, "labels": {"name": name, "creator": "Rainbond"}}
    return {"apiVersion": "rainbond.io/v1alpha1", "kind": "RbdComponent", "metadata": metadata, "spec": spec}


def manifest(objects: list[Tree]) -> str:
    """As helm keeps and prints it."""
    return "".join(f"---\n# Source: rainbond\n{yaml.safe_dump(each, sort_keys=False)}" for each in objects)


def read_manifest(text: str) -> list[Tree]:
    """What `manifest` wrote."""
    return [each for each in yaml.safe_load_all(text) if each]


def plain(value: object) -> str:
    """JSON in one line."""
    return json.dumps(value, separators=(",", ":"))
