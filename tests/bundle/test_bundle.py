"""A bundle as steps and `bundle verify` see it, with everything that can be wrong with one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from rbdtui.bundle import inspection
from rbdtui.bundle.scan import RKE2, RKE2_IMAGES, open_bundle
from rbdtui.bundle.verify import verify_bundle
from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts, OsRelease
from rbdtui.findings import Severity
from rbdtui.simulator.bundle import write_bundle
from rbdtui.simulator.kubernetes.cluster import RKE2_VERSION
from rbdtui.spec.model import ClusterSpec
from tests.bundle.archives import (
    IMAGES_GZ,
    IMAGES_ZST,
    PROGRAM,
    good,
    images,
    program,
    program_files,
    rpm,
    tar,
    write,
    zst,
    zstd_images,
)


def spec() -> ClusterSpec:
    return ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1",
            "name": "a",
            "profile": "kubernetes-only",
            "bundle": "b",
            "nodes": [{"name": "n1", "address": "10.0.0.1", "roles": ["control-plane", "etcd", "gateway"]}],
            "gateway": {"mode": "keepalived", "vip": "10.0.0.100/24", "virtual_router_id": 1},
        }
    )


def facts(arch: str = "amd64", tools: frozenset[str] = frozenset({"keepalived"})) -> NodeFacts:
    return NodeFacts("n1", 0.0, os=OsRelease(id="openEuler", version_id="22.03"), arch=arch, tools=tools)


Change = Callable[[Path], None]


def put(name: str, content: bytes) -> Change:
    def change(bundle: Path) -> None:
        (bundle / name).write_bytes(content)

    return change


def drop(name: str) -> Change:
    return lambda bundle: (bundle / name).unlink()


def rename(old: str, new: str) -> Change:
    def change(bundle: Path) -> None:
        (bundle / old).rename(bundle / new)

    return change


CASES = [
    pytest.param([], ["008", "008"], None, id="all is well"),
    pytest.param([drop(PROGRAM)], ["001", "008"], "bundle_missing", id="missing"),
    pytest.param([put(PROGRAM, program("amd64")[:-9])], ["003", "008"], "bundle_damaged", id="broken off"),
    pytest.param([put(PROGRAM, b"")], ["003", "008"], "bundle_damaged", id="empty"),
    pytest.param([put(PROGRAM, program("arm64"))], ["004", "008"], "bundle_wrong_arch", id="wrong architecture"),
    pytest.param(
        [put(PROGRAM, zst(tar(program_files("amd64"))))], ["005", "008"], "bundle_wrong_name", id="zstd named gzip"
    ),
    pytest.param([put(PROGRAM, program("amd64", "v1.30.5+rke2r1"))], ["006", "008"], "bundle_bad_sha256", id="bad sum"),
    pytest.param([drop("sha256sum-amd64.txt")], ["007", "008", "007", "008"], None, id="unknown sha256"),
    pytest.param(
        [drop("sha256sum-amd64.txt"), put(IMAGES_GZ, images("amd64", "v1.28.9+rke2r1"))],
        ["007", "008", "007", "008", "009"], None, id="two versions",
    ),
    pytest.param([drop(IMAGES_GZ), put(IMAGES_ZST, zstd_images())], ["008", "007", "008"], None, id="images as zstd"),
    pytest.param(
        [drop(IMAGES_GZ), put(IMAGES_ZST, zstd_images("arm64"))], ["008", "004"], None, id="zstd, another architecture"
    ),
    pytest.param(
        [drop(IMAGES_GZ), put(IMAGES_ZST, zstd_images("amd64", "v1.28.9+rke2r1"))], ["008", "007", "008", "009"], None,
        id="two versions, one as zstd",
    ),
    pytest.param([put(IMAGES_ZST, zstd_images()[:-1])], ["008", "003"], None, id="zstd is preferred, and broken off"),
    pytest.param([rename(PROGRAM, "rke2-v1.30.tgz")], ["007", "008", "008"], None, id="recognised by content"),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "codes", "error"), CASES)
def test_what_can_be_wrong(tmp_path: Path, changes: list[Change], codes: list[str], error: str | None) -> None:
    directory = write(tmp_path / "bundle", good())
    for change in changes:
        change(directory)
    bundle = open_bundle(directory)
    findings = verify_bundle(bundle, spec(), [facts()])
    assert [finding.code.removeprefix("RBD-BUNDLE-") for finding in findings] == codes
    for finding in findings:
        assert "{" not in str(finding.message) + str(finding.remedy)
    if error is None:
        assert bundle.file(RKE2, "amd64").size_bytes > 0
    else:
        with pytest.raises(StepError) as caught:
            bundle.file(RKE2, "amd64")
        assert caught.value.code == error
        assert "{" not in str(caught.value) + str(caught.value.remedy)


def test_every_architecture_of_the_hosts_is_looked_for(tmp_path: Path) -> None:
    findings = verify_bundle(open_bundle(write(tmp_path, good())), spec(), [facts("amd64"), facts("arm64")])
    missing = [finding for finding in findings if finding.severity is Severity.ERROR]
    assert [finding.code for finding in missing] == ["RBD-BUNDLE-001"] * 2
    assert all("arm64" in str(finding.message) for finding in missing)


@pytest.mark.parametrize("name", ["openEuler-22.03-amd64", "openeuler-22.03-amd64"])
def test_packages_by_system(tmp_path: Path, name: str) -> None:
    bundle = open_bundle(write(tmp_path, good()))
    lacking = facts(tools=frozenset())
    assert "RBD-BUNDLE-010" in [finding.code for finding in verify_bundle(bundle, spec(), [lacking])]
    directory = tmp_path / "packages" / name
    directory.mkdir(parents=True)
    (directory / "keepalived-2.2.8.x86_64.rpm").write_bytes(rpm())
    (directory / "README").write_text("not a package")
    assert [file.path.name for file in bundle.packages("openEuler", "22.03", "amd64")] == [
        "keepalived-2.2.8.x86_64.rpm"
    ]
    assert "RBD-BUNDLE-010" not in [finding.code for finding in verify_bundle(bundle, spec(), [lacking])]


def test_a_bundle_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        open_bundle(tmp_path / "absent")
    assert caught.value.code == "bundle_absent"


def test_a_bundle_that_disappears_and_comes_back(tmp_path: Path) -> None:
    directory = write(tmp_path / "bundle", good())
    bundle = open_bundle(directory)
    before = bundle.file(RKE2, "amd64")
    shutil.move(directory, tmp_path / "unplugged")
    with pytest.raises(StepError) as caught:
        bundle.file(RKE2, "amd64")
    assert caught.value.code == "bundle_absent"
    assert bundle.rke2_version("amd64") is None
    assert [finding.code for finding in verify_bundle(bundle, spec(), [facts()])] == ["RBD-BUNDLE-001"] * 2
    shutil.move(tmp_path / "unplugged", directory)
    assert bundle.file(RKE2, "amd64") == before


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = open_bundle(write(tmp_path, good()))

    def unplugged(_: BinaryIO) -> str:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(inspection, "_sha256", unplugged)
    with pytest.raises(StepError) as caught:
        bundle.file(RKE2, "amd64")
    assert caught.value.code == "bundle_gone"
    assert [finding.code for finding in verify_bundle(bundle, spec(), [facts()])] == ["RBD-BUNDLE-002"] * 2


def test_digests_are_remembered_in_the_site_until_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, cache = write(tmp_path / "bundle", good()), tmp_path / "hashes.json"
    names_before = sorted(path.name for path in directory.iterdir())
    open_bundle(directory, cache_file=cache).file(RKE2, "amd64")
    read: list[str] = []
    real = inspection._sha256

    def noted(file: BinaryIO) -> str:
        read.append(Path(f"/proc/self/fd/{file.fileno()}").resolve().name)
        return real(file)

    monkeypatch.setattr(inspection, "_sha256", noted)
    bundle = open_bundle(directory, cache_file=cache)
    first = bundle.file(RKE2, "amd64")
    assert read == []
    (directory / "sha256sum-amd64.txt").unlink()
    (directory / PROGRAM).write_bytes(program("amd64", "v1.30.5+rke2r1"))
    again = open_bundle(directory, cache_file=cache).file(RKE2, "amd64")
    assert (read, again.sha256 != first.sha256) == ([PROGRAM], True)
    assert sorted(path.name for path in directory.iterdir()) == [n for n in names_before if not n.startswith("sha256")]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", json.dumps({"schema": 99, "files": {}}), '{"schema": 1, "files": {"x": 3}}']
)
def test_a_damaged_cache_costs_time_only(tmp_path: Path, content: str) -> None:
    directory, cache = write(tmp_path / "bundle", good()), tmp_path / "hashes.json"
    cache.write_text(content)
    assert open_bundle(directory, cache_file=cache).file(RKE2_IMAGES, "amd64").sha256


def test_lists_of_digests_in_other_spellings(tmp_path: Path) -> None:
    directory = write(tmp_path, good())
    listed = (directory / "sha256sum-amd64.txt").read_text()
    digest = next(line.split()[0] for line in listed.splitlines() if line.endswith(PROGRAM))
    (directory / "sha256sum-amd64.txt").write_text(f"# comment\n{digest.upper()} *./{PROGRAM}\n\nnonsense\n")
    judged = open_bundle(directory).judge(RKE2, "amd64")
    assert judged is not None
    assert judged.expected_sha256 == digest
    assert judged.fault is None


def test_the_version_of_rke2_is_told_by_its_program(tmp_path: Path) -> None:
    directory = write(tmp_path, good())
    version = open_bundle(directory).rke2_version("amd64")
    assert version is not None
    assert version.at_least(1, 28)
    (directory / PROGRAM).unlink()
    assert open_bundle(directory).rke2_version("amd64") is None


@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_the_bundle_of_simulated_hosts_is_as_good_as_a_real_one(tmp_path: Path, arch: str) -> None:
    directory = write_bundle(tmp_path, arch=arch, images_bytes=4096)
    (directory / f"sha256sum-{arch}.txt").unlink()
    lacking = NodeFacts("n1", 0.0, os=OsRelease(id="debian", version_id="12"), arch=arch, tools=frozenset({"tar"}))
    bundle = open_bundle(directory)
    codes = {finding.code for finding in verify_bundle(bundle, spec(), [lacking])}
    assert codes == {"RBD-BUNDLE-007", "RBD-BUNDLE-008"}
    assert str(bundle.rke2_version(arch)) == RKE2_VERSION
