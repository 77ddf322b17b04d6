"""Rainbond's part of a bundle: chart, helm and images, told by what is in them, and all that can be wrong."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rbdtui.bundle.archives import HEAD_BYTES, format_of, look_into
from rbdtui.bundle.charts import ChartError, read_packed
from rbdtui.bundle.rainbond import own_arch
from rbdtui.bundle.scan import OfflineBundle, open_bundle
from rbdtui.bundle.verify import verify_bundle
from rbdtui.errors import StepError
from rbdtui.findings import Finding, Severity
from rbdtui.rainbond.images import needed_images, repository_of
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import LANGUAGES, say
from tests.bundle import rainbond
from tests.bundle.archives import IMAGES_GZ, PROGRAM, good, program, tar_gz, write
from tests.bundle.archives import images as rke2_images
from tests.rainbond.plans import MYSQL, NFS, REGISTRY, plan, release, values

OWN = own_arch()
V6, V6_9, V5 = "v6.2.1-release", "v6.9.8-release", "v5.17.3-release"


SPEC = plan()


def of(spec: ClusterSpec, tag: str) -> dict[str, bytes]:
    return dict(rainbond.files(spec, release(tag), own=OWN))


def bundle(directory: Path, files: Mapping[str, bytes]) -> OfflineBundle:
    return open_bundle(write(directory, {**good(), **files}))


def found(bundle: OfflineBundle, spec: ClusterSpec = SPEC) -> list[Finding]:
    findings = [each for each in verify_bundle(bundle, spec, []) if each.severity is not Severity.INFO]
    for finding in findings:
        for language in LANGUAGES:
            assert "{" not in say(finding.message, language) + say(finding.remedy, language)
    return findings


def codes(bundle: OfflineBundle, spec: ClusterSpec = SPEC) -> list[str]:
    return [finding.code for finding in found(bundle, spec)]


@pytest.mark.parametrize("tag", [V6, V6_9])
def test_a_bundle_that_has_all(tmp_path: Path, tag: str) -> None:
    there = bundle(tmp_path, of(SPEC, tag))
    assert found(there) == []
    chart = there.chart(SPEC)
    assert (chart.name, f"v{chart.version}-release", chart.path.name) == ("rainbond", tag, "rainbond.tgz")
    assert chart.values["Cluster"]["replicas"] == 1
    assert there.helm(OWN).path.name == f"helm-{OWN}"
    [archive] = there.rainbond_images(SPEC, "amd64")
    assert archive.path.name == "rainbond-images-amd64.tar.gz"
    assert there.rainbond_releases() == (tag,)


def test_5_17_has_a_chart_of_another_name_and_charts_within(tmp_path: Path) -> None:
    spec = plan("rainbond-5.17", MYSQL + NFS)
    there = bundle(tmp_path, of(spec, V5))
    assert codes(there, spec) == ["RBD-BUNDLE-027"], "its maker names Kubernetes up to 1.27"
    assert there.chart(spec).name == "rainbond-cluster"
    assert there.chart(spec).values["nfs-client-provisioner"]["replicaCount"] == 1


@pytest.mark.parametrize(
    ("profile", "version", "wanted"),
    [
        ("rainbond-5.17", "v1.27.16+rke2r2", []),
        ("rainbond-5.17", "v1.28.1+rke2r1", ["RBD-BUNDLE-027"]),
        ("rainbond-6", "v1.24.1+rke2r1", []),
        ("rainbond-6", "v1.23.17+rke2r1", ["RBD-BUNDLE-028"]),
        ("kubernetes-only", "v1.23.17+rke2r1", []),
    ],
)
def test_rainbonds_maker_names_the_kubernetes_of_the_bundle(
    tmp_path: Path, profile: str, version: str, wanted: list[str]
) -> None:
    there = open_bundle(write(tmp_path, {PROGRAM: program("amd64", version), IMAGES_GZ: rke2_images("amd64", version)}))
    of_kubernetes = {"RBD-BUNDLE-027", "RBD-BUNDLE-028"}
    assert [code for code in codes(there, plan(profile)) if code in of_kubernetes] == wanted


def test_nothing_of_it_is_asked_for_where_rainbond_is_not_installed(tmp_path: Path) -> None:
    spec = plan("rainbond-5.17", MYSQL + NFS)
    in_part = spec.model_copy(update={"profile": replace(spec.profile, is_complete=False)})
    assert codes(bundle(tmp_path, {}), in_part) == ["RBD-BUNDLE-027"]


def without(files: dict[str, bytes], *names: str) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if name not in names}


def missing_one(spec: ClusterSpec = SPEC, tag: str = V6, lost: str = "minio") -> bytes:
    return rainbond.archive(name for name in rainbond.image_names(spec, release(tag)) if lost not in name)


IMAGES = "rainbond-images-amd64.tar.gz"
OTHER = next(arch for arch in ("amd64", "arm64") if arch != OWN)


@pytest.mark.parametrize(
    ("changes", "wanted", "error"),
    [
        pytest.param({"rainbond.tgz": None}, ["RBD-BUNDLE-001"], "bundle_missing", id="no chart"),
        pytest.param({f"helm-{OWN}": None}, ["RBD-BUNDLE-001"], "bundle_missing", id="no helm"),
        pytest.param({IMAGES: None}, ["RBD-BUNDLE-001"], "bundle_missing", id="no images"),
        pytest.param(
            {"rainbond.tgz": rainbond.chart("rainbond-cluster", "5.17.3")},
            ["RBD-BUNDLE-020"],
            "bundle_chart",
            id="chart of the other generation",
        ),
        pytest.param(
            {"rainbond.tgz": rainbond.chart(version="6.9.3")}, ["RBD-BUNDLE-020"], "bundle_chart", id="newer chart"
        ),
        pytest.param({"rainbond.tgz": b"\x1f\x8b\x08"}, ["RBD-BUNDLE-019"], "bundle_chart", id="broken chart"),
        pytest.param({"rainbond.tgz": tar_gz({"a/b": b""})}, ["RBD-BUNDLE-019"], "bundle_chart", id="no chart inside"),
        pytest.param({f"helm-{OWN}": rainbond.helm(OTHER)}, ["RBD-BUNDLE-004"], "bundle_wrong_arch", id="other helm"),
        pytest.param(
            {f"helm-{OWN}": rainbond.helm(OWN)[:999]}, ["RBD-BUNDLE-003"], "bundle_damaged", id="helm broken off"
        ),
        pytest.param({f"helm-{OWN}": b"#!/bin/sh\n"}, ["RBD-BUNDLE-003"], "bundle_damaged", id="helm is a script"),
        pytest.param({IMAGES: missing_one()}, ["RBD-BUNDLE-023"], "bundle_images", id="one image is missing"),
        pytest.param(
            {IMAGES: rainbond.archive([f"hub.lan/{name}" for name in needed_images(SPEC, release(V6))])},
            ["RBD-BUNDLE-023"],
            "bundle_images",
            id="under other names",
        ),
        pytest.param(
            {IMAGES: rainbond.archive(rainbond.image_names(SPEC, release(V6)), "arm64")},
            ["RBD-BUNDLE-004"],
            "bundle_wrong_arch",
            id="for another architecture",
        ),
        pytest.param({IMAGES: missing_one()[:-9]}, ["RBD-BUNDLE-003"], "bundle_damaged", id="images broken off"),
    ],
)
def test_what_can_be_wrong(tmp_path: Path, changes: dict[str, bytes | None], wanted: list[str], error: str) -> None:
    files = {**of(SPEC, V6), **changes}
    there = bundle(tmp_path, {name: content for name, content in files.items() if content is not None})
    spec = SPEC.model_copy(update={"rainbond": SPEC.rainbond.model_copy(update={"version": V6})})
    assert codes(there, spec) == wanted
    refused = []
    for ask in (lambda: there.chart(spec), lambda: there.helm(OWN), lambda: there.rainbond_images(spec, "amd64")):
        try:
            ask()
        except StepError as caught:
            refused.append(caught.code)
    assert refused == [error]


def test_a_digest_that_differs(tmp_path: Path) -> None:
    files = of(SPEC, V6)
    other = {**good(), **files, "rainbond.tgz": b"", f"helm-{OWN}": b"", IMAGES: b""}
    there = open_bundle(write(tmp_path, {**good(), **files}, sums_of=other))
    assert codes(there) == ["RBD-BUNDLE-006"] * 3


def test_which_release(tmp_path: Path) -> None:
    files = of(SPEC, V6)
    files["rainbond-images-6.9.8-amd64.tar.gz"] = rainbond.archive(rainbond.image_names(SPEC, release(V6_9)))
    files["rainbond-6.9.3.tgz"] = rainbond.chart(version="6.9.3")
    there = bundle(tmp_path, files)
    assert there.rainbond_releases() == (V6, V6_9)
    assert codes(there) == ["RBD-BUNDLE-021"]
    with pytest.raises(StepError) as caught:
        there.chart(SPEC)
    assert caught.value.code == "bundle_release"
    for tag, version, archive in ((V6, "6.2.1", IMAGES), (V6_9, "6.9.3", "rainbond-images-6.9.8-amd64.tar.gz")):
        spec = SPEC.model_copy(update={"rainbond": SPEC.rainbond.model_copy(update={"version": tag})})
        assert codes(there, spec) == []
        assert there.chart(spec).version == version, "the newest that is not newer than the release"
        assert [each.path.name for each in there.rainbond_images(spec, "amd64")] == [archive]
    elsewhere = SPEC.model_copy(update={"rainbond": SPEC.rainbond.model_copy(update={"version": "v6.3.1-release"})})
    assert codes(there, elsewhere) == ["RBD-BUNDLE-022"]


def test_images_may_come_in_several_archives(tmp_path: Path) -> None:
    names = rainbond.image_names(SPEC, release(V6))
    files = without(of(SPEC, V6), IMAGES)
    rest = [name for name in names if not name.endswith(V6)]
    files |= {
        "rainbond-images-amd64.tar.gz": rainbond.archive([name for name in names if name.endswith(V6)]),
        "rainbond-base-images-amd64.tar.gz": rainbond.archive(rest),
    }
    there = bundle(tmp_path, files)
    assert codes(there) == []
    assert len(there.rainbond_images(SPEC, "amd64")) == 2


@pytest.mark.parametrize("profile", ["rainbond-6", "rainbond-5.17"])
def test_an_nfs_server_needs_the_image_of_its_provisioner_whatever_it_is_called(tmp_path: Path, profile: str) -> None:
    tag = V6 if profile == "rainbond-6" else V5
    spec = plan(profile, MYSQL + NFS)
    files = of(spec, tag)
    names = [name for name in rainbond.image_names(spec, release(tag)) if "provisioner:v4" not in name]
    files[IMAGES] = rainbond.archive(names)
    there = bundle(tmp_path, files)
    missing = {each.code for each in found(there, spec)} - {"RBD-BUNDLE-027"}
    assert missing == {"RBD-BUNDLE-026"}
    with pytest.raises(StepError) as caught:
        there.rainbond_images(spec, "amd64")
    assert caught.value.code == "bundle_images"
    own = "registry.k8s.io/sig-storage/nfs-subdir-external-provisioner:v4.0.2"
    (tmp_path / "nfs-images-amd64.tar.gz").write_bytes(rainbond.archive([own]))
    (tmp_path / "sha256sum-amd64.txt").unlink()
    there = open_bundle(tmp_path)
    assert {each.code for each in found(there, spec)} - {"RBD-BUNDLE-027"} == {"RBD-BUNDLE-007"}
    assert [file.path.name for file in there.rainbond_images(spec, "amd64")] == ["nfs-images-amd64.tar.gz", IMAGES]


def test_what_is_outside_is_not_missed(tmp_path: Path) -> None:
    spec = plan(more=MYSQL + REGISTRY)
    assert not {"registry:2.6.2", "rbd-db:8.0.19"} & set(needed_images(spec, release(V6)))
    files = of(SPEC, V6)
    files[IMAGES] = rainbond.archive(f"elsewhere/{name}" for name in needed_images(spec, release(V6)))
    assert codes(bundle(tmp_path, files), spec) == [], "pushed to a registry, only name and tag count"
    assert repository_of(spec, release(V6)) == "hub.lan:5000/rbd"


def test_a_registry_may_have_the_images_already(tmp_path: Path) -> None:
    spec = plan(more=REGISTRY)
    there = bundle(tmp_path, without(of(SPEC, V6), IMAGES))
    [finding] = found(there, spec)
    assert (finding.code, finding.severity) == ("RBD-BUNDLE-024", Severity.WARNING)
    assert there.rainbond_images(spec, "amd64") == []
    assert there.rainbond_releases() == (V6,), "then the chart tells the release"
    assert there.chart(spec).version == "6.2.1"


EXISTING = "kubernetes: {distribution: existing, kubeconfig: /k}\n"
BALANCER = "gateway: {mode: external, address: 10.0.0.9}\n"


def test_of_a_cluster_that_is_there_already_rke2_is_not_asked_for(tmp_path: Path) -> None:
    spec = plan(more=EXISTING, gateway=BALANCER)
    there = open_bundle(write(tmp_path, without(of(SPEC, V6), IMAGES)))
    [finding] = found(there, spec)
    assert (finding.code, finding.severity) == ("RBD-BUNDLE-025", Severity.WARNING)
    assert "rbd-api:v6.2.1-release" in finding.evidence
    pushed = plan(more=EXISTING + REGISTRY, gateway=BALANCER)
    assert codes(there, pushed) == ["RBD-BUNDLE-024"]


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("{Cluster: {imagePullPolicy: Always, replicas: 2}}", []),
        ("{Component: {rbd_api: {args: [a]}}, operator: {env: [{name: A, value: b}]}}", []),
        ("{nfs-client-provisioner: {replicaCount: 2}}", []),
        ("{Cluster: {replica: 2}}", [("RBD-CHART-005", "rainbond.values.Cluster.replica")]),
        ("{cluster: {replicas: 2}}", [("RBD-CHART-005", "rainbond.values.cluster")]),
        ("{Cluster: [replicas]}", [("RBD-CHART-004", "rainbond.values.Cluster")]),
        ("{operator: {env: {A: b}}}", [("RBD-CHART-004", "rainbond.values.operator.env")]),
        ("{serviceAccount: text}", [("RBD-CHART-004", "rainbond.values.serviceAccount")]),
    ],
)
def test_values_that_the_chart_does_not_know(tmp_path: Path, given: str, wanted: list[tuple[str, str]]) -> None:
    spec = plan(more=values(given))
    findings = found(bundle(tmp_path, of(SPEC, V6)), spec)
    assert [(each.code, each.place.field) for each in findings] == wanted


def test_a_key_that_is_nearly_one_of_the_charts(tmp_path: Path) -> None:
    spec = plan(more=values("{Cluster: {replica: 2}}"))
    [finding] = found(bundle(tmp_path, of(SPEC, V6)), spec)
    assert "Did you mean replicas?" in str(finding.message)


def test_a_chart_that_was_not_packed(tmp_path: Path) -> None:
    there = bundle(tmp_path, without(of(SPEC, V6), "rainbond.tgz"))
    for name, content in rainbond.chart_files().items():
        path = tmp_path / "rainbond-chart" / name.partition("/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    chart = there.chart(SPEC)
    assert (chart.path, chart.version) == (tmp_path / "rainbond-chart", "6.2.1")
    (tmp_path / "rainbond-chart/templates/new.yaml").write_text("a: b\n")
    assert there.chart(SPEC).file.sha256 != chart.file.sha256
    os.symlink("/etc/hostname", tmp_path / "rainbond-chart/templates/link.yaml")
    assert codes(there) == ["RBD-BUNDLE-019"], "a link could lead to any file of this machine"


BOMB = "a: &a [x, x]\nb: [*a, *a]\n"


@pytest.mark.parametrize(
    ("values", "why"),
    [
        (BOMB, "anchors"),
        ("[" * 5000, "values.yaml"),
        ("a: [", "values.yaml"),
        ("- a\n", "no mapping"),
    ],
)
def test_values_that_do_harm(values: str, why: str) -> None:
    packed = rainbond.chart(values=values)
    with pytest.raises(ChartError, match=why):
        read_packed(io.BytesIO(packed), len(packed))


@pytest.mark.parametrize("length", [0, 3, 20, 63, 64, 119, 4095])
def test_a_program_that_is_cut_off_anywhere(length: int) -> None:
    content = rainbond.helm("amd64")[:length]
    contents = look_into(io.BytesIO(content), format_of(content[:HEAD_BYTES]), len(content))
    assert not contents.is_whole
