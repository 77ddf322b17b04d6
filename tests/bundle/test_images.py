"""Which archives of images a plan needs, and that exactly these are asked for, judged and handed out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from rbdtui.bundle.images import image_sets, names_of
from rbdtui.bundle.scan import open_bundle
from rbdtui.bundle.verify import check_parts, verify_bundle
from rbdtui.errors import StepError
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Place, Severity
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec import fields
from rbdtui.spec.model import ClusterSpec
from tests.bundle.archives import PROGRAM, image_files, images, part, program, runtime_tag, tar, write, zst

ALL, CORE = "rke2-images", "rke2-images-core"
OLD, MIDDLE, NEW = "v1.28.15+rke2r1", "v1.30.4+rke2r1", "v1.36.3+rke2r1"


def spec(settings: Mapping[str, object] | None = None, *, profile: str = "kubernetes-only") -> ClusterSpec:
    return ClusterSpec.model_validate(
        {
            "apiVersion": "rbdtui/v1",
            "name": "a",
            "profile": profile,
            "bundle": "b",
            "nodes": [{"name": "n1", "address": "10.0.0.1", "roles": ["control-plane", "etcd", "gateway"]}],
            "kubernetes": {"api": {"mode": "first-server"}, "settings": settings or {}},
            "gateway": {"mode": "external", "address": "10.0.0.9"},
        }
    )


def kinds(*names: str) -> tuple[str, ...]:
    return tuple(f"rke2-images-{name}" for name in names)


def with_canal(*names: str) -> tuple[tuple[str, ...], ...]:
    return (ALL, *kinds(*names)), (CORE, *kinds("canal", *names))


CANAL = ((ALL,), (CORE, *kinds("canal")))
NEEDS = [
    ({}, MIDDLE, CANAL),
    ({"cni": "canal"}, MIDDLE, CANAL),
    ({"cni": ["canal"]}, NEW, CANAL),
    ({"cni": "calico"}, MIDDLE, ((CORE, *kinds("calico")), (ALL, *kinds("calico")))),
    ({"cni": ["cilium"]}, MIDDLE, ((CORE, *kinds("cilium")), (ALL, *kinds("cilium")))),
    ({"cni": "flannel"}, NEW, ((CORE, *kinds("flannel")), (ALL, *kinds("flannel")))),
    ({"cni": "multus", "cni+": "calico"}, NEW, ((CORE, *kinds("multus", "calico")), (ALL, *kinds("multus", "calico")))),
    ({"cni": "none"}, MIDDLE, ((CORE,), (ALL,))),
    ({"cni": "multus,canal"}, MIDDLE, with_canal("multus")),
    ({"cni": ["multus", "cilium"]}, MIDDLE, ((CORE, *kinds("multus", "cilium")), (ALL, *kinds("multus", "cilium")))),
    ({"cni": ["multus,calico"]}, MIDDLE, ((CORE, *kinds("multus", "calico")), (ALL, *kinds("multus", "calico")))),
    ({"disable": "rke2-canal"}, MIDDLE, ((CORE,), (ALL,))),
    ({"ingress-controller": "ingress-nginx"}, MIDDLE, CANAL),
    ({"ingress-controller": "ingress-nginx"}, NEW, with_canal("ingress-nginx")),
    ({"ingress-controller": "traefik"}, MIDDLE, with_canal("traefik")),
    ({"ingress-controller": "traefik"}, NEW, CANAL),
    ({"ingress-controller": "traefik"}, OLD, CANAL),
    ({"ingress-controller": ["traefik", "ingress-nginx"]}, NEW, with_canal("ingress-nginx")),
    ({"ingress-controller": "none"}, NEW, CANAL),
    ({"ingress-controller": "ingress-nginx", "disable": ["rke2-ingress-nginx"]}, NEW, CANAL),
    ({"cloud-provider-name": "rancher-vsphere"}, MIDDLE, with_canal("vsphere")),
    ({"cloud-provider-name": "harvester"}, NEW, with_canal("harvester")),
    ({"cloud-provider-name": "external"}, NEW, CANAL),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "version", "sets"), NEEDS, ids=[f"{n[0]} {n[1]}" for n in NEEDS])
def test_the_archives_that_a_plan_needs(
    settings: dict[str, object], version: str, sets: tuple[tuple[str, ...], ...]
) -> None:
    assert image_sets(spec(settings), Rke2Version.parse(version)) == sets


@pytest.mark.parametrize("version", [MIDDLE, NEW])
def test_rainbond_brings_its_own_gateway(version: str) -> None:
    settings: dict[str, object] = {"ingress-controller": ["traefik", "ingress-nginx"]}
    assert image_sets(spec(settings, profile="rainbond-6"), Rke2Version.parse(version)) == CANAL


def test_the_names_are_those_of_the_releases() -> None:
    assert names_of("rke2-images-cilium", "arm64") == (
        "rke2-images-cilium.linux-arm64.tar.zst",
        "rke2-images-cilium.linux-arm64.tar.gz",
        "rke2-images-cilium.linux-arm64.tar",
    )


def named(kind: str, ending: str = "tar.gz") -> str:
    return f"{kind}.linux-amd64.{ending}"


def bundle(directory: Path, *kinds_there: str, version: str = MIDDLE) -> Path:
    """A bundle with a program and these kinds of images."""
    files = {PROGRAM: program("amd64", version)}
    for kind in kinds_there:
        files[named(kind)] = images("amd64", version) if kind in (ALL, CORE) else part(kind)
    return write(directory, files)


def told(directory: Path, plan: ClusterSpec) -> list[tuple[str, str]]:
    found = verify_bundle(open_bundle(directory), plan, [NodeFacts("n1", 0.0, arch="amd64")])
    return [(each.code[-3:], str(each.params.get("file") or each.params.get("names"))) for each in found]


@pytest.mark.parametrize(
    ("settings", "there", "missing"),
    [
        ({}, (ALL,), ()),
        ({}, (CORE, *kinds("canal")), ()),
        ({}, (ALL, CORE, *kinds("canal", "cilium")), ()),
        ({}, (), (ALL,)),
        ({}, (CORE,), kinds("canal")),
        ({}, kinds("canal"), (CORE,)),
        ({"cni": "calico"}, (ALL,), kinds("calico")),
        ({"cni": "calico"}, (CORE,), kinds("calico")),
        ({"cni": "calico"}, (ALL, *kinds("calico")), ()),
        ({"cni": "calico"}, (CORE, *kinds("calico")), ()),
        ({"cni": "calico"}, kinds("calico"), (CORE,)),
        ({"cni": ["multus", "canal"]}, (ALL,), kinds("multus")),
        ({"cni": ["multus", "canal"]}, (CORE, *kinds("canal", "multus")), ()),
        ({"ingress-controller": "traefik"}, (ALL,), kinds("traefik")),
        ({"ingress-controller": "traefik"}, (ALL, *kinds("traefik")), ()),
    ],
)
def test_what_is_missing_is_told_and_nothing_else(
    tmp_path: Path, settings: dict[str, object], there: tuple[str, ...], missing: tuple[str, ...]
) -> None:
    directory, plan = bundle(tmp_path, *there), spec(settings)
    found = verify_bundle(open_bundle(directory), plan, [NodeFacts("n1", 0.0, arch="amd64")])
    absent = [str(each.params["names"]).split(".")[0] for each in found if each.severity is Severity.ERROR]
    assert absent == list(missing)
    if missing:
        with pytest.raises(StepError) as caught:
            open_bundle(directory).images(plan, "amd64")
        assert caught.value.code == "bundle_missing"
        assert missing[0] in str(caught.value)
    else:
        handed = [file.path.name for file in open_bundle(directory).images(plan, "amd64")]
        assert sorted(handed) == sorted(str(each.params["file"]) for each in found if each.params["file"] != PROGRAM)


def test_what_else_would_do_is_said(tmp_path: Path) -> None:
    found = verify_bundle(open_bundle(bundle(tmp_path)), spec(), [])
    (missing,) = (each for each in found if each.severity is Severity.ERROR)
    assert missing.evidence == "or: rke2-images-core + rke2-images-canal"


def test_a_part_for_another_architecture_is_told(tmp_path: Path) -> None:
    directory = bundle(tmp_path, CORE)
    (directory / named("rke2-images-cilium", "tar.zst")).write_bytes(zst(tar(image_files("arm64", "x/cilium:v1"))))
    assert ("004", named("rke2-images-cilium", "tar.zst")) in told(directory, spec({"cni": "cilium"}))


def test_images_that_are_not_packed_are_taken(tmp_path: Path) -> None:
    directory = bundle(tmp_path)
    (directory / named(ALL, "tar")).write_bytes(tar(image_files("amd64", runtime_tag())))
    assert [file.path.name for file in open_bundle(directory).images(spec(), "amd64")] == [named(ALL, "tar")]
    assert told(directory, spec()) == [("008", PROGRAM), ("007", named(ALL, "tar")), ("008", named(ALL, "tar"))]


def test_what_a_version_needs_follows_from_the_program_in_the_bundle(tmp_path: Path) -> None:
    plan = spec({"ingress-controller": "ingress-nginx"})
    before, after = bundle(tmp_path / "old", ALL), bundle(tmp_path / "new", ALL, version=NEW)
    assert [code for code, _ in told(before, plan)] == ["008", "008"]
    assert [(code, name.split(".")[0]) for code, name in told(after, plan)] == [
        ("008", "rke2"),
        ("008", "rke2-images"),
        ("001", "rke2-images-ingress-nginx"),
    ]


def test_the_core_of_another_version_is_told(tmp_path: Path) -> None:
    directory = bundle(tmp_path, *kinds("canal"))
    (directory / named(CORE)).write_bytes(images("amd64", "v1.30.5+rke2r1"))
    assert "009" in [code for code, _ in told(directory, spec())]


@pytest.mark.parametrize(
    ("settings", "there", "codes"),
    [
        ({}, (), []),
        ({"cni": "canal"}, (), []),
        ({"cni": "calico"}, (), ["016"]),
        ({"cni+": "calico"}, (), ["016"]),
        ({"cni": "calico"}, (ALL,), ["016"]),
        ({"cni": "calico"}, kinds("calico"), []),
        ({"cni": ["multus", "flannel"]}, kinds("flannel"), ["016"]),
        ({"cni": ["multus", "canal"]}, kinds("multus"), []),
        ({"ingress-controller": "traefik"}, (), ["017"]),
        ({"ingress-controller": "traefik"}, kinds("traefik"), []),
        ({"ingress-controller": ["traefik", "ingress-nginx"]}, (), ["017", "018"]),
        ({"ingress-controller": "none"}, (), []),
    ],
)
def test_parts_without_archives_are_told_from_the_names_alone(
    tmp_path: Path, settings: dict[str, object], there: tuple[str, ...], codes: list[str]
) -> None:
    directory = bundle(tmp_path, *there)
    found = check_parts(spec(settings), directory, lambda path: Place(field=path))
    assert [finding.code[-3:] for finding in found] == codes
    assert {finding.place.field for finding in found} <= {fields.join("kubernetes.settings", key) for key in settings}
    assert check_parts(spec(settings), tmp_path / "none", lambda path: Place(field=path)) == []
