"""The offline bundle: Kubernetes and helm from their Go modules, RKE2's archives, Rainbond, Debian's keepalived."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab import archive
from tests.lab.base import FILES, base_image, base_key, keepalived_image
from tests.lab.cache import Cache, digest
from tests.lab.chart import CHARTS, chart_archive
from tests.lab.machine import go_program
from tests.lab.shell import Progress, run, run_long

_HERE = Path(__file__).parent
KUBE_SOURCES = _HERE / "kube"
PACKAGES = Path("packages/debian-12-amd64")
HELM_VERSION = "v3.15.4"
SPEED_VARIABLE = "LAB_RAINBOND_SPEED"
RAINBOND_RELEASE = "6.2.1"
"""What `Lab.bundle` holds."""
_RUNTIME_PACKAGES = ("containerd", "runc", "containernetworking-plugins")
_VERSION_VARIABLES = {
    "gitVersion": archive.KUBERNETES_VERSION,
    "gitMajor": "1",
    "gitMinor": "30",
    "gitCommit": "lab",
    "gitTreeState": "clean",
    "buildDate": "2024-08-14T00:00:00Z",
}
"""What Kubernetes' own build sets; without them its programs do not know their version and kubeadm refuses to work."""
_GO_BUILD_S = 3600


_PROGRAMS = ("hyperkube", "rke2", "pause", "coredns")


def built_programs(cache: Cache, progress: Progress) -> Path:
    """A directory with `hyperkube`, `rke2`, `pause`, `coredns`: minutes with a cold Go cache, else seconds."""
    return _built("kube", _PROGRAMS, cache, progress)


def stand_in(cache: Cache, progress: Progress) -> Path:
    """The stand-in of Rainbond's operator and components, one program."""
    return _built("rainbond", ("rainbond",), cache, progress) / "rainbond"


def _built(kind: str, names: Sequence[str], cache: Cache, progress: Progress) -> Path:
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    variables = [f"-X {package}.{name}={value}" for package in packages for name, value in _VERSION_VARIABLES.items()]
    flags = " ".join(["-s", "-w", *variables])

    def build(place: Path) -> None:
        progress(f"{kind} from its Go modules: some minutes the first time")
        targets = [f"./{name}" for name in names]
        argv = [go_program(), "build", "-trimpath", "-ldflags", flags, "-o", f"{place}/", *targets]
        _go(argv, place, progress, cwd=KUBE_SOURCES)

    return cache.entry(kind, _sources_key(names), build, wait_s=_GO_BUILD_S)


def _sources_key(names: Sequence[str]) -> str:
    modules = [KUBE_SOURCES / name for name in ("go.mod", "go.sum")]
    return digest(*modules, *(KUBE_SOURCES / name for name in names), repr(_VERSION_VARIABLES))


def helm_program(cache: Cache, progress: Progress) -> Path:
    """helm, as its own module tells to build it: it knows its version."""
    flags = f"-s -w -X helm.sh/helm/v3/internal/version.version={HELM_VERSION}"

    def build(place: Path) -> None:
        argv = [go_program(), "install", "-trimpath", "-ldflags", flags, f"helm.sh/helm/v3/cmd/helm@{HELM_VERSION}"]
        _go(argv, place, progress, GOBIN=str(place))

    return cache.entry("helm", digest(flags), build, wait_s=_GO_BUILD_S) / "helm"


def _go(argv: list[str], place: Path, progress: Progress, *, cwd: Path | None = None, **variables: str) -> None:
    run_long(
        argv,
        log=place / "go.log",
        label=" ".join(argv[:2]),
        progress=progress,
        timeout_s=_GO_BUILD_S,
        cwd=cwd,
        env=os.environ | {"CGO_ENABLED": "0"} | variables,
    )


def container_runtime(cache: Cache) -> Path:
    """Debian's containerd, runc and CNI plugins, unpacked."""

    def build(place: Path) -> None:
        run(["apt-get", "download", "-q", *_RUNTIME_PACKAGES], timeout_s=300, cwd=place)
        for package in sorted(place.glob("*.deb")):
            run(["dpkg", "-x", package, place], timeout_s=120)
            package.unlink()

    return cache.entry("runtime", digest(" ".join(_RUNTIME_PACKAGES)), build)


def busybox(cache: Cache) -> Path:
    """Debian's busybox that needs no libraries."""

    def build(place: Path) -> None:
        run(["apt-get", "download", "-q", "busybox-static"], timeout_s=300, cwd=place)
        for package in sorted(place.glob("*.deb")):
            run(["dpkg", "-x", package, place], timeout_s=120)
            package.unlink()

    return cache.entry("busybox", digest("busybox-static"), build) / "bin/busybox"


def _speed() -> float:
    """What the delays of Rainbond's probes are divided by in bundles that this process builds: 1 is the real thing."""
    return max(1.0, float(os.environ.get(SPEED_VARIABLE) or 1))


def offline_bundle(cache: Cache, progress: Progress, *, split: bool = False) -> Path:
    """The bundle directory; the caller must not write into it.

    With `split`, the images of RKE2's core and of canal are archives of their own, as RKE2 releases them too.
    """

    def build(place: Path) -> None:
        whole = offline_bundle(cache, progress) if split else None
        if whole is not None:
            shutil.copytree(whole, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("rke2-images*", "*.txt"))
            images = cache.entry("images", _images_key(), build_images, wait_s=_GO_BUILD_S)
            for variant in (archive.CORE, archive.CANAL):
                shutil.copy(images / _image_archive_name(variant), place)
        else:
            build_whole(place)
        archive.write_checksums(place, "sha256sum-amd64.txt")

    def build_images(place: Path) -> None:
        programs, runtime = built_programs(cache, progress), container_runtime(cache)
        made = archive.kubernetes_images(programs, runtime)
        for variant, data in made.items():
            archive.write_compressed(place / _image_archive_name(variant), data)

    def build_whole(place: Path) -> None:
        programs = built_programs(cache, progress)
        debs = keepalived_image(cache, base_image(cache, progress), progress) / "debs"
        images = cache.entry("images", _images_key(), build_images, wait_s=_GO_BUILD_S)
        shutil.copy(images / _image_archive_name(""), place)
        chart_name, chart = chart_archive(RAINBOND_RELEASE)
        archives = {
            "rke2.linux-amd64.tar.gz": archive.program_archive(programs / "rke2"),
            "rainbond-images-amd64.tar.gz": archive.rainbond_images(
                stand_in(cache, progress), busybox(cache), RAINBOND_RELEASE, _speed()
            ),
            chart_name: chart,
        }
        for name, data in archives.items():
            archive.write_compressed(place / name, data)
        shutil.copy(helm_program(cache, progress), place / "helm-amd64")
        shutil.copytree(debs, place / PACKAGES)

    return cache.entry("splitbundle" if split else "bundle", _bundle_key(), build, wait_s=_GO_BUILD_S)


def _image_archive_name(variant: str) -> str:
    return f"rke2-images{'-' + variant if variant else ''}.linux-amd64.tar.zst"


CHART_OF: Mapping[str, str] = {"6.9.8": "6.9.3"}
"""Releases of operator and components without a chart of their own, and the chart that reaches them."""


def rainbond_bundle(cache: Cache, progress: Progress, release: str) -> Path:
    """The bundle with another release of Rainbond: its chart and images, everything else linked to the common files."""
    if release == RAINBOND_RELEASE:
        return offline_bundle(cache, progress)

    def build(place: Path) -> None:
        whole = offline_bundle(cache, progress)
        other = shutil.ignore_patterns("rainbond-*", "sha256sum-*")
        shutil.copytree(whole, place, dirs_exist_ok=True, ignore=other, copy_function=os.link)
        name, chart = chart_archive(CHART_OF.get(release, release))
        images = archive.rainbond_images(stand_in(cache, progress), busybox(cache), release, _speed())
        archive.write_compressed(place / name, chart)
        archive.write_compressed(place / "rainbond-images-amd64.tar.gz", images)
        archive.write_checksums(place, "sha256sum-amd64.txt")

    kind = f"bundle{release.replace('.', '')}"
    return cache.entry(kind, _bundle_key(), build, wait_s=_GO_BUILD_S)


def existing_bundle(cache: Cache) -> Path | None:
    """The bundle directory if it is built already."""
    place = cache.place("bundle", _bundle_key())
    return place if place.is_dir() else None


def _images_key() -> str:
    return digest(_sources_key(_PROGRAMS), _HERE / "archive.py")


def _bundle_key() -> str:
    makers = [_HERE / "bundle.py", _HERE / "archive.py", _HERE / "chart.py", CHARTS, *sorted(FILES.glob("rke2*"))]
    return digest(KUBE_SOURCES, *makers, base_key(), f"{_speed():g}")
