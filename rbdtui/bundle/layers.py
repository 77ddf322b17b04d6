"""Images of an archive as a registry wants them: configurations, and layers one after the other.

Layouts of ``docker save``: until Docker 24 a directory with ``layer.tar`` for each, links where one is there already;
since 25 ``blobs/sha256/``; of crane ``*.tar.gz``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Final

from rbdtui.bundle.archives import HEAD_BYTES, blocks_of, format_of
from rbdtui.bundle.tar_members import Member, Stream, TarError, members
from rbdtui.bundle.unpacking import UnpackError

_LARGEST_JSON_BYTES: Final = 512 << 10
_LARGEST_IN_ALL_BYTES: Final = 32 << 20
_MOST_LINKS: Final = 10_000


class ArchiveError(Exception):
    """The archive is not what it was when it was looked at; says why, raw."""


@dataclass(frozen=True, slots=True)
class ImageParts:
    """What an image is made of."""

    name: str
    config: bytes
    layers: tuple[str, ...]
    """Members with its layers, the lowest first."""


def images_in(file: BinaryIO, size_bytes: int) -> tuple[ImageParts, ...]:
    """All images of an archive; raises `ArchiveError` or `OSError`."""
    texts: dict[str, bytes] = {}
    links: dict[str, str] = {}
    left_bytes = _LARGEST_IN_ALL_BYTES
    for member in _members(file, size_bytes):
        name = _plain(member.name)
        if member.link and len(links) < _MOST_LINKS:
            links[name] = _plain(member.link)
        elif member.is_file and 0 < member.size_bytes <= min(_LARGEST_JSON_BYTES, left_bytes):
            text = b"".join(_chunks(member))
            if text[:1] in (b"{", b"["):
                left_bytes -= member.size_bytes
                texts[name] = text
    try:
        manifest = json.loads(texts["manifest.json"])
        return tuple(
            ImageParts(
                str(name),
                texts[_plain(image["Config"])],
                tuple(_plain(links.get(_plain(layer), layer)) for layer in image["Layers"]),
            )
            for image in manifest
            for name in image["RepoTags"] or ()
        )
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ArchiveError(f"{type(error).__name__}: {str(error)[:200]}") from error


def layers_in(file: BinaryIO, size_bytes: int, wanted: Collection[str]) -> Iterator[tuple[str, Iterator[bytes]]]:
    """The wanted members in the archive's order, each to be read before the next; raises as `images_in`."""
    missing = set(wanted)
    for member in _members(file, size_bytes):
        name = _plain(member.name)
        if name in missing and member.is_file:
            missing.discard(name)
            yield name, _chunks(member)
    if missing:
        raise ArchiveError(f"lacks {', '.join(sorted(missing)[:3])}")


def _chunks(member: Member) -> Iterator[bytes]:
    try:
        yield from member.chunks(1 << 20)
    except (TarError, UnpackError) as error:
        raise ArchiveError(str(error)) from error


def _members(file: BinaryIO, size_bytes: int) -> Iterator[Member]:
    file.seek(0)
    form = format_of(file.read(HEAD_BYTES))
    file.seek(0)
    blocks = blocks_of(file, form, size_bytes)
    if blocks is None:
        raise ArchiveError("is no archive")
    try:
        yield from members(Stream(blocks))
    except (TarError, UnpackError) as error:
        raise ArchiveError(str(error)) from error


def _plain(name: object) -> str:
    return str(PurePosixPath(str(name)))
