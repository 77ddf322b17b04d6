"""What a plan's Ceph is made of, and how it is told to stand."""

from __future__ import annotations

from typing import Any

import pytest

from rbdtui.cli.reset import ceph_lines
from rbdtui.rke2_version import Rke2Version
from rbdtui.rook.chart import ceph_image, chart_images, fits, is_maintained, makes_drivers, series_of, value_tree
from rbdtui.rook.objects import CLUSTER_PATH, objects
from rbdtui.rook.standing import not_ready, standing_of
from tests.checks.cases import RAINBOND
from tests.checks.cases_ceph import CEPH

IMAGE = "quay.io/ceph/ceph:v20.2.4"


@pytest.mark.parametrize(
    ("names", "taken"),
    [
        (["quay.io/ceph/ceph:v19.2.6", "quay.io/ceph/ceph:v20.2.4"], "quay.io/ceph/ceph:v20.2.4"),
        (["hub.lan/ceph/ceph:v19.2.10", "hub.lan/ceph/ceph:v19.2.6"], "hub.lan/ceph/ceph:v19.2.10"),
        (["quay.io/ceph/ceph:v20.2.0"], None),
        (["quay.io/ceph/ceph:v18.2.4", "quay.io/ceph/ceph:v21.0.0", "quay.io/ceph/ceph:latest"], None),
        (["docker.io/rook/ceph:v1.20.6", "quay.io/cephcsi/cephcsi:v3.17.0"], None),
        ([], None),
    ],
)
def test_cephs_own_image_is_one_that_rook_takes(names: list[str], taken: str | None) -> None:
    assert ceph_image(names) == taken


def test_which_kubernetes_a_series_is_made_for() -> None:
    assert series_of("v1.20.6") == (1, 20)
    assert series_of("main") is None
    for series, version, does in (
        ((1, 19), "v1.30.4+rke2r1", True),
        ((1, 20), "v1.30.4+rke2r1", False),
        ((1, 20), "v1.36.1+rke2r1", True),
        ((1, 19), "v1.36.1+rke2r1", False),
    ):
        parsed = Rke2Version.parse(version)
        assert parsed is not None
        assert fits(series, parsed) is does


def test_images_are_those_that_the_charts_values_name() -> None:
    manager = {"manager": {"image": {"repository": "quay.io/o", "tag": "v1"}}}
    values: dict[str, Any] = {
        "image": {"repository": "docker.io/rook/ceph", "tag": "v1.20.6"},
        "csi": {
            "cephcsi": {"repository": "quay.io/c", "tag": "v3"},
            "csiAddons": {"repository": "quay.io/a", "tag": "x"},
        },
        "ceph-csi-operator": {"controllerManager": manager},
    }  # fmt: skip
    assert chart_images(values) == ("docker.io/rook/ceph:v1.20.6", "quay.io/c:v3", "quay.io/o:v1")


def test_only_the_named_disks_are_given_away_and_nothing_is_ever_wiped() -> None:
    made = objects(CEPH, IMAGE, with_drivers=True)
    spec = made[CLUSTER_PATH]["spec"]
    assert spec["storage"] == {
        "useAllNodes": False,
        "useAllDevices": False,
        "nodes": [
            {"name": f"node{i}", "devices": [{"name": f"/dev/disk/by-id/scsi-D{i}"}]} for i in (1, 2, 3)
        ],
    }  # fmt: skip
    assert spec["cleanupPolicy"]["confirmation"] == ""
    assert "wipeDevicesFromOtherClusters" not in str(made)
    (term,) = spec["placement"]["all"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][
        "nodeSelectorTerms"
    ]
    assert term["matchExpressions"][0]["values"] == ["node1", "node2", "node3"]
    classes = {path.rpartition("/")[2]: each for path, each in made.items() if "storageclasses" in path}
    assert {name: each["parameters"]["pool"] for name, each in classes.items()} == {
        "rook-cephfs": "cephfs-replicated",
        "rook-ceph-block": "replicapool",
    }


def test_a_server_that_the_plan_taints_for_storage_takes_what_it_is_for() -> None:
    nodes = [CEPH.nodes[0].model_copy(update={"taints": ["storage=ceph:NoSchedule"]}), *CEPH.nodes[1:]]
    made = objects(CEPH.model_copy(update={"nodes": nodes}), IMAGE, with_drivers=True)
    tolerated = made[CLUSTER_PATH]["spec"]["placement"]["all"]["tolerations"]
    assert {"key": "storage", "operator": "Exists"} in tolerated


def test_an_older_rook_makes_its_drivers_itself() -> None:
    assert makes_drivers("v1.19.10")
    assert not makes_drivers("v1.20.0")
    kinds = [each["kind"] for each in objects(CEPH, IMAGE, with_drivers=False).values()]
    assert kinds[0] == "CephCluster"
    assert value_tree("v1.19.10")["csi"] == {"pluginTolerations": [{"operator": "Exists"}]}
    assert "csi" not in value_tree("v1.20.6")
    assert "Driver" not in kinds


def disks(*ready: int) -> list[dict[str, Any]]:
    return [{"status": {"readyReplicas": each}} for each in ready]


GOOD: dict[str, Any] = {
    "status": {
        "phase": "Ready",
        "ceph": {"health": "HEALTH_OK", "capacity": {"bytesTotal": 1000, "bytesUsed": 250}},
    }
}  # fmt: skip


def test_what_keeps_it_from_being_well() -> None:
    well = standing_of(GOOD, disks(1, 1, 1))
    assert (well.lacks(3), well.used_percent) == ([], 25.0)
    assert well.lacks(4) == ["disks: 3 of 4 serve, 3 taken"]
    ceph = {"health": "HEALTH_WARN", "details": {"OSD_DOWN": {"message": "1 osds down"}}}
    warned = {"status": {"phase": "Ready", "ceph": ceph}}
    assert standing_of(warned, disks(1, 0, 1)).lacks(3) == [
        "disks: 2 of 3 serve, 3 taken",
        "health: HEALTH_WARN",
        "OSD_DOWN: 1 osds down",
    ]


@pytest.mark.parametrize(
    ("codes", "is_healthy"),
    [
        (("AUTH_INSECURE_CLIENT_KEY_TYPE", "AUTH_INSECURE_KEYS_ALLOWED"), True),
        (("AUTH_INSECURE_CLIENT_KEY_TYPE", "OSD_DOWN"), False),
        (("AUTH_INSECURE_SERVICE_TICKETS",), False),
        ((), False),
    ],
)
def test_warnings_of_older_keys_are_those_of_kernels_before_7(codes: tuple[str, ...], is_healthy: bool) -> None:
    details = {code: {"message": "words"} for code in codes}
    ceph = {"health": "HEALTH_WARN", "details": details}
    standing = standing_of({"status": {"phase": "Ready", "ceph": ceph}}, disks(1, 1, 1))
    assert (standing.is_healthy, standing.lacks(3) == []) == (is_healthy, is_healthy)


@pytest.mark.parametrize(
    ("version", "does"),
    [("v1.19.9", True), ("v1.19.8", False), ("v1.20.5", True), ("v1.20.4", False), ("v1.8.10", False), ("main", False)],
)
def test_which_rook_the_objects_are_made_for(version: str, does: bool) -> None:
    assert is_maintained(version) is does


@pytest.mark.parametrize("cluster", [None, {}, {"status": None}, {"status": {"ceph": [], "phase": 7}}])
def test_what_is_not_there_yet_is_not_well(cluster: Any) -> None:
    standing = standing_of(cluster, [])
    assert standing.lacks(3)[0] == "disks: 0 of 3 serve, 0 taken"
    assert standing.used_percent == 0.0
    assert not_ready([("CephBlockPool", cluster)])[0].startswith("CephBlockPool: ")


def test_a_reset_says_what_stays_on_which_disk_and_how_it_goes() -> None:
    lines = list(ceph_lines(CEPH, ["node1", "node3"]))
    assert "2 disks" in lines[0]
    assert lines[1:] == [
        f"  node{i}: wipefs --all /dev/disk/by-id/scsi-D{i} && rm -rf /var/lib/rook" for i in (1, 3)
    ]  # fmt: skip
    assert list(ceph_lines(RAINBOND, ["node1"])) == []
