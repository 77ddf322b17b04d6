"""The demo's chart of Rainbond 5.17: our own, with the vendor's keys of values.yaml, rendered here and by nobody else.

Source of the keys and of what the templates make: goodrain/rainbond-chart v5.17.3-release.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.simulator.chart import (
    OUTSIDE_DATABASES,
    OUTSIDE_HUB,
    RAINBOND_KINDS,
    REPOSITORY,
    SIMULATED,
    Tree,
    account,
    all_objects,
    chosen,
    operator,
    packed,
)

NAME: Final = "rainbond-cluster"
CHART_VERSION: Final = "5.17.3"
RELEASE: Final = "v5.17.3-release"
NAMESPACE: Final = "rbd-system"
"""Written into every custom resource, whatever helm is told."""
_CONTAINERD: Final = "/var/run/k3s/containerd"
_DEFAULTS: Final = f"""# {SIMULATED}rbac:
  create: true
serviceAccount:
  create: true
  name: rainbond-operator
useK3sContainerd: false
operator:
  name: rainbond-operator
  env:
  image:
    name: {REPOSITORY}/rainbond-operator
    tag: {RELEASE}
    pullPolicy: IfNotPresent
  logLevel: 4
Cluster:
  enableHA: false
  enableEnvCheck: true
{OUTSIDE_HUB}  etcd:
    enable: false
    endpoints: ["192.0.2.1:2379"]
    secretName: rbd-etcd-secret
  RWX:
    enable: false
    type: none
    config:
      storageClassName: glusterfs-simple
      server:
  RWO:
    enable: false
    storageClassName: glusterfs-simple
{OUTSIDE_DATABASES}  gatewayIngressIPs:
  nodesForGateway:
  nodesForChaos:
  rainbondImageRepository: {REPOSITORY}
  installVersion: {RELEASE}
  imagePullPolicy: IfNotPresent
  replicas: 2
Component:
  rbd_app_ui:
    enable: true
    env:
nfs-client-provisioner:
  childChart:
    enable: false
  image:
    repository: rainbond/nfs-client-provisioner
    tag: v4.0.2
  nfs:
    server:
    path: /ifs/kubernetes
    mountOptions:
  storageClass:
    name: nfs-client
"""
_GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "rainbond.io/v1alpha1": {**RAINBOND_KINDS, "RainbondPackage": "rainbondpackages"},
    "monitoring.coreos.com/v1": {"ServiceMonitor": "servicemonitors"},
}
_PLAIN_IMAGES: Final[Mapping[str, str]] = {
    "rbd-etcd": "etcd:v3.3.18",
    "rbd-hub": "registry:2.6.2",
    "metrics-server": "metrics-server:v0.4.1",
    "dashboard-metrics-scraper": "metrics-scraper:v1.0.4",
    "kubernetes-dashboard": "kubernetes-dashboard:v2.6.1",
    "rbd-db": "rbd-db:8.0.19",
    "nfs-provisioner": "nfs-provisioner:latest",
}
_ONCE: Final = frozenset({"rbd-resource-proxy", "rbd-monitor", "rbd-db", "rbd-eventlog", "rbd-app-ui", "rbd-etcd"})
_FIRST: Final = ("rbd-etcd", "rbd-gateway", "rbd-node", "rbd-hub", "nfs-provisioner")
"""What must be there before anything else."""
_ORDER: Final = (
    *_FIRST, "metrics-server", "rbd-mq", "rbd-resource-proxy", "rbd-webcli", "dashboard-metrics-scraper",
    "kubernetes-dashboard", "rbd-monitor", "rbd-db", "rbd-chaos", "rbd-worker", "rbd-eventlog", "rbd-api", "rbd-app-ui",
)  # fmt: skip
_BESIDE: Final = (
    f"rbd-init-probe:{RELEASE}",
    f"rbd-mesh-data-panel:{RELEASE}",
    "mysqld-exporter:latest",
    "nfs-client-provisioner:v4.0.2",
)


def images() -> list[str]:
    """Names of all images that the release needs."""
    names = [_image(name) for name in _ORDER]
    operator = f"rainbond-operator:{RELEASE}"
    return [f"{REPOSITORY}/{name}" for name in (operator, *names, *_BESIDE)]


def _image(component: str) -> str:
    if component == "rbd-app-ui":
        return f"rainbond:{RELEASE}-allinone"
    return _PLAIN_IMAGES.get(component, f"{component}:{RELEASE}")


def chart_files() -> dict[str, str]:
    """The chart's files by path, as ``helm package`` has them."""
    return packed(NAME, CHART_VERSION, RELEASE, _DEFAULTS, _GROUPS)


def render(values: Tree, namespace: str) -> list[Tree]:
    """All objects that the chart makes besides its definitions; raises `ChartError`."""
    return all_objects(NAME, _objects(values, namespace))


def _objects(values: Tree, namespace: str) -> Iterator[Tree]:
    cluster, image = values["Cluster"], values["operator"]["image"]
    yield from account(values, namespace)
    path = _CONTAINERD if values["useK3sContainerd"] else "/run"
    yield operator(values, namespace, f"{image['name']}:{image['tag']}", image["pullPolicy"], path)
    yield _rainbond("RainbondCluster", "rainbondcluster", _cluster(cluster))
    yield _rainbond("RainbondPackage", "rainbondpackage", {"pkgPath": "/opt/rainbond/pkg/tgz/rainbond.tgz"})
    volume = {"imageRepository": cluster["rainbondImageRepository"]}
    own = {"csiPlugin": {"nfs": {}}, "storageRequest": 1}
    rwx = {"storageClassName": cluster["RWX"]["config"]["storageClassName"]} if cluster["RWX"]["enable"] else own
    yield _rainbond("RainbondVolume", "rainbondvolumerwx", volume | rwx)
    if cluster["RWO"]["enable"]:
        rwo = {"storageClassName": cluster["RWO"]["storageClassName"]}
        yield _rainbond("RainbondVolume", "rainbondvolumerwo", volume | rwo)
    for component in _ORDER:
        if not _is_left_out(component, values):
            yield _rainbond("RbdComponent", component, _component(component, values))


def _is_left_out(component: str, values: Tree) -> bool:
    cluster = values["Cluster"]
    return bool(
        (component == "rbd-etcd" and cluster["etcd"]["enable"])
        or (component == "rbd-db" and cluster["regionDatabase"]["enable"] and cluster["uiDatabase"]["enable"])
        or (component == "rbd-app-ui" and not values["Component"]["rbd_app_ui"]["enable"])
    )


def _rainbond(kind: str, name: str, spec: Tree) -> Tree:
    labels = {"name": name, "creator": "Rainbond", "belongTo": "rainbond-operator"}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": labels}
    return {"apiVersion": "rainbond.io/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _cluster(cluster: Tree) -> Tree:
    spec: Tree = {
        "enableHA": cluster["enableHA"],
        "configCompleted": True,
        "installMode": "WithoutPackage",
        "suffixHTTPHost": "",
        "rainbondImageRepository": cluster["rainbondImageRepository"],
        "installVersion": cluster["installVersion"],
    }
    if cluster["etcd"]["enable"]:
        spec["etcdConfig"] = {key: cluster["etcd"][key] for key in ("endpoints", "secretName")}
    return spec | chosen(cluster)


def _component(name: str, values: Tree) -> Tree:
    cluster = values["Cluster"]
    several = cluster["enableHA"] and name not in _ONCE and name != "nfs-provisioner"
    spec: Tree = {
        "replicas": cluster["replicas"] if several else 1,
        "image": f"{cluster['rainbondImageRepository']}/{_image(name)}",
        "imagePullPolicy": cluster["imagePullPolicy"],
        "priorityComponent": name in _FIRST,
    }
    if name in {"rbd-node", "rbd-chaos"} and values["useK3sContainerd"]:
        spec["volumes"] = [{"name": "containerdsock", "hostPath": {"path": _CONTAINERD, "type": "Directory"}}]
    if name == "rbd-app-ui":
        given = values["Component"]["rbd_app_ui"].get("env") or {}
        more = [{"name": key, "value": str(value)} for key, value in given.items()]
        spec["env"] = [{"name": "DB_TYPE", "value": "mysql"}, *more]
    return spec
