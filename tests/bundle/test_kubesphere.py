"""What a bundle lacks of KubeSphere is told before anything is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from rbdtui.bundle.scan import open_bundle
from rbdtui.bundle.verify_kubesphere import verify_kubesphere
from rbdtui.errors import StepError
from rbdtui.findings import Finding, Severity
from rbdtui.simulator import chart_kubesphere
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.chart_kubesphere import images
from rbdtui.spec.model import ClusterSpec
from tests.kubesphere.test_chart import sphere


def verified(directory: Path, spec: ClusterSpec) -> dict[str, Finding]:
    found = verify_kubesphere(open_bundle(directory), spec, ["amd64"])
    return {finding.code: finding for finding in found if finding.severity is not Severity.INFO}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "bundle", images_bytes=64 * 1024, kubesphere=True)


def test_a_whole_bundle_is_good(directory: Path) -> None:
    assert verified(directory, sphere()) == {}
    bundle = open_bundle(directory)
    assert (bundle.kubesphere_chart().name, bundle.kubesphere_chart().version) == ("ks-core", "1.1.4")
    assert [file.path.name for file in bundle.kubesphere_images(sphere(), "amd64")] == [
        "kubesphere-images-amd64.tar.gz"
    ]


def test_a_bundle_without_it_is_told(tmp_path: Path) -> None:
    plain = write_bundle(tmp_path / "plain", images_bytes=64 * 1024)
    missing = verify_kubesphere(open_bundle(plain), sphere(), ["amd64"])
    names = [finding.params["names"] for finding in missing if finding.code == "RBD-BUNDLE-001"]
    assert names == ["ks-core*.tgz", "kubesphere-images-amd64.tar.zst"]
    with pytest.raises(StepError, match="ks-core"):
        open_bundle(plain).kubesphere_chart()


def test_another_chart_under_its_name_is_told(directory: Path) -> None:
    (directory / "rainbond-6.9.3.tgz").rename(directory / "ks-core-1.1.4.tgz")
    (directory / "sha256sum-amd64.txt").unlink()
    assert "rainbond" in str(verified(directory, sphere())["RBD-BUNDLE-029"].params["charts"])
    with pytest.raises(StepError, match="rainbond"):
        open_bundle(directory).kubesphere_chart()


def test_archives_that_are_not_there_are_told(directory: Path) -> None:
    (directory / "kubesphere-images-amd64.tar.gz").unlink()
    assert verified(directory, sphere())["RBD-BUNDLE-001"].params["names"] == "kubesphere-images-amd64.tar.zst"
    with pytest.raises(StepError, match="kubesphere-images"):
        open_bundle(directory).kubesphere_images(sphere(), "amd64")


def test_an_image_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    others = [name for name in images() if "redis" not in name]
    monkeypatch.setattr(chart_kubesphere, "images", lambda: others)
    directory = write_bundle(tmp_path / "bundle", images_bytes=64 * 1024, kubesphere=True)
    found = verified(directory, sphere())["RBD-BUNDLE-031"]
    assert found.evidence == "kubesphere/redis:7.2.4-alpine"
    with pytest.raises(StepError, match="redis"):
        open_bundle(directory).kubesphere_images(sphere(), "amd64")


def test_a_registry_of_the_site_needs_no_archive(directory: Path) -> None:
    (directory / "kubesphere-images-amd64.tar.gz").unlink()
    spec = sphere(image_registry="hub.corp/ks")
    found = verified(directory, spec)
    assert found.keys() == {"RBD-BUNDLE-030"}
    assert "kubesphere/ks-apiserver:v4.1.3" in found["RBD-BUNDLE-030"].evidence
    assert open_bundle(directory).kubesphere_images(spec, "amd64") == []


def test_a_value_that_the_chart_does_not_have_is_told(directory: Path) -> None:
    found = verified(directory, sphere(values={"consol": {"nodePort": 31000}, "apiserver": "big"}))
    assert found["RBD-CHART-005"].place.field == "kubesphere.values.consol"
    assert found["RBD-CHART-004"].place.field == "kubesphere.values.apiserver"
