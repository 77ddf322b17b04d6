"""What is really inside an archive of the bundle: its format, whether it is whole, for which machine and version.

Names of files can lie and downloads break off; contents are the truth. Whatever a file holds, looking into it ends,
takes a few tens of MiB of memory, and says "not whole" instead of failing.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from rbdtui.bundle.tar_members import Member, Stream, TarError, members
from rbdtui.bundle.unpacking import UnpackError, gunzipped, plain, unzstded

HEAD_BYTES: Final = 512
_ZSTD_MAGIC: Final = 0xFD2FB528
_ZSTD_SKIPPABLE: Final = range(0x184D2A50, 0x184D2A60)
_ELF_MACHINES: Final = {62: "amd64", 183: "arm64", 40: "arm", 3: "386"}
"""``e_machine`` of the ELF header (System V ABI)."""
_ELF_MAGIC: Final = b"\x7fELF"
_MOST_SEGMENTS: Final = 64
_VERSION: Final = re.compile(rb"v1\.\d{1,2}\.\d{1,2}(?:-rc\d{1,2})?\+rke2r\d{1,2}")
_RUNTIME_TAG: Final = re.compile(r"/rke2-runtime:(v\d{1,2}\.\d{1,2}\.\d{1,2}(?:-rc\d{1,2})?)-(rke2r\d{1,2})$")
"""A tag cannot hold the plus sign of a version."""
_IMAGE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,300}:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_ARCH: Final = re.compile(r"[a-z0-9]{2,16}")
_NO_ARCH: Final = "unknown"
"""Of what ``docker save`` keeps beside an image: attestations are images for an unknown machine."""
_LONGEST_VERSION_BYTES: Final = 32
_MOST_ANSWERS: Final = 1000
_CHUNK_BYTES: Final = 1 << 20
_LARGEST_JSON_BYTES: Final = 512 << 10
_LARGEST_JSON_IN_ALL_BYTES: Final = 32 << 20


class Format(StrEnum):
    """What a file is, by its first bytes."""

    GZIP = "gz"
    ZSTD = "zst"
    TAR = "tar"
    DEB = "deb"
    RPM = "rpm"
    PROGRAM = "program"
    OTHER = ""


@dataclass(frozen=True, slots=True)
class ArchivedImage:
    """An image inside an archive, under one of its names."""

    name: str
    """As it is written there, e.g. ``registry.example/goodrain/rbd-api:v6.2.1-release``."""
    digest: str
    """Of its configuration, ``sha256:…``: what containerd calls the image's id."""
    arch: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was found inside an archive; what could not be told is empty."""

    is_whole: bool
    arch: str = ""
    version: str = ""
    """As RKE2 writes it, e.g. ``v1.30.4+rke2r1``."""
    has_program: bool = False
    """Whether RKE2's program is inside."""
    images: tuple[ArchivedImage, ...] = ()
    trouble: str = ""
    """Why it is not whole, in the words of who found it; raw."""


def format_of(head: bytes) -> Format:
    """Tell the format by the first `HEAD_BYTES`."""
    number = int.from_bytes(head[:4], "little")
    if head[:2] == b"\x1f\x8b":
        return Format.GZIP
    if number == _ZSTD_MAGIC or (number in _ZSTD_SKIPPABLE and len(head) >= 8):
        return Format.ZSTD
    if head[257:262] == b"ustar":
        return Format.TAR
    if head[:4] == _ELF_MAGIC:
        return Format.PROGRAM
    if head[:4] == b"\xed\xab\xee\xdb":
        return Format.RPM
    # deb(5): an ar archive whose first member is debian-binary.
    return Format.DEB if head[:21] == b"!<arch>\ndebian-binary" else Format.OTHER


def look_into(file: BinaryIO, form: Format, size_bytes: int) -> Contents:
    """Read an archive of programs or images through, from its start; raises `OSError` when it cannot be read."""
    if form is Format.PROGRAM:
        return _program(file, size_bytes)
    blocks = blocks_of(file, form, size_bytes)
    if blocks is None:
        return Contents(is_whole=False, trouble="neither gzip nor zstd nor tar")
    notes = _Notes()
    try:
        stream = Stream(blocks)
        for member in members(stream):
            notes.take(member)
        stream.drain()  # up to the check sum behind the last byte
    except OSError:
        raise
    except (TarError, UnpackError) as error:
        return notes.contents(trouble=str(error))
    except Exception as error:  # whatever a file made up to do harm can bring about
        return notes.contents(trouble=f"{type(error).__name__}: {str(error)[:200]}")
    return notes.contents()


def blocks_of(file: BinaryIO, form: Format, size_bytes: int) -> Iterator[bytes] | None:
    """What an archive holds, unpacked, from its start; None for what is no archive."""
    if form is Format.GZIP:
        return gunzipped(file, size_bytes)
    if form is Format.ZSTD:
        return unzstded(file, size_bytes)
    return plain(file) if form is Format.TAR else None


@dataclass(slots=True)
class _Notes:
    """What the members of an archive tell, one after the other."""

    arches: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    has_program: bool = False
    configurations: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Digest and architecture of each image by the member that describes it."""
    named: dict[str, str] = field(default_factory=dict)
    """The member that describes it, by the image's name."""
    json_left_bytes: int = _LARGEST_JSON_IN_ALL_BYTES

    def take(self, member: Member) -> None:
        """Look at one member."""
        if not member.is_file:
            return
        if PurePosixPath(member.name) == PurePosixPath("bin/rke2"):
            self.has_program = True
            head = member.read(64)
            if arch := _elf_arch(head):
                self.arches[arch] += 1
            for version in _versions_in(head, member):
                _count(self.versions, version)
        elif member.size_bytes <= min(_LARGEST_JSON_BYTES, self.json_left_bytes):
            self._take_small(member)

    def contents(self, *, trouble: str = "") -> Contents:
        """The sum of it."""
        arch, version = _most(self.arches), _most(self.versions)
        unknown = ("", "")
        images = tuple(ArchivedImage(name, *self.configurations.get(of, unknown)) for name, of in self.named.items())
        return Contents(
            not trouble, arch=arch, version=version, has_program=self.has_program, images=images, trouble=trouble
        )

    def _take_small(self, member: Member) -> None:
        """A description, whatever its name: ``*.json``, ``blobs/sha256/*`` since Docker 25, ``sha256:*`` of crane."""
        head = member.read(1)
        if head not in (b"{", b"["):
            return
        self.json_left_bytes -= member.size_bytes
        text = head + member.read(member.size_bytes)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return  # somebody's file of another kind
        if isinstance(document, dict):
            self._take_configuration(document, member.name, text)
        else:
            self._take_manifest(document)

    def _take_configuration(self, image: dict[object, object], member: str, text: bytes) -> None:
        """An image's configuration names its architecture."""
        arch = image.get("architecture")
        if isinstance(arch, str) and _ARCH.fullmatch(arch) and arch != _NO_ARCH:
            _count(self.arches, arch)
            if len(self.configurations) < _MOST_ANSWERS:
                digest = f"sha256:{hashlib.sha256(text).hexdigest()}"
                self.configurations[str(PurePosixPath(member))] = digest, arch

    def _take_manifest(self, images: list[object]) -> None:
        """The list of the images names their tags."""
        for image in images:
            if not isinstance(image, dict):
                continue
            tags, of = image.get("RepoTags"), str(image.get("Config"))
            for tag in tags if isinstance(tags, list) else ():
                if not isinstance(tag, str):
                    continue
                if len(self.named) < _MOST_ANSWERS and _IMAGE_NAME.fullmatch(tag):
                    self.named[tag] = str(PurePosixPath(of))
                if match := _RUNTIME_TAG.search(tag):
                    _count(self.versions, f"{match.group(1)}+{match.group(2)}")


def _count(found: Counter[str], word: str) -> None:
    if word in found or len(found) < _MOST_ANSWERS:
        found[word] += 1


def _versions_in(head: bytes, member: Member) -> Iterator[str]:
    rest = head
    for chunk in member.chunks(_CHUNK_BYTES):
        block = rest + chunk
        end = len(block) - _LONGEST_VERSION_BYTES
        for match in _VERSION.finditer(block):
            if match.start() < end:
                yield match.group().decode()
        rest = block[max(0, end) :]
    for match in _VERSION.finditer(rest):
        yield match.group().decode()


def _most(found: Counter[str]) -> str:
    return found.most_common(1)[0][0] if found else ""


def _elf_arch(head: bytes) -> str:
    if head[:4] != _ELF_MAGIC or len(head) < 20:
        return ""
    (machine,) = struct.unpack("<H" if head[5] == 1 else ">H", head[18:20])
    return _ELF_MACHINES.get(machine, f"elf-{machine}")


def _program(file: BinaryIO, size_bytes: int) -> Contents:
    """A program: for which machine, and whether all that is loaded of it is there (ELF-64, program headers)."""
    head = file.read(64)
    arch = _elf_arch(head)
    if len(head) < 64 or head[4] != 2 or head[5] != 1:
        return Contents(is_whole=False, arch=arch, trouble="is no program of 64 bits")
    (start,) = struct.unpack_from("<Q", head, 32)
    entry, count = struct.unpack_from("<HH", head, 54)
    if count > _MOST_SEGMENTS or (count and entry < 56) or start > size_bytes:
        return Contents(is_whole=False, arch=arch, trouble="describes itself in a way that no program does")
    file.seek(start)
    table = file.read(entry * count)
    if len(table) < entry * count:
        return Contents(is_whole=False, arch=arch, trouble="ends in the middle")
    for index in range(count):
        offset, _, _, length = struct.unpack_from("<QQQQ", table, index * entry + 8)
        if offset + length > size_bytes:
            return Contents(is_whole=False, arch=arch, trouble="ends in the middle")
    return Contents(is_whole=True, arch=arch)
