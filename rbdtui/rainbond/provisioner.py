"""What makes volumes on an NFS server: the objects of its provisioner in the cluster, and the class that it serves.

Its program: kubernetes-sigs/nfs-subdir-external-provisioner v4.0.2, cmd/nfs-subdir-external-provisioner/provisioner.go
(environment, directory, what becomes of a volume's data) and deploy/rbac.yaml (what it asks of the API). The shapes of
the objects are those of kubernetes.io, API reference.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.storage import StorageMode

NAME: Final = "nfs-client-provisioner"
"""Of its Deployment, its account and its roles."""
PROVISIONER: Final = "rbdtui.io/nfs"
"""How the class names it: no other one in the cluster answers to that."""
CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
VOLUMES: Final = "/api/v1/persistentvolumes"
CLAIMS: Final = f"/api/v1/namespaces/{NAMESPACE}/persistentvolumeclaims"
LABELS: Final[Mapping[str, str]] = {"app.kubernetes.io/name": NAME, "app.kubernetes.io/managed-by": "rbdtui"}
SELECTOR: Final = "%2C".join(f"{key}%3D{value}" for key, value in LABELS.items())
"""The same as a query of the API has it."""
_IMAGE: Final = re.compile(r"(?:nfs-subdir-external-provisioner|nfs-client-provisioner):v4\.[0-9][\w.-]*")
"""Under both names it is the same program; before version 4 it does not run on Kubernetes 1.20 and later."""
CLIENT: Final = "mount.nfs"
"""What kubelet needs on every node."""
CLIENT_PACKAGES: Final = ("nfs-common", "nfs-utils", "nfs-client")
"""What brings it: Debian's, Red Hat's and SUSE's."""
MAKERS_IMAGE: Final = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2"
"""Where its maker has it (values.yaml of the chart 4.0.18)."""
CEPH_CLASS: Final = "rook-cephfs"
"""Of Ceph's volumes that several nodes write to, as Rook's own examples call it."""
_RBAC: Final = "rbac.authorization.k8s.io"
_MOUNTED_AT: Final = "/persistentvolumes"
"""Where the program looks for the exported directory."""

Object = dict[str, Any]


def is_used(spec: ClusterSpec) -> bool:
    """Whether a plan has one."""
    return "storage" in spec.profile.sections and spec.storage.is_on_nfs


def needs_client(spec: ClusterSpec) -> bool:
    """Whether the plan sees to it that each of its hosts can mount."""
    return is_used(spec) and spec.installs_rainbond


def class_name(spec: ClusterSpec) -> str:
    """The class that is there or that the provisioner serves; empty where Rainbond keeps its own."""
    if spec.storage.mode is StorageMode.BUILTIN:
        return ""
    if spec.storage.mode is StorageMode.ROOK_CEPH:
        return CEPH_CLASS
    return spec.storage.storage_class or (spec.profile.storage_class if is_used(spec) else "")


def is_image(name: str) -> bool:
    """Whether an image is the provisioner's, whatever stands before its name."""
    return _IMAGE.fullmatch(name.rpartition("/")[2]) is not None


def newest_image(names: Iterable[str]) -> str | None:
    """The provisioner's image among the names of images, the newest where there are several."""
    found = [name for name in names if is_image(name)]
    return max(
        found,
        key=lambda name: ([int(part) for part in re.findall(r"\d+", name.rpartition(":")[2])], name),
        default=None,
    )


def objects(spec: ClusterSpec, image: str) -> dict[str, Object]:
    """All objects by their paths, in the order in which they are made."""
    root = root_name(spec)
    account = {"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}
    return {
        f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{NAME}": _object("v1", "ServiceAccount", NAME, NAMESPACE),
        f"/apis/{_RBAC}/v1/clusterroles/{NAME}": _object(f"{_RBAC}/v1", "ClusterRole", NAME) | {"rules": _RULES},
        f"/apis/{_RBAC}/v1/clusterrolebindings/{NAME}": _object(f"{_RBAC}/v1", "ClusterRoleBinding", NAME)
        | _bound("ClusterRole", account),
        f"/apis/{_RBAC}/v1/namespaces/{NAMESPACE}/roles/{NAME}": _object(f"{_RBAC}/v1", "Role", NAME, NAMESPACE)
        | {"rules": _OWN_RULES},
        f"/apis/{_RBAC}/v1/namespaces/{NAMESPACE}/rolebindings/{NAME}": _object(
            f"{_RBAC}/v1", "RoleBinding", NAME, NAMESPACE
        )
        | _bound("Role", account),
        f"{VOLUMES}/{root}": _object("v1", "PersistentVolume", root) | {"spec": _root(spec, root)},
        f"{CLAIMS}/{root}": _object("v1", "PersistentVolumeClaim", root, NAMESPACE) | {"spec": _root_claim(root)},
        f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{NAME}": _object("apps/v1", "Deployment", NAME, NAMESPACE)
        | {"spec": _deployment(spec, image, root)},
        f"{CLASSES}/{class_name(spec)}": _class(spec),
    }


def root_name(spec: ClusterSpec) -> str:
    """Of the volume that is the exported directory: its source never changes, so another one has another name."""
    storage = spec.storage
    seen = "\n".join([spec.nfs_server, storage.path or "", *mount_options(spec)])
    return f"{NAME}-{hashlib.sha256(seen.encode()).hexdigest()[:8]}"


def mount_options(spec: ClusterSpec) -> list[str]:
    """Each option by itself; the plan may have several in one entry."""
    parts = [part.strip() for text in spec.storage.mount_options for part in text.split(",")]
    return [part for part in parts if part]


_RULES: Final = [
    {"apiGroups": [""], "resources": ["nodes"], "verbs": ["get", "list", "watch"]},
    {
        "apiGroups": [""],
        "resources": ["persistentvolumes"],
        "verbs": ["get", "list", "watch", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get", "list", "watch", "update"]},
    {"apiGroups": ["storage.k8s.io"], "resources": ["storageclasses"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["create", "update", "patch"]},
]
_OWN_RULES: Final = [
    {
        "apiGroups": [""],
        "resources": ["endpoints"],
        "verbs": ["get", "list", "watch", "create", "update", "patch"],
    },
]
"""By an Endpoints object of its own namespace it knows whether another one is at work."""


def _object(version: str, kind: str, name: str, namespace: str = "") -> Object:
    metadata: Object = {"name": name, "labels": dict(LABELS)}
    if namespace:
        metadata["namespace"] = namespace
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _bound(kind: str, account: Mapping[str, str]) -> Object:
    return {"roleRef": {"apiGroup": _RBAC, "kind": kind, "name": NAME}, "subjects": [dict(account)]}


def _root(spec: ClusterSpec, name: str) -> Object:
    """The exported directory as a volume: only a volume can say how it is mounted."""
    options = mount_options(spec)
    return {
        "capacity": {"storage": "10Mi"},
        "accessModes": ["ReadWriteMany"],
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": NAMESPACE, "name": name},
        "nfs": {"server": spec.nfs_server, "path": spec.storage.path or ""},
    } | ({"mountOptions": options} if options else {})


def _root_claim(name: str) -> Object:
    return {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "",
        "volumeName": name,
        "resources": {"requests": {"storage": "10Mi"}},
    }


def _deployment(spec: ClusterSpec, image: str, root: str) -> Object:
    variables = {
        "PROVISIONER_NAME": PROVISIONER,
        "NFS_SERVER": spec.nfs_server,
        "NFS_PATH": spec.storage.path or "",
    }
    container = {
        "name": NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [{"name": "root", "mountPath": _MOUNTED_AT}],
    }
    pod = {
        "serviceAccountName": NAME,
        "containers": [container],
        "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": root}}],
    }
    return {
        "replicas": 1,
        "strategy": {"type": "Recreate"},
        "selector": {"matchLabels": dict(LABELS)},
        "template": {"metadata": {"labels": dict(LABELS)}, "spec": pod},
    }


def _class(spec: ClusterSpec) -> Object:
    """What is deleted stays on the server as ``archived-…``, as in the vendor's chart: nobody loses data by a click."""
    options = mount_options(spec)
    own: Object = {
        "provisioner": PROVISIONER,
        "parameters": {"archiveOnDelete": "true"},
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "Immediate",
    }
    return (
        _object("storage.k8s.io/v1", "StorageClass", class_name(spec))
        | own
        | ({"mountOptions": options} if options else {})
    )
