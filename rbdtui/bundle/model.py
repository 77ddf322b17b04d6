"""What the rest of the program may ask of an offline bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rbdtui.bundle.archives import ArchivedImage
from rbdtui.errors import StepError
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class BundleFile:
    """A file of the offline bundle, with its verified digest."""

    path: Path
    """On the jump host."""
    size_bytes: int
    sha256: str
    within: Path | None = None
    """The bundle, below which no link is followed; None for the file's own directory."""
    images: tuple[ArchivedImage, ...] = field(default=(), repr=False)
    """Of an archive of a platform's images: what is in it."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart of Rainbond, of KubeSphere or of Rook: an archive, or a directory as it was before it was packed."""

    file: BundleFile
    """Of a directory the digest is over names and contents of all its files."""
    name: str
    """``rainbond``, ``rainbond-cluster`` of 5.17, ``ks-core`` of KubeSphere, ``rook-ceph``."""
    version: str
    """Of the chart, which may be older than the release that it installs."""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """Its own defaults, those of the charts within it by their names."""

    @property
    def path(self) -> Path:
        """On the jump host."""
        return self.file.path


class Bundle(Protocol):
    """What a step may ask of the offline bundle; answers may take the time of reading a whole file."""

    def file(self, kind: str, arch: str) -> BundleFile:
        """The file of a kind (``rke2``, ``rke2-images``) for an architecture; raises `StepError` when there is none."""
        ...

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """All archives of images that a plan needs on an architecture; raises `StepError` when one is missing."""
        ...

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        """Host packages for an operating system; empty when the bundle has none."""
        ...

    def rke2_version(self, arch: str) -> Rke2Version | None:
        """The version of RKE2 for an architecture; None when it cannot be told. Never raises."""
        ...

    def chart(self, spec: ClusterSpec) -> Chart:
        """Rainbond's chart for a plan; raises `StepError` when there is none, or none that fits the release."""
        ...

    def helm(self, arch: str) -> BundleFile:
        """helm for an architecture; raises `StepError` when there is none."""
        ...

    def rainbond_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """The archives that hold the images of the plan's Rainbond; raises `StepError` when an image is missing.

        With an external registry, which may have them already, none is an answer as well.
        """
        ...

    def kubesphere_chart(self) -> Chart:
        """KubeSphere's chart, the newest that is there; raises `StepError` when there is none."""
        ...

    def kubesphere_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """The archives that hold the images of the plan's KubeSphere; raises `StepError` when an image is missing.

        None where the plan names a registry that has them.
        """
        ...

    def rook_chart(self) -> Chart:
        """The chart of Rook's operator, the newest of a series that is maintained; raises `StepError` without one."""
        ...

    def rook_images(self, arch: str) -> list[BundleFile]:
        """The archives that hold Rook's images and Ceph's own; raises `StepError` when an image is missing."""
        ...

    def ceph_image(self, arch: str) -> str:
        """The whole name of Ceph's own image; raises `StepError` when there is none."""
        ...

    def rainbond_releases(self) -> tuple[str, ...]:
        """Tags of the releases whose images are there, of the charts where there are no images; never raises."""
        ...


def planned_release(bundle: Bundle, spec: ClusterSpec) -> Release:
    """The release of a plan: the one that it names, else the only one of the bundle; raises `StepError`."""
    named = spec.rainbond.version
    tags = (named,) if named is not None else bundle.rainbond_releases()
    release = release_of(tags[0]) if len(tags) == 1 else None
    if release is None:
        raise StepError("bundle_release", releases=", ".join(bundle.rainbond_releases()) or "-")
    return release
