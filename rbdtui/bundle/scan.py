"""The offline bundle as a directory on the jump host: which of its files is what."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from rbdtui.bundle.inspection import Inspected, Inspector
from rbdtui.bundle.model import BundleFile
from rbdtui.errors import StepError
from rbdtui.rke2_version import Rke2Version

RKE2: Final = "rke2"
RKE2_IMAGES: Final = "rke2-images"

_NAMES: Final = {
    RKE2: ("rke2.linux-{arch}.tar.gz",),
    RKE2_IMAGES: ("rke2-images.linux-{arch}.tar.zst", "rke2-images.linux-{arch}.tar.gz"),
}
"""File names of each kind, the preferred first: those of RKE2's releases, which ROI's packages keep."""
_SUMS_NAME: Final = re.compile(r"^sha256sum-(\w+)\.txt$")
_SUM_LINE: Final = re.compile(r"^([0-9a-fA-F]{64})\s+[*]?(?:.*/)?([^/\s]+)$")
_PACKAGE_SUFFIXES: Final = (".deb", ".rpm")


class Fault(StrEnum):
    """What can be wrong with a file that is there."""

    UNREADABLE = "unreadable"
    DAMAGED = "damaged"
    """Broken off or not an archive at all."""
    WRONG_ARCH = "wrong-arch"
    WRONG_NAME = "wrong-name"
    """Packed otherwise than the end of its name says, by which RKE2 chooses how to unpack it."""
    BAD_SHA256 = "bad-sha256"


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


def names_of(kind: str, arch: str) -> tuple[str, ...]:
    """The file names that a kind may have for an architecture."""
    return tuple(name.format(arch=arch) for name in _NAMES[kind])


@dataclass(frozen=True, slots=True)
class OfflineBundle:
    """A directory of offline packages; files are looked at when they are first asked for."""

    directory: Path
    inspector: Inspector = field(repr=False)
    sums: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Expected digests by file name."""

    def file(self, kind: str, arch: str) -> BundleFile:
        """A file that is whole and for this architecture; raises `StepError` otherwise. Reads it once."""
        judged = self.judge(kind, arch)
        if judged is None:
            _names_in(self.directory)
            raise StepError("bundle_missing", names=" | ".join(names_of(kind, arch)), path=str(self.directory))
        if judged.fault is Fault.UNREADABLE or judged.inspected is None:
            raise StepError("bundle_gone", path=str(judged.path), evidence=judged.detail)
        if judged.fault is not None:
            raise StepError(f"bundle_{judged.fault.value.replace('-', '_')}", path=str(judged.path), arch=arch,
                            evidence=judged.detail)  # words: error.bundle_*.*  # fmt: skip
        return BundleFile(judged.path, judged.inspected.size_bytes, judged.inspected.sha256)

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        """Package files for an operating system, in ``packages/<os>-<version>-<arch>/``; raises `StepError`."""
        wanted = f"{os_id}-{os_version}-{arch}".lower()
        try:
            return [self._package(path) for path in self._package_paths(wanted)]
        except OSError as error:
            raise StepError("bundle_gone", path=str(self.directory / "packages"), evidence=str(error)) from error

    def rke2_version(self, arch: str) -> Rke2Version | None:
        """The version of RKE2 for an architecture; None when it cannot be told. Never raises."""
        judged = self.judge(RKE2, arch)
        contents = judged.inspected.contents if judged is not None and judged.inspected is not None else None
        return Rke2Version.parse(contents.version) if contents is not None else None

    def judge(self, kind: str, arch: str) -> Judged | None:
        """Look at the file of a kind, whatever its faults; None when the bundle has none."""
        path = self._find(kind, arch)
        if path is None:
            return None
        expected = self.sums.get(path.name, "")
        try:
            inspected = self._inspect(path, kind, expected)
        except OSError as error:
            return Judged(path, Fault.UNREADABLE, None, expected, str(error))
        fault, detail = _fault_of(path, inspected, arch, expected)
        return Judged(path, fault, inspected, expected, detail)

    def _inspect(self, path: Path, kind: str, expected: str) -> Inspected:
        """Unpacking a gigabyte of images takes long, and tells nothing of a file that its digest has proven."""
        if kind == RKE2_IMAGES and expected:
            inspected = self.inspector.inspect(path, contents=False)
            if inspected.sha256 == expected:
                return inspected
        return self.inspector.inspect(path, contents=True)

    def _find(self, kind: str, arch: str) -> Path | None:
        for name in names_of(kind, arch):
            if (self.directory / name).is_file():
                return self.directory / name
        return self._find_by_contents(arch) if kind == RKE2 else None

    def _find_by_contents(self, arch: str) -> Path | None:
        """An archive under another name that holds RKE2's program for this architecture."""
        known = {name for kind in _NAMES for other in ("amd64", "arm64") for name in names_of(kind, other)}
        for path in sorted((*self.directory.glob("*.tar.gz"), *self.directory.glob("*.tgz"))):
            if path.name in known:
                continue
            try:
                contents = self.inspector.inspect(path, contents=True).contents
            except OSError:
                continue
            if contents is not None and contents.has_program and contents.arch == arch:
                return path
        return None

    def _package_paths(self, wanted: str) -> Iterator[Path]:
        root = self.directory / "packages"
        for directory in sorted(root.iterdir()) if root.is_dir() else ():
            if directory.name.lower() == wanted:
                yield from (path for path in sorted(directory.iterdir()) if path.suffix in _PACKAGE_SUFFIXES)

    def _package(self, path: Path) -> BundleFile:
        inspected = self.inspector.inspect(path, contents=False)
        return BundleFile(path, inspected.size_bytes, inspected.sha256)


def _fault_of(path: Path, inspected: Inspected, arch: str, expected: str) -> tuple[Fault | None, str]:
    contents = inspected.contents
    if contents is None:
        return None, ""
    if not contents.is_whole:
        return Fault.DAMAGED, f"{inspected.size_bytes} bytes"
    if contents.arch and contents.arch != arch:
        return Fault.WRONG_ARCH, contents.arch
    if path.suffix.lstrip(".") not in (contents.compression.value, "tgz"):
        return Fault.WRONG_NAME, contents.compression.value
    if expected and expected != inspected.sha256:
        return Fault.BAD_SHA256, f"expected {expected}\nfound    {inspected.sha256}"
    return None, ""


def open_bundle(directory: Path, *, cache_file: Path | None = None) -> OfflineBundle:
    """Use a directory as a bundle; raises `StepError` when it is none or cannot be read."""
    lists = [directory / name for name in _names_in(directory) if _SUMS_NAME.match(name)]
    try:
        sums = {name: digest for file in lists for name, digest in _read_sums(file)}
    except OSError as error:
        raise StepError("bundle_gone", path=str(error.filename), evidence=str(error)) from error
    return OfflineBundle(directory, Inspector(cache_file), sums)


def _names_in(directory: Path) -> list[str]:
    """All names in the directory; raises `StepError` when it is none or has disappeared."""
    try:
        return [entry.name for entry in directory.iterdir()]
    except OSError as error:
        raise StepError("bundle_absent", path=str(directory), evidence=str(error)) from error


def _read_sums(path: Path) -> Iterator[tuple[str, str]]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        if match := _SUM_LINE.match(line.strip()):
            yield match.group(2), match.group(1).lower()
