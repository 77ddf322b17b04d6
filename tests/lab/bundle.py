"""The offline bundle: Kubernetes built from its Go modules and packaged as RKE2's archives, and Debian's keepalived."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from tests.lab import archive
from tests.lab.base import FILES, base_image, base_key, keepalived_image
from tests.lab.cache import Cache, digest
from tests.lab.machine import go_program
from tests.lab.shell import Progress, run, run_long

_HERE = Path(__file__).parent
KUBE_SOURCES = _HERE / "kube"
PACKAGES = Path("packages/debian-12-amd64")
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


def built_programs(cache: Cache, progress: Progress) -> Path:
    """A directory with `hyperkube`, `rke2`, `rainbond`, `pause`: minutes with a cold Go cache, else seconds."""
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    variables = [f"-X {package}.{name}={value}" for package in packages for name, value in _VERSION_VARIABLES.items()]
    flags = " ".join(["-s", "-w", *variables])

    def build(place: Path) -> None:
        progress("Kubernetes from its Go modules: some minutes the first time")
        run_long(
            [go_program(), "build", "-trimpath", "-ldflags", flags, "-o", f"{place}/", "./..."],
            log=place / "go.log",
            label="go build",
            progress=progress,
            timeout_s=_GO_BUILD_S,
            cwd=KUBE_SOURCES,
            env=os.environ | {"CGO_ENABLED": "0"},
        )

    return cache.entry("kube", digest(KUBE_SOURCES, flags), build, wait_s=_GO_BUILD_S)


def container_runtime(cache: Cache) -> Path:
    """Debian's containerd, runc and CNI plugins, unpacked."""

    def build(place: Path) -> None:
        run(["apt-get", "download", "-q", *_RUNTIME_PACKAGES], timeout_s=300, cwd=place)
        for package in sorted(place.glob("*.deb")):
            run(["dpkg", "-x", package, place], timeout_s=120)
            package.unlink()

    return cache.entry("runtime", digest(" ".join(_RUNTIME_PACKAGES)), build)


def offline_bundle(cache: Cache, progress: Progress, *, split: bool = False) -> Path:
    """The bundle directory; the caller must not write into it.

    With `split`, the images of RKE2's core and of canal are archives of their own, as RKE2 releases them too.
    """

    def build(place: Path) -> None:
        whole = offline_bundle(cache, progress) if split else None
        if whole is not None:
            shutil.copytree(whole, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("rke2-images*", "*.txt"))
            images = cache.entry("images", _bundle_key(), build_images, wait_s=_GO_BUILD_S)
            for variant in (archive.CORE, archive.CANAL):
                shutil.copy(images / _image_archive_name(variant), place)
        else:
            build_whole(place)
        archive.write_checksums(place, "sha256sum-amd64.txt")

    def build_images(place: Path) -> None:
        programs, runtime = built_programs(cache, progress), container_runtime(cache)
        made = archive.kubernetes_images(programs / "hyperkube", programs / "pause", runtime)
        for variant, data in made.items():
            archive.write_compressed(place / _image_archive_name(variant), data)

    def build_whole(place: Path) -> None:
        programs = built_programs(cache, progress)
        debs = keepalived_image(cache, base_image(cache, progress), progress) / "debs"
        images = cache.entry("images", _bundle_key(), build_images, wait_s=_GO_BUILD_S)
        shutil.copy(images / _image_archive_name(""), place)
        archives = {
            "rke2.linux-amd64.tar.gz": archive.program_archive(programs / "rke2"),
            "rainbond-images-amd64.tar.gz": archive.rainbond_images(programs / "rainbond"),
        }
        for name, data in archives.items():
            archive.write_compressed(place / name, data)
        shutil.copytree(debs, place / PACKAGES)

    return cache.entry("splitbundle" if split else "bundle", _bundle_key(), build, wait_s=_GO_BUILD_S)


def _image_archive_name(variant: str) -> str:
    return f"rke2-images{'-' + variant if variant else ''}.linux-amd64.tar.zst"


def existing_bundle(cache: Cache) -> Path | None:
    """The bundle directory if it is built already."""
    place = cache.place("bundle", _bundle_key())
    return place if place.is_dir() else None


def _bundle_key() -> str:
    makers = [_HERE / "bundle.py", _HERE / "archive.py", *sorted(FILES.glob("rke2*"))]
    return digest(KUBE_SOURCES, *makers, base_key())
