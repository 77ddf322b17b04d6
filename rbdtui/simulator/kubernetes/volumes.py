"""Claims and volumes of a simulated cluster: provisioned, bound, reserved, given back and reclaimed.

Sources: kubernetes@v1.30.4 pkg/controller/volume/persistentvolume/pv_controller.go (syncVolume, syncUnboundClaim: a
volume whose claimRef names a claim without its uid waits for that claim; one whose claim has gone, or has come anew, is
released); rancher/local-path-provisioner@v0.0.30 provisioner.go (a hostPath, tied to its node by nodeAffinity).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Final

from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import Store
from rbdtui.simulator.kubernetes.telling import event, is_ready

_MADE_BY: Final = "pv.kubernetes.io/provisioned-by"
_LOCAL_PATHS: Final = "/opt/rainbond/local-path-provisioner"
IN_CLUSTER: Final = "10.43.7.49"
"""The Service of an NFS server that runs in the cluster, and is one pod with the volume `_EXPORTED`."""
_EXPORTED: Final = "nfs-provisioner"
_EXPORTS: Final = "rainbond.io/nfs"


class Volumes:
    """The controller of claims and volumes, with the provisioners that serve it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pods, self._claims = store.kind("", "pods"), store.kind("", "persistentvolumeclaims")
        self._volumes = store.kind("", "persistentvolumes")

    def step(self) -> None:
        """One pass over all of them."""
        for claim in self._store.listed(self._claims):
            self._bind(claim)
        for volume in self._store.listed(self._volumes):
            self._reclaim(volume)

    def tied_to(self, claim: Object) -> str:
        """The node that a claim's volume is on; empty where it is on none, or not there yet."""
        found = self._store.find(self._volumes, "", claim["spec"].get("volumeName", "")) or {"spec": {}}
        required = found["spec"].get("nodeAffinity", {}).get("required", {})
        terms = required.get("nodeSelectorTerms", [{"matchExpressions": [{"values": [""]}]}])
        return str(terms[0]["matchExpressions"][0]["values"][0])

    def _bind(self, claim: Object) -> None:
        if is_bound(claim):
            return
        store, metadata = self._store, claim["metadata"]
        if not claim.get("status"):
            store.set_status(self._claims, metadata["namespace"], metadata["name"], {"phase": "Pending"})
        if claim["spec"].get("volumeName"):
            self._bind_to_its_volume(claim)
            return
        found = _class_of(store, claim)
        if found is None:
            name = claim["spec"].get("storageClassName", "")
            event(store, claim, "ProvisioningFailed", f'storageclass.storage.k8s.io "{name}" not found')
            return
        node = self._first_consumer(claim)
        if not node and not binds_at_once(store, claim):
            words = "waiting for first consumer to be created before binding"
            event(store, claim, "WaitForFirstConsumer", words, warning=False)
            return
        served_by = provisioner_pod(store, found["provisioner"])
        if served_by is None:
            words = (
                f"Waiting for a volume to be created either by the external provisioner '{found['provisioner']}' or "
                "manually by the system administrator."
            )
            event(store, claim, "ExternalProvisioning", words, warning=False)
            return
        nfs = {"server": IN_CLUSTER, "path": "/export"} if found["provisioner"] == _EXPORTS else _nfs_of(served_by)
        self._provision(claim, found, node, nfs)

    def _bind_to_its_volume(self, claim: Object) -> None:
        """A claim that names a volume which somebody has made for it, or reserved."""
        store, name, metadata = self._store, claim["spec"]["volumeName"], claim["metadata"]
        volume = store.find(self._volumes, "", name)
        if volume is None:
            event(store, claim, "FailedBinding", f'volume "{name}" not found')
            return
        reference = volume["spec"].get("claimRef")
        if reference is not None and not _is_for(reference, claim):
            words = f'volume "{name}" already bound to a different claim.'
            event(store, claim, "FailedBinding", words)
            return
        bound = copy.deepcopy(volume)
        bound["spec"]["claimRef"] = _reference(metadata)
        store.put(self._volumes, bound)
        store.set_status(self._volumes, "", name, {"phase": "Bound"})
        status = {"phase": "Bound", "capacity": volume["spec"].get("capacity", {})}
        store.set_status(self._claims, metadata["namespace"], metadata["name"], status)

    def _provision(self, claim: Object, storage_class: Object, node: str, nfs: Object) -> None:
        store, metadata = self._store, claim["metadata"]
        name = f"pvc-{metadata['uid']}"
        volume = {
            "metadata": {
                "name": name,
                "annotations": {"pv.kubernetes.io/provisioned-by": storage_class["provisioner"]},
            },
            "spec": {
                "capacity": claim["spec"].get("resources", {}).get("requests", {}),
                "accessModes": claim["spec"].get("accessModes", []),
                "claimRef": _reference(metadata),
                "storageClassName": storage_class["metadata"]["name"],
                "persistentVolumeReclaimPolicy": storage_class.get("reclaimPolicy", "Delete"),
                **_place(name, metadata, node, nfs),
            },
        }
        store.create(self._volumes, "", volume)
        store.set_status(self._volumes, "", name, {"phase": "Bound"})
        bound = copy.deepcopy(claim)
        bound["spec"]["volumeName"] = name
        bound["status"] = {"phase": "Bound", "capacity": volume["spec"]["capacity"]}
        store.put(self._claims, bound)
        event(store, claim, "ProvisioningSucceeded", f"Successfully provisioned volume {name}", warning=False)

    def _reclaim(self, volume: Object) -> None:
        """A volume whose claim is gone goes as well, by the hand of whoever made it, or is kept."""
        store, spec, name = self._store, volume["spec"], volume["metadata"]["name"]
        reference, phase = spec.get("claimRef", {}), volume.get("status", {}).get("phase")
        if phase == "Released" and reference and "uid" not in reference:
            store.set_status(self._volumes, "", name, {"phase": "Available"})
            return
        if phase not in ("Bound", "Released"):
            return
        claim = store.find(self._claims, reference["namespace"], reference["name"])
        if claim is not None and _is_for(reference, claim):
            return
        found = store.find(store.kind("storage.k8s.io", "storageclasses"), "", spec.get("storageClassName", ""))
        maker = provisioner_pod(store, found["provisioner"]) if found is not None else None
        if spec.get("persistentVolumeReclaimPolicy") == "Delete" and maker is not None:
            store.delete(self._volumes, "", name)
            store.contents.pop(name, None)
        elif phase == "Bound":
            store.set_status(self._volumes, "", name, {"phase": "Released"})

    def _first_consumer(self, claim: Object) -> str:
        """The node of the first pod with a claim; empty when none has one."""
        for pod in self._store.listed(self._pods, claim["metadata"]["namespace"]):
            names = [v.get("persistentVolumeClaim", {}).get("claimName") for v in pod["spec"].get("volumes", [])]
            if claim["metadata"]["name"] in names and pod["spec"].get("nodeName"):
                return str(pod["spec"]["nodeName"])
        return ""


def provisioner_pod(store: Store, provisioner: str) -> Object | None:
    """The pod that makes volumes of a class, if it is ready: told by its name, or by what it was given."""
    for pod in store.listed(store.kind("", "pods")):
        words = json.dumps(pod["spec"]["containers"])
        local = provisioner == "rancher.io/local-path" and "local-path-provisioner" in words
        if is_ready(pod) and (local or provisioner in words):
            return pod
    return None


def exports(store: Store) -> bool:
    """Whether the NFS server in the cluster answers."""
    return provisioner_pod(store, _EXPORTS) is not None


def directory(node: str, path: str) -> str:
    """Where the files of a directory of a node are in the store's contents."""
    return f"{node}:{path}"


def files_of(store: Store, name: str) -> tuple[dict[str, str], str]:
    """All files of the place where a volume is, and how the names of those begin that are the volume's own."""
    kind = store.kind("", "persistentvolumes")
    volume = store.find(kind, "", name) or {"metadata": {}, "spec": {}}
    beneath = ""
    if volume["spec"].get("nfs", {}).get("server") == IN_CLUSTER:
        volume, beneath = store.find(kind, "", _EXPORTED) or volume, f"{name}/"
    path = volume["spec"].get("hostPath", {}).get("path", "")
    if path and _MADE_BY not in volume["metadata"].get("annotations", {}):
        terms = volume["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"]
        return store.contents.setdefault(directory(terms[0]["matchExpressions"][0]["values"][0], path), {}), beneath
    return store.contents.setdefault(name, {}), beneath


def _reference(metadata: Object) -> Object:
    kept = {key: metadata[key] for key in ("namespace", "name", "uid")}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim"} | kept


def _is_for(reference: Object, claim: Object) -> bool:
    """Whether a volume's reference means a claim: by name, and by uid where it has one."""
    metadata = claim["metadata"]
    if (reference.get("namespace"), reference.get("name")) != (metadata["namespace"], metadata["name"]):
        return False
    return reference.get("uid") in (None, metadata["uid"])


def _place(name: str, metadata: Object, node: str, nfs: Object) -> Object:
    """Where a volume is: on an NFS server, in a directory of the node of its first user, or nowhere in particular."""
    if nfs:
        return {"nfs": nfs | {"path": f"{nfs['path']}/{name}"}}
    if not node:
        return {}
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    path = f"{_LOCAL_PATHS}/{name}_{metadata['namespace']}_{metadata['name']}"
    return {
        "hostPath": {"path": path, "type": "DirectoryOrCreate"},
        "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
    }


def _nfs_of(pod: Object) -> Object:
    """The directory in which a provisioner makes volumes; empty for one that has none on a server."""
    env = {each["name"]: each.get("value", "") for each in pod["spec"]["containers"][0].get("env", [])}
    return {"server": env["NFS_SERVER"], "path": env["NFS_PATH"]} if "NFS_SERVER" in env else {}


def claims_of(store: Store, pod: Object) -> Iterator[Object | None]:
    """The claims that a pod names; None for one that is not there."""
    kind = store.kind("", "persistentvolumeclaims")
    for volume in pod["spec"].get("volumes", []):
        if claim := volume.get("persistentVolumeClaim"):
            yield store.find(kind, pod["metadata"]["namespace"], claim["claimName"])


def _class_of(store: Store, claim: Object) -> Object | None:
    kind = store.kind("storage.k8s.io", "storageclasses")
    if name := claim["spec"].get("storageClassName"):
        return store.find(kind, "", name)
    key = "storageclass.kubernetes.io/is-default-class"
    marked = (each for each in store.listed(kind) if each["metadata"].get("annotations", {}).get(key) == "true")
    return next(marked, None)


def binds_at_once(store: Store, claim: Object) -> bool:
    found = _class_of(store, claim)
    return found is None or found.get("volumeBindingMode", "Immediate") == "Immediate"


def is_bound(claim: Object) -> bool:
    return bool(claim.get("status", {}).get("phase") == "Bound")
