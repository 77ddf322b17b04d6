"""What is really inside an archive of the bundle: how it is packed, whether it is whole, for which machine and version.

Names of files can lie and downloads break off; contents are the truth. zstd is walked block by block without being
unpacked: that shows a truncated file, but neither architecture nor version.
"""

from __future__ import annotations

import gzip
import json
import re
import struct
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final

_CHUNK_BYTES: Final = 1 << 20
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ZSTD_MAGIC: Final = 0xFD2FB528
_ZSTD_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_ELF_MACHINES: Final = {62: "amd64", 183: "arm64", 40: "arm", 3: "386"}
"""``e_machine`` of the ELF header (System V ABI)."""
_VERSION: Final = re.compile(rb"v1\.\d{1,2}\.\d{1,2}\+rke2r\d{1,2}")
_RUNTIME_TAG: Final = re.compile(r"/rke2-runtime:(v\d+\.\d+\.\d+)-(rke2r\d+)")
"""A tag cannot hold the plus sign of a version."""
_LONGEST_VERSION_BYTES: Final = 24
_LARGEST_JSON_BYTES: Final = 4 << 20


class Compression(StrEnum):
    """How an archive is packed, by its first bytes."""

    GZIP = "gz"
    ZSTD = "zst"
    OTHER = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found inside an archive; what could not be told is empty."""

    compression: Compression
    is_whole: bool
    arch: str = ""
    version: str = ""
    """As RKE2 writes it, e.g. ``v1.30.4+rke2r1``."""
    has_program: bool = False
    """Whether RKE2's program is inside."""


def compression_of(path: Path) -> Compression:
    """Tell the compression by the first bytes; raises `OSError`."""
    with path.open("rb") as file:
        head = file.read(4)
    if head[:2] == _GZIP_MAGIC:
        return Compression.GZIP
    if len(head) == 4 and struct.unpack("<I", head)[0] == _ZSTD_MAGIC:
        return Compression.ZSTD
    return Compression.OTHER


def look_into(path: Path) -> Contents:
    """Read an archive of programs or images through; raises `OSError` when it cannot be read."""
    compression = compression_of(path)
    if compression is Compression.ZSTD:
        return Contents(compression, is_whole=_zstd_is_whole(path))
    if compression is Compression.OTHER:
        return Contents(compression, is_whole=False)
    notes = _Notes()
    try:
        with gzip.open(path) as unpacked:
            with tarfile.open(fileobj=unpacked, mode="r|") as archive:
                for member in archive:
                    notes.take(archive, member)
            while unpacked.read(_CHUNK_BYTES):
                pass  # up to the check sum behind the last byte
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
        return notes.contents(is_whole=False)
    return notes.contents(is_whole=True)


@dataclass(slots=True)
class _Notes:
    """What the members of an archive tell, one after the other."""

    arches: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    has_program: bool = False

    def take(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        """Look at one member."""
        name = PurePosixPath(member.name)
        if not member.isfile() or (file := archive.extractfile(member)) is None:
            return
        if name == PurePosixPath("bin/rke2"):
            self.has_program = True
            if arch := _elf_arch(file.read(64)):
                self.arches[arch] += 1
            self.versions.update(_versions_in(file))
        elif name.suffix == ".json" and member.size <= _LARGEST_JSON_BYTES:
            self._take_json(file.read())

    def contents(self, *, is_whole: bool) -> Contents:
        """The sum of it."""
        arch, version = _most(self.arches), _most(self.versions)
        return Contents(Compression.GZIP, is_whole, arch=arch, version=version, has_program=self.has_program)

    def _take_json(self, data: bytes) -> None:
        """Of Docker's image archives: an image's configuration names its architecture, the manifest its tags."""
        try:
            document = json.loads(data)
        except ValueError:
            return
        if isinstance(document, dict) and isinstance(document.get("architecture"), str):
            self.arches[document["architecture"]] += 1
        for image in document if isinstance(document, list) else ():
            for tag in (image.get("RepoTags") or ()) if isinstance(image, dict) else ():
                if match := _RUNTIME_TAG.search(str(tag)):
                    self.versions[f"{match.group(1)}+{match.group(2)}"] += 1


def _versions_in(file: IO[bytes]) -> Iterator[str]:
    rest = b""
    while chunk := file.read(_CHUNK_BYTES):
        block = rest + chunk
        for match in _VERSION.finditer(block):
            yield match.group().decode()
        rest = block[-_LONGEST_VERSION_BYTES:]


def _most(found: Counter[str]) -> str:
    return found.most_common(1)[0][0] if found else ""


def _elf_arch(head: bytes) -> str:
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return ""
    (machine,) = struct.unpack("<H" if head[5] == 1 else ">H", head[18:20])
    return _ELF_MACHINES.get(machine, f"elf-{machine}")


def _zstd_is_whole(path: Path) -> bool:
    """Walk all frames by their block headers (RFC 8878, section 3.1.1)."""
    size = path.stat().st_size
    with path.open("rb") as file:
        while file.tell() < size:
            if not _skip_zstd_frame(file):
                return False
        return file.tell() == size


def _skip_zstd_frame(file: BinaryIO) -> bool:
    magic = _number(file, 4)
    if magic in _ZSTD_SKIPPABLE:
        length = _number(file, 4)
        file.seek(length, 1)
        return length >= 0
    if magic != _ZSTD_MAGIC:
        return False
    descriptor = _number(file, 1)
    if descriptor < 0:
        return False
    single_segment = bool(descriptor & 0x20)
    content_size = (1 if single_segment else 0, 2, 4, 8)[descriptor >> 6]
    file.seek((0 if single_segment else 1) + (0, 1, 2, 4)[descriptor & 3] + content_size, 1)
    while True:
        header = _number(file, 3)
        if header < 0:
            return False
        is_rle = (header >> 1) & 3 == 1
        file.seek(1 if is_rle else header >> 3, 1)
        if header & 1:
            file.seek(4 if descriptor & 4 else 0, 1)
            return True


def _number(file: BinaryIO, size_bytes: int) -> int:
    """A little-endian number; -1 at the end of the file."""
    data = file.read(size_bytes)
    return int.from_bytes(data, "little") if len(data) == size_bytes else -1
