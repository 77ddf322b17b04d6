"""The offline bundle as a directory on the jump host: which of its files is what."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from rbdtui.bundle import kubesphere, rainbond, rook
from rbdtui.bundle.archives import Format
from rbdtui.bundle.images import KINDS, RKE2, RKE2_IMAGES, image_sets, names_of
from rbdtui.bundle.inspection import Inspected, Inspector
from rbdtui.bundle.model import BundleFile, Chart, planned_release
from rbdtui.bundle.rainbond import PlatformFiles
from rbdtui.bundle.sums import ListTooLargeError, read_sums
from rbdtui.errors import StepError, reason_of
from rbdtui.kubesphere.chart import needed_images
from rbdtui.plain_file import NotPlainError, list_plain
from rbdtui.rke2_version import Rke2Version
from rbdtui.rook.chart import ceph_image
from rbdtui.spec.model import ClusterSpec
from rbdtui.spec.sections.registry import RegistryMode

_SUMS_NAME: Final = re.compile(r"sha256sum-\w+\.txt")
_PACKAGE_SUMS_NAME: Final = re.compile(r"sha256sums?(-[\w.-]+)?(\.txt)?", re.IGNORECASE)
_PACKAGE_FORMATS: Final = {".deb": Format.DEB, ".rpm": Format.RPM}
_PACKAGES: Final = "packages"
_MOST_CANDIDATES: Final = 30
"""Archives that are looked into for RKE2's program, when none has its name."""


class Fault(StrEnum):
    """What can be wrong with a file that is there."""

    UNREADABLE = "unreadable"
    NOT_PLAIN = "not-plain"
    """A link, a pipe, a device: what is behind it need not be the bundle's."""
    DAMAGED = "damaged"
    """Broken off or not what its name says at all."""
    WRONG_ARCH = "wrong-arch"
    WRONG_NAME = "wrong-name"
    """Packed otherwise than the end of its name says, by which RKE2 chooses how to unpack it."""
    BAD_SHA256 = "bad-sha256"
    NOT_LISTED = "not-listed"
    """A package that the list of digests beside it does not name."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A file of the bundle, looked at."""

    path: Path
    fault: Fault | None
    inspected: Inspected | None
    """None when it could not be read."""
    expected_sha256: str
    """As the bundle's list of digests has it; empty when it has none."""
    detail: str = ""
    """What was seen, raw."""
    evidence: str = ""
    """More of it."""


@dataclass(frozen=True, slots=True)
class BadList:
    """A list of digests that cannot be used."""

    path: Path
    detail: str


@dataclass(frozen=True, slots=True)
class JudgedPackages:
    """The packages for one operating system."""

    directory: Path
    """The whole bundle, from which the paths of what is missing start."""
    files: tuple[Judged, ...] = ()
    has_list: bool = False
    missing: tuple[str, ...] = ()
    """Names that only the list has."""


@dataclass(frozen=True, slots=True)
class OfflineBundle:
    """A directory of offline packages; files are looked at when they are first asked for."""

    directory: Path
    inspector: Inspector = field(repr=False)
    sums: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Expected digests by file name."""
    bad_lists: tuple[BadList, ...] = ()

    def file(self, kind: str, arch: str) -> BundleFile:
        """A file that is whole and for this architecture; raises `StepError` otherwise. Reads it once."""
        self._refuse_bad_lists()
        judged = self.judge(kind, arch)
        if judged is None:
            _names_in(self.directory)
            raise StepError("bundle_missing", names=" | ".join(names_of(kind, arch)), path=str(self.directory))
        return self._good(judged, arch)

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """All archives of images that a plan needs; raises `StepError` when one is missing or bad."""
        return [self.file(kind, arch) for kind in self.image_kinds(spec, arch)]

    def image_kinds(self, spec: ClusterSpec, arch: str) -> tuple[str, ...]:
        """The set of archives that is taken: the first that is there whole, else that of which least is missing."""

        def lack(kinds: tuple[str, ...]) -> tuple[int, int]:
            there = sum(1 for kind in kinds if self._find(kind, arch) is not None)
            return len(kinds) - there, -there

        return min(image_sets(spec, self.rke2_version(arch)), key=lack)

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        """Package files for an operating system, in ``packages/<os>-<version>-<arch>/``; raises `StepError`."""
        judged = self.judge_packages(os_id, os_version, arch)
        return [self._good(each, arch) for each in judged.files]

    def rke2_version(self, arch: str) -> Rke2Version | None:
        """The version of RKE2 for an architecture; None when it cannot be told. Never raises."""
        judged = self.judge(RKE2, arch)
        contents = judged.inspected.contents if judged is not None and judged.inspected is not None else None
        return Rke2Version.parse(contents.version) if contents is not None else None

    def chart(self, spec: ClusterSpec) -> Chart:
        """Rainbond's chart for a plan's release; raises `StepError`."""
        self._refuse_bad_lists()
        release, charts = planned_release(self, spec), self.rainbond.charts()
        chart = rainbond.chart_for(charts, release)
        if chart is None:
            if not charts:
                raise StepError("bundle_missing", names=rainbond.CHART_NAMES, path=str(self.directory))
            raise StepError("bundle_chart", release=release.tag, charts=", ".join(chart_names(charts)))
        return chart

    def helm(self, arch: str) -> BundleFile:
        """helm for an architecture; raises `StepError`."""
        self._refuse_bad_lists()
        judged = self.judge_helm(arch)
        if judged is None:
            raise StepError("bundle_missing", names=f"helm-{arch}", path=str(self.directory))
        return self._good(judged, arch)

    def rainbond_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """The archives of the images of a plan's Rainbond; raises `StepError`. Reads each whole the first time."""
        self._refuse_bad_lists()
        judged = [self.judge_archive(path, arch) for path in self.rainbond.image_paths(arch)]
        if not judged and spec.registry.mode is RegistryMode.EXTERNAL:
            return []
        if not judged:
            raise StepError("bundle_missing", names=f"rainbond-images-{arch}.tar.zst", path=str(self.directory))
        release = planned_release(self, spec)
        found = rainbond.of_release(self.rainbond.archives(arch), release)
        chosen = {each.path for each in found}
        good = [self._good(each, arch) for each in judged if each.path in chosen or each.fault is not None]
        if missing := rainbond.missing_images(spec, release, found, arch):
            raise StepError("bundle_images", images=", ".join(missing), arch=arch, release=release.tag)
        return good

    def kubesphere_chart(self) -> Chart:
        """KubeSphere's chart, the newest that is there; raises `StepError`."""
        self._refuse_bad_lists()
        charts = self.kubesphere.charts()
        chart = kubesphere.newest_chart(charts)
        if chart is None and charts:
            raise StepError("kubesphere_chart", charts=", ".join(chart_names(charts)))
        if chart is None:
            raise StepError("bundle_missing", names=kubesphere.CHART_NAMES, path=str(self.directory))
        return chart

    def kubesphere_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        """The archives of KubeSphere's images; none where a registry has them; raises `StepError`."""
        if spec.kubesphere.image_registry is not None:
            return []
        self._refuse_bad_lists()
        judged = [self.judge_archive(path, arch) for path in self.kubesphere.image_paths(arch)]
        if not judged:
            raise StepError("bundle_missing", names=f"kubesphere-images-{arch}.tar.zst", path=str(self.directory))
        good = [self._good(each, arch) for each in judged]
        needed = needed_images(spec, self.kubesphere_chart().values)
        if missing := kubesphere.missing_images(self.kubesphere.archives(arch), needed, arch):
            raise StepError("kubesphere_images", images=", ".join(missing), arch=arch)
        return good

    def rook_chart(self) -> Chart:
        """The chart of Rook's operator; raises `StepError`."""
        self._refuse_bad_lists()
        charts = self.rook.charts()
        chart = rook.newest_chart(charts)
        if chart is None and charts:
            raise StepError("rook_chart", charts=", ".join(chart_names(charts)))
        if chart is None:
            raise StepError("bundle_missing", names=rook.CHART_NAMES, path=str(self.directory))
        return chart

    def rook_images(self, arch: str) -> list[BundleFile]:
        """The archives of Rook's images and of Ceph's own; raises `StepError`."""
        self._refuse_bad_lists()
        judged = [self.judge_archive(path, arch) for path in self.rook.image_paths(arch)]
        if not judged:
            raise StepError("bundle_missing", names=f"rook-images-{arch}.tar.zst", path=str(self.directory))
        good = [self._good(each, arch) for each in judged]
        if missing := rook.missing_images(self.rook.archives(arch), self.rook_chart(), arch):
            raise StepError("rook_images", images=", ".join(missing), arch=arch)
        return good

    def ceph_image(self, arch: str) -> str:
        """Ceph's own image; raises `StepError`."""
        self._refuse_bad_lists()
        found = ceph_image(rook.names_in(self.rook.archives(arch), arch))
        if found is None:
            raise StepError("rook_images", images=rook.CEPH_IMAGE, arch=arch)
        return found

    def rainbond_releases(self) -> tuple[str, ...]:
        """Tags of the releases that it can install. Never raises; reads archives whole the first time."""
        return self.rainbond.releases()

    @property
    def rainbond(self) -> PlatformFiles:
        """Its files of Rainbond."""
        return PlatformFiles(self.directory, self.inspector, self.sums)

    @property
    def kubesphere(self) -> PlatformFiles:
        """Its files of KubeSphere."""
        return PlatformFiles(self.directory, self.inspector, self.sums, kubesphere.NAMES)

    @property
    def rook(self) -> PlatformFiles:
        """Its files of Rook and of Ceph."""
        return PlatformFiles(self.directory, self.inspector, self.sums, rook.NAMES)

    def judge_helm(self, arch: str) -> Judged | None:
        """Look at helm, whatever its faults; None when the bundle has none."""
        path = self.rainbond.helm_path(arch)
        if path is None:
            return None
        expected = self.sums.get(path.name, "")
        try:
            inspected = self.inspector.inspect(path, self.directory, contents=True)
        except OSError as error:
            return _unreadable(path, expected, error)
        contents, size = inspected.contents, f"{inspected.size_bytes} bytes"
        if not rainbond.is_program(inspected) or contents is None or not contents.is_whole:
            evidence = f"{size}\n{contents.trouble}" if contents is not None else size
            return Judged(path, Fault.DAMAGED, inspected, expected, size, evidence)
        if contents.arch != arch:
            return Judged(path, Fault.WRONG_ARCH, inspected, expected, contents.arch)
        if expected and expected != inspected.sha256:
            return Judged(path, Fault.BAD_SHA256, inspected, expected, _two_digests(expected, inspected.sha256))
        return Judged(path, None, inspected, expected)

    def judge_archive(self, path: Path, arch: str) -> Judged:
        """Look at an archive of images, whatever its faults."""
        expected = self.sums.get(path.name, "")
        try:
            inspected = self.inspector.inspect(path, self.directory, contents=True)
        except OSError as error:
            return _unreadable(path, expected, error)
        fault, detail, evidence = _fault_of(path, inspected, arch, expected)
        return Judged(path, fault, inspected, expected, detail, evidence)

    def judge(self, kind: str, arch: str) -> Judged | None:
        """Look at the file of a kind, whatever its faults; None when the bundle has none."""
        path = self._find(kind, arch)
        if path is None:
            return None
        expected = self.sums.get(path.name, "")
        try:
            inspected = self._inspect(path, kind, expected)
        except OSError as error:
            return _unreadable(path, expected, error)
        fault, detail, evidence = _fault_of(path, inspected, arch, expected)
        return Judged(path, fault, inspected, expected, detail, evidence)

    def judge_packages(self, os_id: str, os_version: str, arch: str) -> JudgedPackages:
        """Look at the packages for an operating system; raises `StepError` when nobody can tell which there are."""
        wanted, root = f"{os_id}-{os_version}-{arch}".lower(), self.directory / _PACKAGES
        try:
            found = [name for name in self._listed(root) if name.lower() == wanted]
            judged = [self._judge_directory(root / name) for name in found]
        except NotPlainError as error:
            raise StepError("bundle_not_plain", path=str(error.filename), evidence=reason_of(error)) from error
        except OSError as error:
            raise StepError("bundle_gone", path=str(root), evidence=reason_of(error)) from error
        return JudgedPackages(
            self.directory,
            files=tuple(file for each in judged for file in each.files),
            has_list=bool(judged) and all(each.has_list for each in judged),
            missing=tuple(name for each in judged for name in each.missing),
        )

    def _refuse_bad_lists(self) -> None:
        if self.bad_lists:
            raise _bad_list(self.bad_lists[0])

    def _good(self, judged: Judged, arch: str) -> BundleFile:
        """The file of a judgement; raises `StepError` for one with a fault."""
        if judged.fault is Fault.UNREADABLE or (judged.fault is None and judged.inspected is None):
            raise StepError("bundle_gone", path=str(judged.path), evidence=judged.detail)
        if judged.fault is not None or judged.inspected is None:
            code = f"bundle_{str(judged.fault).replace('-', '_')}"
            evidence = judged.evidence or judged.detail
            raise StepError(code, path=str(judged.path), arch=arch, evidence=evidence)  # words: error.bundle_*.*
        inside = judged.inspected.contents
        return BundleFile(
            judged.path,
            judged.inspected.size_bytes,
            judged.inspected.sha256,
            self.directory,
            images=inside.images if inside is not None else (),
        )

    def _inspect(self, path: Path, kind: str, expected: str) -> Inspected:
        """Unpacking a gigabyte of images takes long, and tells nothing of a file that its digest has proven."""
        if kind != RKE2 and expected:
            inspected = self.inspector.inspect(path, self.directory, contents=False)
            if inspected.sha256 == expected:
                return inspected
        return self.inspector.inspect(path, self.directory, contents=True)

    def _find(self, kind: str, arch: str) -> Path | None:
        for name in names_of(kind, arch):
            if os.path.lexists(self.directory / name):
                return self.directory / name
        return self._find_by_contents(arch) if kind == RKE2 else None

    def _find_by_contents(self, arch: str) -> Path | None:
        """An archive under another name that holds RKE2's program for this architecture."""
        known = {name for kind in KINDS for other in ("amd64", "arm64") for name in names_of(kind, other)}
        try:
            names = {name for name in os.listdir(self.directory) if name.endswith((".tar.gz", ".tgz"))} - known
        except OSError:
            return None
        likely = sorted(names, key=lambda name: ("rke2" not in name, name))
        for path in (self.directory / name for name in likely[:_MOST_CANDIDATES]):
            try:
                contents = self.inspector.inspect(path, self.directory, contents=True).contents
            except OSError:
                continue
            if contents is not None and contents.has_program and contents.arch == arch:
                return path
        return None

    def _listed(self, directory: Path) -> list[str]:
        try:
            return list_plain(directory, self.directory)
        except FileNotFoundError:
            return []

    def _judge_directory(self, directory: Path) -> JudgedPackages:
        names = list_plain(directory, self.directory)
        lists = [name for name in names if _PACKAGE_SUMS_NAME.fullmatch(name)]
        sums: dict[str, str] = {}
        for name in lists:
            sums |= self._sums_of_packages(directory / name)
        files = [name for name in names if Path(name).suffix in _PACKAGE_FORMATS]
        judged = tuple(self._judge_package(directory / name, sums if lists else None) for name in files)
        absent = [name for name in sums if Path(name).suffix in _PACKAGE_FORMATS and name not in files]
        missing = tuple(f"{_PACKAGES}/{directory.name}/{name}" for name in absent)
        return JudgedPackages(self.directory, judged, bool(lists), missing)

    def _sums_of_packages(self, path: Path) -> dict[str, str]:
        try:
            return read_sums(path, self.directory)
        except (ListTooLargeError, NotPlainError) as error:
            raise _bad_list(BadList(path, str(error))) from error

    def _judge_package(self, path: Path, sums: Mapping[str, str] | None) -> Judged:
        expected = (sums or {}).get(path.name, "")
        try:
            inspected = self.inspector.inspect(path, self.directory, contents=False)
        except OSError as error:
            return _unreadable(path, expected, error)
        if inspected.form is not _PACKAGE_FORMATS[path.suffix]:
            return Judged(path, Fault.DAMAGED, inspected, expected, f"{inspected.size_bytes} bytes")
        if sums is not None and not expected:
            return Judged(path, Fault.NOT_LISTED, inspected, expected)
        if expected and expected != inspected.sha256:
            return Judged(path, Fault.BAD_SHA256, inspected, expected, _two_digests(expected, inspected.sha256))
        return Judged(path, None, inspected, expected)


def _unreadable(path: Path, expected: str, error: OSError) -> Judged:
    if isinstance(error, NotPlainError):
        return Judged(path, Fault.NOT_PLAIN, None, expected, str(error.strerror), reason_of(error))
    return Judged(path, Fault.UNREADABLE, None, expected, reason_of(error))


def _fault_of(path: Path, inspected: Inspected, arch: str, expected: str) -> tuple[Fault | None, str, str]:
    """The fault, what was seen of it in short, and at length."""
    contents, size = inspected.contents, f"{inspected.size_bytes} bytes"
    named = {"tgz": Format.GZIP.value}.get(path.suffix[1:], path.suffix[1:])
    if inspected.form not in (Format.GZIP, Format.ZSTD, Format.TAR):
        return Fault.DAMAGED, size, f"{size}\n{contents.trouble}" if contents is not None else size
    if contents is not None and not contents.is_whole:
        return Fault.DAMAGED, size, f"{size}\n{contents.trouble}"
    if contents is not None and contents.arch and contents.arch != arch:
        return Fault.WRONG_ARCH, contents.arch, ""
    if named != inspected.form.value:
        return Fault.WRONG_NAME, inspected.form.value, ""
    if expected and expected != inspected.sha256:
        return Fault.BAD_SHA256, _two_digests(expected, inspected.sha256), ""
    return None, "", ""


def chart_names(charts: Iterable[rainbond.FoundChart]) -> list[str]:
    """Name and version of each chart that could be read, the name of the file of each other one."""
    return [f"{each.chart.name} {each.chart.version}" if each.chart else each.path.name for each in charts]


def _two_digests(expected: str, found: str) -> str:
    return f"expected {expected}\nfound    {found}"


def open_bundle(directory: Path, *, cache_file: Path | None = None) -> OfflineBundle:
    """Use a directory as a bundle; raises `StepError` when it is none or cannot be read.

    A list of digests that cannot be used is kept as such: then no file is handed out, and `verify_bundle` tells why.
    """
    sums: dict[str, str] = {}
    bad = []
    for name in sorted(name for name in _names_in(directory) if _SUMS_NAME.fullmatch(name)):
        try:
            sums |= read_sums(directory / name, directory)
        except NotPlainError as error:
            bad.append(BadList(directory / name, str(error.strerror)))
        except (OSError, ListTooLargeError) as error:
            bad.append(BadList(directory / name, reason_of(error)))
    return OfflineBundle(directory, Inspector(cache_file), sums, tuple(bad))


def _bad_list(bad: BadList) -> StepError:
    return StepError("bundle_bad_list", path=str(bad.path), evidence=bad.detail)


def _names_in(directory: Path) -> list[str]:
    """All names in the directory; raises `StepError` when it is none or has disappeared."""
    try:
        return [entry.name for entry in directory.iterdir()]
    except OSError as error:
        raise StepError("bundle_absent", path=str(directory), evidence=reason_of(error)) from error


__all__ = ["RKE2", "RKE2_IMAGES", "BadList", "Fault", "Judged", "JudgedPackages", "OfflineBundle", "open_bundle"]
