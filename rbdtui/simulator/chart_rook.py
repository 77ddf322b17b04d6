"""The demo's chart of Rook: our own, with the vendor's keys of values.yaml, rendered here and by nobody else.

Source of the keys and of what the templates make: rook/rook@v1.19.10, deploy/charts/rook-ceph (the simulated RKE2 is
of a Kubernetes that 1.20 is not made for); ceph/ceph-csi-operator, deploy/charts/ceph-csi-operator.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import yaml

from rbdtui.simulator.chart import SIMULATED, Tree, all_objects, definitions

NAME: Final = "rook-ceph"
CHART_VERSION: Final = "v1.19.10"
NAMESPACE: Final = "rook-ceph"
CEPH: Final = "quay.io/ceph/ceph:v19.2.6"
OPERATOR, DRIVERS = "rook-ceph-operator", "ceph-csi-controller-manager"
_CSI: Final[Mapping[str, str]] = {
    "cephcsi": "quay.io/cephcsi/cephcsi:v3.16.2",
    "registrar": "registry.k8s.io/sig-storage/csi-node-driver-registrar:v2.16.0",
    "provisioner": "registry.k8s.io/sig-storage/csi-provisioner:v6.1.1",
    "snapshotter": "registry.k8s.io/sig-storage/csi-snapshotter:v8.5.0",
    "attacher": "registry.k8s.io/sig-storage/csi-attacher:v4.11.0",
    "resizer": "registry.k8s.io/sig-storage/csi-resizer:v2.1.0",
}
_ROOK: Final = f"docker.io/rook/ceph:{CHART_VERSION}"
_CSI_OPERATOR: Final = "quay.io/cephcsi/ceph-csi-operator:v0.6.0"
_WITHIN: Final = "ceph-csi-operator"
"""The chart within it, whose image stands in its own values alone."""
_GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    "ceph.rook.io/v1": {
        "CephCluster": "cephclusters",
        "CephBlockPool": "cephblockpools",
        "CephFilesystem": "cephfilesystems",
        "CephFilesystemSubVolumeGroup": "cephfilesystemsubvolumegroups",
    },
    "csi.ceph.io/v1": {"OperatorConfig": "operatorconfigs", "Driver": "drivers"},
}
"""Some of its definitions."""


def images() -> list[str]:
    """Names of all images that it needs, Ceph's own among them."""
    return [_ROOK, CEPH, _CSI_OPERATOR, *_CSI.values()]


def _image(name: str) -> dict[str, str]:
    repository, _, tag = name.rpartition(":")
    return {"repository": repository, "tag": tag}


def chart_files() -> dict[str, str]:
    """The chart's files by path, as ``helm package`` has them."""
    about = {
        "apiVersion": "v2", "name": NAME, "type": "application", "version": CHART_VERSION, "appVersion": CHART_VERSION,
        "description": "Rook, simulated",
    }  # fmt: skip
    values = {
        "image": _image(_ROOK) | {"pullPolicy": "IfNotPresent"},
        "crds": {"enabled": True},
        "allowLoopDevices": False,
        "enableDiscoveryDaemon": False,
        "csi": {"rookUseCsiOperator": True, **{part: _image(name) for part, name in _CSI.items()}},
        _WITHIN: {
            "fullnameOverride": "ceph-csi",
            "controllerManager": {"manager": {"env": {"csiServiceAccountPrefix": ""}}},
        },
    }
    within = {"apiVersion": "v2", "name": _WITHIN, "version": _CSI_OPERATOR.rpartition(":v")[2]}
    of_within = {"controllerManager": {"manager": {"image": _image(_CSI_OPERATOR), "env": {"watchNamespace": ""}}}}
    files = {
        f"{NAME}/Chart.yaml": yaml.safe_dump(about, sort_keys=False),
        f"{NAME}/values.yaml": yaml.safe_dump(values, sort_keys=False),
        f"{NAME}/templates/NOTES.txt": SIMULATED,
        f"{NAME}/charts/{_WITHIN}/Chart.yaml": yaml.safe_dump(within, sort_keys=False),
        f"{NAME}/charts/{_WITHIN}/values.yaml": yaml.safe_dump(of_within, sort_keys=False),
    }
    for definition in definitions(_GROUPS):
        files[f"{NAME}/crds/{definition['metadata']['name']}.yaml"] = yaml.safe_dump(definition, sort_keys=False)
    return files


def render(values: Tree, namespace: str) -> list[Tree]:
    """All objects that the chart makes besides its definitions; raises `ChartError`."""
    return all_objects(NAME, _objects(values, namespace))


def _objects(values: Tree, namespace: str) -> Iterator[Tree]:
    yield _deployment(OPERATOR, values["image"], namespace)
    yield _deployment(DRIVERS, _image(_CSI_OPERATOR), namespace)


def _deployment(name: str, image: Tree, namespace: str) -> Tree:
    labels = {"app": name}
    container = {"name": name, "image": f"{image['repository']}:{image['tag']}", "imagePullPolicy": "IfNotPresent"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": {"replicas": 1, "selector": {"matchLabels": labels}, "template": template},
    }
