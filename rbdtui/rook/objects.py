"""The objects of a plan's Ceph: the drivers that mount its volumes, the cluster on the named disks, pools and classes.

What each has, and why: rook/rook@v1.20.6, deploy/examples/cluster.yaml, operator.yaml (OperatorConfig, Driver),
filesystem.yaml, csi/cephfs/storageclass.yaml, csi/rbd/storageclass.yaml; Documentation/CRDs/Cluster. The text is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rbdtui.rainbond.provisioner import CEPH_CLASS
from rbdtui.rook.chart import EVERYWHERE, NAMESPACE
from rbdtui.spec.model import ClusterSpec, Node

Object = dict[str, Any]

CLUSTER: Final = "rook-ceph"
FILES_CLASS: Final = CEPH_CLASS
"""For volumes that several nodes write to."""
BLOCK_CLASS: Final = "rook-ceph-block"
"""For volumes of one pod."""
CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
FILES_DRIVER: Final = f"{NAMESPACE}.cephfs.csi.ceph.com"
BLOCK_DRIVER: Final = f"{NAMESPACE}.rbd.csi.ceph.com"
DATA_DIRECTORY: Final = "/var/lib/rook"
"""Of the monitors on each server; what an earlier Ceph left there keeps new ones from starting."""
_CEPH: Final = f"/apis/ceph.rook.io/v1/namespaces/{NAMESPACE}"
_CSI: Final = f"/apis/csi.ceph.io/v1/namespaces/{NAMESPACE}"
CLUSTER_PATH: Final = f"{_CEPH}/cephclusters/{CLUSTER}"
FILESYSTEM: Final = "cephfs"
_DATA_POOL: Final = "replicated"
POOL: Final = "replicapool"
FILESYSTEM_PATH: Final = f"{_CEPH}/cephfilesystems/{FILESYSTEM}"
POOL_PATH: Final = f"{_CEPH}/cephblockpools/{POOL}"
_COPIES: Final = {"size": 3, "requireSafeReplicaSize": True}
_LABELS: Final = {"app.kubernetes.io/managed-by": "rbdtui"}


def objects(spec: ClusterSpec, image: str, *, with_drivers: bool) -> dict[str, Object]:
    """All by their paths, in the order in which they are made; ``image`` is Ceph's own."""
    return {
        **(_drivers() if with_drivers else {}),
        CLUSTER_PATH: _object("ceph.rook.io/v1", "CephCluster", CLUSTER) | {"spec": _cluster(spec, image)},
        POOL_PATH: _object("ceph.rook.io/v1", "CephBlockPool", POOL)
        | {"spec": {"failureDomain": "host", "replicated": dict(_COPIES)}},
        FILESYSTEM_PATH: _object("ceph.rook.io/v1", "CephFilesystem", FILESYSTEM) | {"spec": _filesystem()},
        f"{_CEPH}/cephfilesystemsubvolumegroups/{FILESYSTEM}-csi": _object(
            "ceph.rook.io/v1", "CephFilesystemSubVolumeGroup", f"{FILESYSTEM}-csi"
        )
        | {"spec": {"name": "csi", "filesystemName": FILESYSTEM, "pinning": {"distributed": 1}}},
        f"{CLASSES}/{FILES_CLASS}": _class(
            FILES_CLASS, FILES_DRIVER, "cephfs", {"fsName": FILESYSTEM, "pool": f"{FILESYSTEM}-{_DATA_POOL}"}
        ),
        f"{CLASSES}/{BLOCK_CLASS}": _class(
            BLOCK_CLASS, BLOCK_DRIVER, "rbd",
            {
                "pool": POOL, "imageFormat": "2", "imageFeatures": "layering",
                "csi.storage.k8s.io/fstype": "ext4",
            },
        ),
    }  # fmt: skip


def _drivers() -> dict[str, Object]:
    config = _object("csi.ceph.io/v1", "OperatorConfig", "ceph-csi-operator-config")
    drivers = {name: _object("csi.ceph.io/v1", "Driver", name) for name in (BLOCK_DRIVER, FILES_DRIVER)}
    return {
        f"{_CSI}/operatorconfigs/ceph-csi-operator-config": config | {"spec": {"driverSpecDefaults": _DRIVERS}},
        **{f"{_CSI}/drivers/{name}": each | {"spec": {"fsGroupPolicy": "File"}} for name, each in drivers.items()},
    }


_DRIVERS: Final[Object] = {
    "log": {"verbosity": 0},
    # The chart makes this list of images from its own values.
    "imageSet": {"name": "rook-csi-operator-image-set-configmap"},
    "enableMetadata": True,
    "fsGroupPolicy": "File",
    "deployCsiAddons": False,
    "cephFsClientType": "kernel",
    "nodePlugin": {
        "priorityClassName": "system-node-critical",
        "kubeletDirPath": "/var/lib/kubelet",
        "tolerations": EVERYWHERE,
    },
    "controllerPlugin": {"priorityClassName": "system-cluster-critical"},
}


def _object(version: str, kind: str, name: str) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": dict(_LABELS)}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _cluster(spec: ClusterSpec, image: str) -> Object:
    return {
        "cephVersion": {"image": image, "allowUnsupported": False},
        # Kernels before 7.0 know no other kind of key.
        "security": {"cephx": {"csi": {"keyType": "aes"}}},
        "dataDirHostPath": DATA_DIRECTORY,
        "mon": {"count": 3, "allowMultiplePerNode": False},
        "mgr": {"count": 2, "allowMultiplePerNode": False},
        "dashboard": {"enabled": True, "ssl": True},
        "crashCollector": {"disable": False},
        "logCollector": {"enabled": True, "periodicity": "daily", "maxLogSize": "500M"},
        # Empty: whoever deletes this object loses the cluster, but no disk is wiped.
        "cleanupPolicy": {"confirmation": "", "allowUninstallWithVolumes": False},
        "removeOSDsIfOutAndSafeToRemove": False,
        "priorityClassNames": {
            "mon": "system-node-critical",
            "osd": "system-node-critical",
            "mgr": "system-cluster-critical",
        },
        "disruptionManagement": {"managePodBudgets": True, "osdMaintenanceTimeout": 30},
        "placement": {"all": _placement(spec.ceph_nodes)},
        "storage": {
            "useAllNodes": False,
            "useAllDevices": False,
            "nodes": [
                {"name": node.name, "devices": [{"name": each} for each in _devices(spec, node.name)]}
                for node in spec.ceph_nodes
            ],
        },
    }


def _devices(spec: ClusterSpec, node: str) -> list[str]:
    return [disk.device for disk in spec.ceph_disks if disk.node == node]


def _placement(nodes: list[Node]) -> Object:
    """On the servers with disks alone, whose clocks were compared; there also against taints of the plan's own."""
    names = [node.name for node in nodes]
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": names}]}
    own = [taint.partition(":")[0].partition("=")[0] for node in nodes for taint in node.taints]
    of_servers = ("node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/etcd", "CriticalAddonsOnly")
    keys = dict.fromkeys((*of_servers, *own))
    return {
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}},
        "tolerations": [{"key": key, "operator": "Exists"} for key in keys],
    }


def _filesystem() -> Object:
    """Two metadata servers, one of which only waits, never on one node."""
    together = {"labelSelector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["rook-ceph-mds"]}]}}
    apart = [together | {"topologyKey": "kubernetes.io/hostname"}]
    return {
        "metadataPool": {"replicated": dict(_COPIES)},
        "dataPools": [{"name": _DATA_POOL, "failureDomain": "host", "replicated": dict(_COPIES)}],
        "preserveFilesystemOnDelete": True,
        "metadataServer": {
            "activeCount": 1,
            "activeStandby": True,
            "priorityClassName": "system-cluster-critical",
            "placement": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": apart}},
        },
    }


def _class(name: str, driver: str, kind: str, own: Mapping[str, str]) -> Object:
    """A class of volumes that grow, and go with their claims."""
    secret = {"provisioner": "provisioner", "controller-expand": "provisioner", "controller-publish": "provisioner"}
    secret["node-stage"] = "node"
    parameters = {"clusterID": NAMESPACE, **own}
    for purpose, which in secret.items():
        parameters[f"csi.storage.k8s.io/{purpose}-secret-name"] = f"rook-csi-{kind}-{which}"
        parameters[f"csi.storage.k8s.io/{purpose}-secret-namespace"] = NAMESPACE
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": name, "labels": dict(_LABELS)},
        "provisioner": driver,
        "parameters": parameters,
        "reclaimPolicy": "Delete",
        "allowVolumeExpansion": True,
        "volumeBindingMode": "Immediate",
    }
