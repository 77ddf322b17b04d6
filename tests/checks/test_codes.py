"""Every code that a check can give is provoked by some test."""

from __future__ import annotations

import re
from pathlib import Path

from tests.checks.test_cluster_checks import CASES as CLUSTER_CASES
from tests.checks.test_node_checks import CASES as NODE_CASES

CODE = re.compile(r"RBD-[A-Z]+-\d{3}")
HERE = Path(__file__).resolve().parent
PROVOKING = (
    "test_balanced_api",
    "test_balancer",
    "test_between",
    "test_ceph_clocks",
    "test_disk_speed",
    "test_domain_suffix",
    "test_etcd",
    "test_etcd_reuse",
    "test_existing",
    "test_haproxy",
    "test_jump_host",
    "test_left",
    "test_mysql",
    "test_mysql_hostile",
    "test_mysql_made",
    "test_network",
    "test_nfs",
    "test_nfs_copy_made",
    "test_nfs_locks",
    "test_nfs_made",
    "test_nfs_mount",
    "test_preflight",
    "test_registry",
    "test_registry_hostile",
    "test_services",
    "test_storage_claim",
    "test_vrrp",
)
"""Files of tests that name the codes they provoke."""
CHECKS = Path(__file__).resolve().parents[2] / "rbdtui" / "checks"


def test_every_code_is_provoked() -> None:
    given = {code for file in CHECKS.rglob("*.py") for code in CODE.findall(file.read_text(encoding="utf-8"))}
    expected = {code for case in NODE_CASES for code in case.expected}
    expected |= {code for case in CLUSTER_CASES for code in case[2]}
    for name in PROVOKING:
        expected |= set(CODE.findall((HERE / f"{name}.py").read_text(encoding="utf-8")))
    assert given - expected == set()
