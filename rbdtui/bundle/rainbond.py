"""Rainbond's part of the bundle: its chart, helm, and the archives of its images, told by what is in them.

ROI's packages keep the names ``rainbond.tgz`` and ``rainbond-images-ARCH.tar.zst`` (goodrain/rainbond-docs@main,
docs/installation/offline.md).
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rbdtui.bundle.archives import ArchivedImage, Format
from rbdtui.bundle.charts import ChartContents, ChartError, read_directory, read_packed
from rbdtui.bundle.inspection import Inspected, Inspector
from rbdtui.bundle.model import BundleFile, Chart
from rbdtui.errors import reason_of
from rbdtui.plain_file import NotPlainError, open_plain
from rbdtui.rainbond.images import lacking, needed_images, repository_of, short_name
from rbdtui.rainbond.provisioner import is_image
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rainbond_version import RainbondVersion
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.registry import RegistryMode

CHART_NAMES: Final = "rainbond*.tgz"
_PACKED: Final = (".tar", ".tar.gz", ".tgz", ".tar.zst")
_RELEASE_IMAGE: Final = re.compile(r"rbd-api:(v[0-9][\w.-]*)")
"""By its tag an archive tells for which release it is."""
_ARCHES: Final = ("amd64", "arm64")
_OTHER_NAMES: Final = {"amd64": ("amd64", "x86_64", "x86-64"), "arm64": ("arm64", "aarch64")}
_OWN: Final = {"x86_64": "amd64", "aarch64": "arm64"}
_MOST_CANDIDATES: Final = 20


@dataclass(frozen=True, slots=True)
class FileNames:
    """How the names of files begin that may be one platform's; what is in them decides."""

    archives: tuple[str, ...]
    """Of archives of images, in small letters; somewhere in them stands ``image``."""
    packed_chart: re.Pattern[str]
    chart_directory: re.Pattern[str]

    def may_be_images(self, name: str) -> bool:
        """Whether it may be an archive of images."""
        low = name.lower()
        return low.startswith(self.archives) and "image" in low and low.endswith(_PACKED)


RAINBOND_NAMES: Final = FileNames(
    ("rainbond", "nfs"),
    re.compile(r"rainbond.*\.(tgz|tar\.gz)", re.IGNORECASE),
    re.compile(r"rainbond[\w.-]*", re.IGNORECASE),
)


@dataclass(frozen=True, slots=True)
class FoundChart:
    """A chart of the bundle, looked at."""

    path: Path
    chart: Chart | None
    """None when it cannot be read as one."""
    detail: str = ""
    """Why, raw."""
    digests: str = ""
    """The expected one and that which was found, where they differ."""


@dataclass(frozen=True, slots=True)
class FoundImages:
    """An archive of a platform's images, looked at."""

    path: Path
    inspected: Inspected

    @property
    def images(self) -> tuple[ArchivedImage, ...]:
        """All that it holds; none of one that is not whole."""
        contents = self.inspected.contents
        return contents.images if contents is not None and contents.is_whole else ()

    @property
    def releases(self) -> frozenset[str]:
        """Releases whose images it holds; none of one that has only what belongs to any."""
        names = (_RELEASE_IMAGE.fullmatch(short_name(image.name)) for image in self.images)
        return frozenset(name[1] for name in names if name is not None)


@dataclass(frozen=True, slots=True)
class PlatformFiles:
    """Looks for a platform's charts, its images and helm in a bundle's directory."""

    directory: Path
    inspector: Inspector = field(repr=False)
    sums: Mapping[str, str] = field(default_factory=dict, repr=False)
    names: FileNames = RAINBOND_NAMES

    def helm_path(self, arch: str) -> Path | None:
        """helm for an architecture, by its name."""
        names = (name for other in _OTHER_NAMES.get(arch, (arch,)) for name in (f"helm-{other}", f"helm-linux-{other}"))
        return next((self.directory / name for name in names if os.path.lexists(self.directory / name)), None)

    def image_paths(self, arch: str) -> list[Path]:
        """Archives that may hold images for an architecture: those whose name says another one are left out."""
        found = [name for name in self._names() if self.names.may_be_images(name)]
        others = [word for other in _ARCHES if other != arch for word in _OTHER_NAMES[other]]
        return [self.directory / name for name in found if not any(word in name.lower() for word in others)]

    def archives(self, arch: str) -> list[FoundImages]:
        """What is in them; those that cannot be read are left out. Reads each whole the first time."""
        found = []
        for path in self.image_paths(arch)[:_MOST_CANDIDATES]:
            try:
                found.append(FoundImages(path, self.inspector.inspect(path, self.directory, contents=True)))
            except OSError:
                continue
        return found

    def charts(self) -> list[FoundChart]:
        """All charts that are there, also those that cannot be read."""
        names = [name for name in self._names() if not self.names.may_be_images(name)]
        packed = [name for name in names if self.names.packed_chart.fullmatch(name)]
        return [
            *(self._packed(self.directory / name) for name in packed[:_MOST_CANDIDATES]),
            *self._directories(names),
        ]

    def releases(self) -> tuple[str, ...]:
        """Tags of all releases that the bundle can install, in order; of the charts where there are no images."""
        tags = {tag for arch in _ARCHES for archive in self.archives(arch) for tag in archive.releases}
        if not tags:
            tags = {f"v{found.chart.version}-release" for found in self.charts() if found.chart is not None}
        known = [release for tag in tags if (release := release_of(tag)) is not None]
        return tuple(release.tag for release in sorted(known, key=lambda each: (each.version, each.tag)))

    def _names(self) -> list[str]:
        try:
            return sorted(os.listdir(self.directory))
        except OSError:
            return []

    def _packed(self, path: Path) -> FoundChart:
        expected = self.sums.get(path.name, "")
        try:
            inspected = self.inspector.inspect(path, self.directory, contents=False)
            with open_plain(path, self.directory) as file:
                inside = read_packed(file, inspected.size_bytes)
        except (ChartError, OSError) as error:
            return FoundChart(path, None, _why(error))
        if expected and inspected.sha256 != expected:
            digests = f"expected {expected}\nfound    {inspected.sha256}"
            return FoundChart(path, None, digests=digests)
        file_of = BundleFile(path, inspected.size_bytes, inspected.sha256, self.directory)
        return FoundChart(path, _chart(file_of, inside))

    def _directories(self, names: list[str]) -> Iterator[FoundChart]:
        for path in (self.directory / name for name in names if self.names.chart_directory.fullmatch(name)):
            if not path.is_dir() or not os.path.lexists(path / "Chart.yaml"):
                continue
            try:
                inside, size, digest = read_directory(path, self.directory)
            except (ChartError, OSError) as error:
                yield FoundChart(path, None, _why(error))
            else:
                yield FoundChart(path, _chart(BundleFile(path, size, digest, self.directory), inside))


def _chart(file: BundleFile, inside: ChartContents) -> Chart:
    return Chart(file, inside.name, inside.version, inside.values)


def _why(error: ChartError | OSError) -> str:
    if isinstance(error, NotPlainError):
        return str(error.strerror)
    return reason_of(error) if isinstance(error, OSError) else str(error)


def chart_for(charts: list[FoundChart], release: Release) -> Chart | None:
    """The chart that installs a release: of its generation, the newest that is not newer; None without one."""
    fitting = [
        (version, found.chart)
        for found in charts
        if found.chart is not None
        and found.chart.name == release.chart
        and (version := RainbondVersion.parse(found.chart.version)) is not None
        and version <= release.version
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None


def missing_images(spec: ClusterSpec, release: Release, archives: list[FoundImages], arch: str) -> list[str]:
    """Names of images that the plan needs and no archive has for an architecture.

    With a registry of our own choice only name and tag count; otherwise the nodes look for the whole name.
    """
    there = [image for archive in archives for image in archive.images if image.arch in (arch, "")]
    if spec.registry.mode is RegistryMode.EXTERNAL:
        return lacking(needed_images(spec, release), {short_name(image.name) for image in there})
    before = f"{repository_of(spec, release)}/"
    names = {image.name for image in there}
    own = {name.removeprefix(before) for name in names if name.startswith(before)}
    # The provisioner is not the vendor's: its image is taken by the name that it has in the archive.
    return lacking(needed_images(spec, release), own | set(filter(is_image, names)))


def of_release(archives: list[FoundImages], release: Release) -> list[FoundImages]:
    """Archives with images of a release, and those with what belongs to any."""
    return [archive for archive in archives if release.tag in archive.releases or not archive.releases]


def own_arch() -> str:
    """The architecture of this machine, as archives are named by it."""
    return _OWN.get(platform.machine(), platform.machine())


def is_program(inspected: Inspected) -> bool:
    """Whether a file is a program at all."""
    return inspected.form is Format.PROGRAM
