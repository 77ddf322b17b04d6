"""What a bundle lacks of Rook and Ceph is told before anything is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.bundle.verify import verify_bundle
from rbdtui.bundle.verify_rook import verify_rook
from rbdtui.errors import StepError
from rbdtui.findings import Finding, Severity
from rbdtui.simulator import chart_rook
from rbdtui.simulator.bundle import write_bundle
from tests.checks.cases_ceph import CEPH


def verified(directory: Path) -> dict[str, Finding]:
    found = verify_rook(open_bundle(directory), ["amd64"])
    return {finding.code: finding for finding in found if finding.severity is not Severity.INFO}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", images_bytes=64 * 1024, rook=True)


def test_a_whole_bundle_is_good(directory: Path) -> None:
    assert verified(directory) == {}
    bundle = open_bundle(directory)
    assert (bundle.rook_chart().name, bundle.rook_chart().version) == ("rook-ceph", "v1.19.10")
    assert [file.path.name for file in bundle.rook_images("amd64")] == ["rook-images-amd64.tar.gz"]
    assert bundle.ceph_image("amd64") == "quay.io/ceph/ceph:v19.2.6"


def test_a_plan_with_ceph_is_judged_by_it_and_others_are_not(tmp_path: Path) -> None:
    plain = open_bundle(write_bundle(tmp_path / "plain", images_bytes=64 * 1024))
    lacking = {str(each.params["names"]) for each in verify_bundle(plain, CEPH, []) if each.code == "RBD-BUNDLE-001"}
    assert lacking == {"rook-ceph*.tgz", "rook-images-amd64.tar.zst"}
    without = CEPH.model_copy(update={"storage": type(CEPH.storage)()})
    assert not [each for each in verify_bundle(plain, without, []) if each.code == "RBD-BUNDLE-001"]
    with pytest.raises(StepError, match="rook-ceph"):
        plain.rook_chart()
    with pytest.raises(StepError, match="rook-images"):
        plain.rook_images("amd64")


def test_a_rook_that_is_no_longer_maintained_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = directory.parent / "old"
    monkeypatch.setattr(chart_rook, "CHART_VERSION", "v1.8.10")
    write_bundle(other, images_bytes=64 * 1024, rook=True)
    found = verified(other)["RBD-BUNDLE-033"]
    assert (found.params["series"], "v1.8.10" in str(found.params["charts"])) == ("1.19.9, 1.20.5", True)
    with pytest.raises(StepError, match=r"v1\.8\.10"):
        open_bundle(other).rook_chart()


def test_a_kubernetes_that_rook_is_not_made_for_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_rook, "CHART_VERSION", "v1.20.6")
    found = verified(write_bundle(tmp_path / "newer", images_bytes=64 * 1024, rook=True))
    assert found.keys() == {"RBD-BUNDLE-034"}
    assert {key: found["RBD-BUNDLE-034"].params[key] for key in ("found", "oldest", "newest", "fitting")} == {
        "found": "1.30",
        "oldest": "1.31",
        "newest": "1.36",
        "fitting": "1.19",
    }


@pytest.mark.parametrize(
    "lost", ["quay.io/ceph/ceph", "quay.io/cephcsi/ceph-csi-operator", "registry.k8s.io/sig-storage/csi-attacher"]
)
def test_an_image_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str) -> None:
    kept = [name for name in chart_rook.images() if not name.startswith(f"{lost}:")]
    monkeypatch.setattr(chart_rook, "images", lambda: kept)
    directory = write_bundle(tmp_path / "less", images_bytes=64 * 1024, rook=True)
    found = verified(directory)["RBD-BUNDLE-035"]
    assert (found.params["count"], lost in found.evidence) == (1, True)
    with pytest.raises(StepError, match=lost):
        open_bundle(directory).rook_images("amd64")
