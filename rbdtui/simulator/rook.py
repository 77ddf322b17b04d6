"""What Rook's operator makes of its objects in the simulated cluster: a disk's pod each, drivers, words of Ceph.

Source: rook/rook@v1.19.10, pkg/operator/ceph/cluster (cluster.go, osd/osd.go, cephstatus.go), pkg/operator/ceph/csi,
pkg/daemon/ceph/osd/daemon.go. Monitors, managers and metadata servers are not simulated: nothing here asks them.
"""

from __future__ import annotations

from typing import Any, Final

from rbdtui.simulator.chart_rook import CEPH, DRIVERS, NAMESPACE, OPERATOR
from rbdtui.simulator.disks import links
from rbdtui.simulator.kubernetes.cluster import Cluster
from rbdtui.simulator.kubernetes.controllers import owner_of
from rbdtui.simulator.kubernetes.selectors import Object
from rbdtui.simulator.kubernetes.store import StatusError
from rbdtui.simulator.kubernetes.telling import is_ready

_GROUP: Final = "ceph.rook.io"
_COPIES: Final = 3
_CSI_IMAGE: Final = "quay.io/cephcsi/cephcsi:v3.16.2"
_DRIVERS: Final = ("rbd", "cephfs")
_TAKEN: Final = "ceph_bluestore"


class Rook:
    """The logic behind both operators' pods."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._store = cluster, cluster.store

    def step(self) -> None:
        """One pass, while the operator's pod is ready."""
        try:
            clusters = self._store.kind(_GROUP, "cephclusters")
        except StatusError:
            return
        if not self._runs(OPERATOR):
            return
        for own in self._store.listed(clusters, NAMESPACE):
            disks = [self._disk(own, *each) for each in enumerate(self._wanted(own))]
            served = [disk for disk in disks if (disk.get("status") or {}).get("readyReplicas")]
            self._set(own, self._status(len(disks), len(served)))
            if self._runs(DRIVERS):
                for name in _DRIVERS:
                    self._driver(own, name)
            for plural in ("cephblockpools", "cephfilesystems"):
                for part in self._store.listed(self._store.kind(_GROUP, plural), NAMESPACE):
                    self._set(part, {"phase": "Ready" if len(served) >= _COPIES else "Progressing"})

    def _runs(self, name: str) -> bool:
        pods = self._store.listed(self._store.kind("", "pods"), NAMESPACE)
        return any(is_ready(pod) and pod["metadata"].get("labels", {}).get("app") == name for pod in pods)

    def _wanted(self, own: Object) -> list[tuple[str, str]]:
        """The disks that it takes: named ones that the server has and that have nothing on them."""
        return [
            (node["name"], device["name"])
            for node in own["spec"]["storage"].get("nodes", [])
            for device in node.get("devices", [])
            if self._takes(node["name"], device["name"])
        ]

    def _takes(self, node: str, device: str) -> bool:
        """Or taken already: then it bears Ceph's signature."""
        known = self._cluster.nodes.get(node)
        if known is None or device not in links(known.machine) or known.machine.disk_signature not in ("", _TAKEN):
            return False
        known.machine.disk_signature = _TAKEN
        return True

    def _disk(self, own: Object, number: int, at: tuple[str, str]) -> Object:
        node, _ = at
        return self._deployment(own, f"rook-ceph-osd-{number}", {"app": "rook-ceph-osd"}, CEPH, {"nodeName": node})

    def _driver(self, own: Object, kind: str) -> Object:
        """What makes volumes of a class; it is told by the driver's name in its arguments."""
        name = f"{NAMESPACE}.{kind}.csi.ceph.com"
        return self._deployment(own, f"{name}-ctrlplugin", {"app": f"{name}-ctrlplugin"}, _CSI_IMAGE, {}, name)

    def _deployment(
        self, own: Object, name: str, labels: dict[str, str], image: str, pod: dict[str, Any], driver: str = ""
    ) -> Object:
        kind = self._store.kind("apps", "deployments")
        there = self._store.find(kind, NAMESPACE, name)
        if there is not None:
            return there
        arguments = {"args": [f"--drivername={driver}"]} if driver else {}
        container = {"name": name.replace(".", "-"), "image": image, "imagePullPolicy": "IfNotPresent", **arguments}
        of_pods = labels | {"deployment": name}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": of_pods},
            "template": {"metadata": {"labels": of_pods}, "spec": {"containers": [container], **pod}},
        }
        metadata = {"name": name, "labels": labels, "ownerReferences": owner_of(own)}
        return self._store.create(kind, NAMESPACE, {"metadata": metadata, "spec": spec})

    def _status(self, disks: int, served: int) -> Object:
        """As Rook copies it from ``ceph status`` every minute."""
        healthy = served >= _COPIES and served == disks
        details = {} if healthy else {"OSD_DOWN": {"severity": "HEALTH_WARN", "message": f"{disks - served} osds down"}}
        size = served * 200 * 1024**3
        return {
            "phase": "Ready" if disks >= _COPIES else "Progressing",
            "message": "Cluster created successfully" if disks >= _COPIES else "Processing OSDs",
            "ceph": {
                "health": "HEALTH_OK" if healthy else "HEALTH_WARN",
                **({"details": details} if details else {}),
                "capacity": {"bytesTotal": size, "bytesUsed": size // 100, "bytesAvailable": size - size // 100},
            },
        }

    def _set(self, item: Object, status: Object) -> None:
        if item.get("status") != status:
            self._store.set_status(self._store.kind_of(item), NAMESPACE, item["metadata"]["name"], status)
