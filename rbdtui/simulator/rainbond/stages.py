"""What the components of Rainbond 5.17 wait for: the shared volume, the registry, and the stages of the package.

Source: goodrain/rainbond-operator v5.17.2-release, controllers/rainbondvolume_controller.go,
rainbondpackage_controller.go, cluster-mgr/precheck/imagerepo.go; seen in runs up to the package.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Final

from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import Store
from rbdtui.simulator.kubernetes.telling import condition
from rbdtui.simulator.rainbond.parts import BUILTIN_HUB, NAMESPACE
from rbdtui.simulator.rainbond.parts_old import NFS_CLASS, NFS_PROVISIONER, ready_replicas

STAGES: Final = ("Init", "DownloadPackage", "UnpackPackage", "PushImage", "Ready")


def go_on(cluster: Cluster, spec: Object, pod: Object) -> None:
    """One pass over volumes and package; ``pod`` is the operator's own."""
    _volumes(cluster.store)
    _package(cluster, spec, pod)


def conditions(cluster: Cluster, spec: Object) -> Iterator[Object]:
    """Of the RainbondCluster."""
    for kind, word in (("DatabaseRegion", "regionDatabase"), ("DatabaseConsole", "uiDatabase")):
        silent = cluster.faults.database_silent
        host = (spec.get(word) or {}).get("host", "rbd-db-rw")
        message = f"dial tcp {host}:3306: connect: connection refused" if silent else ""
        yield condition(kind, not silent, "DatabaseFailed" if silent else "", message)
    yield condition("KubernetesVersion", True)
    yield condition("Storage", False, "InProgress", "precheck for Storage is in progress")
    has_hub = _has_hub(cluster.store, spec)
    yield condition("ImageRepository", has_hub, "" if has_hub else "ImageRepoFailed")


def _has_hub(store: Store, spec: Object) -> bool:
    """Whether the operator can log in to the registry: its own one is behind the gateway."""
    hub = spec.get("imageHub") or {}
    if hub.get("domain") != BUILTIN_HUB:
        return bool(hub)
    return bool(ready_replicas(store, "rbd-hub") and ready_replicas(store, "rbd-gateway"))


def _volumes(store: Store) -> None:
    kind = store.kind("rainbond.io", "rainbondvolumes")
    classes = store.kind("storage.k8s.io", "storageclasses")
    for volume in store.listed(kind, NAMESPACE):
        name = str(volume["spec"].get("storageClassName", ""))
        if not name and ready_replicas(store, "nfs-provisioner"):
            name = NFS_CLASS
            if store.find(classes, "", name) is None:
                body = {"metadata": {"name": name}, "provisioner": NFS_PROVISIONER, "reclaimPolicy": "Retain"}
                store.create(classes, "", body)
        status = {"conditions": [condition("Ready", True)]}
        if name and store.find(classes, "", name) is not None and volume.get("status") != status:
            store.set_status(kind, NAMESPACE, volume["metadata"]["name"], status)


def _package(cluster: Cluster, spec: Object, pod: Object) -> None:
    """One stage in a pass, once there is a registry; images are pushed by way of containerd's socket."""
    store = cluster.store
    kind = store.kind("rainbond.io", "rainbondpackages")
    found = store.find(kind, NAMESPACE, "rainbondpackage")
    if found is None:
        return
    reached = {each["type"]: each["status"] for each in found.get("status", {}).get("conditions", [])}
    stage = next((each for each in STAGES if reached.get(each) != "Completed"), "")
    if not stage:
        return
    reached[stage] = "Completed"
    if not _has_hub(store, spec):
        reached[stage] = "Waiting"
    elif stage == "PushImage" and not _reaches_containerd(cluster, pod):
        reached[stage] = "Failed"
    status = {"conditions": [{"type": each, "status": value} for each, value in reached.items()]}
    if status != found.get("status"):
        store.set_status(kind, NAMESPACE, "rainbondpackage", copy.deepcopy(status))


def _reaches_containerd(cluster: Cluster, pod: Object) -> bool:
    """Whether the socket is in the directory that the operator was given as ``/run/containerd``."""
    node = cluster.nodes.get(pod["spec"].get("nodeName", ""))
    paths = [v["hostPath"]["path"] for v in pod["spec"].get("volumes", []) if v["name"] == "rundir"]
    if node is None or not paths:
        return False
    place = paths[0].replace("/var/run/", "/run/", 1)
    socket = f"{place}/containerd.sock" if place != "/run" else "/run/containerd/containerd.sock"
    return node.machine.files.exists(socket)
