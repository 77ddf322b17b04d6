"""The rules on disks for Ceph, each on a plan with one mistake."""

from __future__ import annotations

import pytest

from rbdtui.words import LANGUAGES, say
from tests.spec.samples import judged
from tests.spec.test_storage_rules import V5, V6, plan

BY_ID = "/dev/disk/by-id/scsi-"
UNTRIED = ("RBD-CEPH-010", "storage.mode")


def disks(*given: str) -> dict[str, str]:
    """Disks as ``node device serial``."""
    entries = [each.split() for each in given]
    listed = ", ".join(
        f"{{node: {node}, device: {device}{f', serial: {serial[0]}' if serial else ''}}}"
        for node, device, *serial in entries
    )
    return {"storage": f"{{mode: rook-ceph, disks: [{listed}]}}"}


def found(text: str) -> list[tuple[str, str]]:
    findings = [each for each in judged(text) if each.code.startswith(("RBD-CEPH-", "RBD-STORAGE-", "RBD-SPEC-"))]
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language).replace("{node:", "")
    return [(finding.code, finding.place.field) for finding in findings]


FIRST, SECOND, THIRD = (f"node{i} {BY_ID}D{i} D{i}" for i in (1, 2, 3))
FIELD = "storage.disks[2]"
CASES = [
    ((FIRST, SECOND, THIRD), []),
    ((FIRST, SECOND, THIRD, f"node3 {BY_ID}D4 D4"), []),
    ((FIRST, SECOND), [("RBD-CEPH-001", "storage.disks")]),
    ((FIRST, SECOND, f"node2 {BY_ID}D4 D4"), [("RBD-CEPH-001", "storage.disks")]),
    ((FIRST, SECOND, f"node9 {BY_ID}D3 D3"), [("RBD-CEPH-002", f"{FIELD}.node")]),
    ((FIRST, SECOND, "node3 /dev/sdb D3"), [("RBD-CEPH-004", f"{FIELD}.device")]),
    ((FIRST, SECOND, f"node3 {BY_ID}D3-part1 D3"), [("RBD-CEPH-004", f"{FIELD}.device")]),
    ((FIRST, SECOND, f"node3 {BY_ID}D3"), [("RBD-CEPH-005", f"{FIELD}.device")]),
    ((FIRST, SECOND, "node3 /dev/disk/by-path/pci-1 D3"), [("RBD-CEPH-005", f"{FIELD}.device")]),
    ((FIRST, SECOND, THIRD, THIRD), [("RBD-CEPH-007", "storage.disks[3].device")]),
    ((FIRST, SECOND, f"node3 {BY_ID}X D1"), [("RBD-CEPH-008", f"{FIELD}.serial")]),
]


@pytest.mark.parametrize(("given", "expected"), CASES, ids=[" ".join(case[0])[-60:] for case in CASES])
def test_each_mistake_is_told_at_its_field(given: tuple[str, ...], expected: list[tuple[str, str]]) -> None:
    assert found(plan(V6, **disks(*given))) == [UNTRIED, *expected]


def test_a_mode_without_disks_lacks_them() -> None:
    assert found(plan(V6, storage="{mode: rook-ceph}")) == [("RBD-SPEC-043", "storage.disks"), UNTRIED]


@pytest.mark.parametrize(("text", "version"), [(V6, "v6.3.3-release"), (V5, "v5.17.2-release")], ids=["6.3", "5.17"])
def test_which_version_uses_it(text: str, version: str) -> None:
    told = found(plan(text, **disks(FIRST, SECOND, THIRD), rainbond=f"{{version: {version}}}"))
    assert (("RBD-STORAGE-003", "storage.mode") in told) == (text is V6)


def test_a_cluster_that_is_there_has_servers_that_nobody_logs_in_to() -> None:
    existing = plan(V6, **disks(FIRST, SECOND, THIRD), kubernetes="{distribution: existing, kubeconfig: /x/config}")
    assert ("RBD-CEPH-006", "storage.mode") in found(existing)
