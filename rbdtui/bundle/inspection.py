"""Digest and contents of the bundle's files, read once and remembered as long as size and time of a file stay.

What is remembered lies in the site, never in the bundle, which may be a read-only disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from rbdtui.atomic import write_atomic
from rbdtui.bundle.archives import HEAD_BYTES, ArchivedImage, Contents, Format, format_of, look_into
from rbdtui.plain_file import open_plain

_CHUNK_BYTES: Final = 4 << 20
_SCHEMA: Final = 3
_LARGEST_BYTES: Final = 16 << 30
"""RKE2's images have two, not packed; a file with a hole can pretend any size, and would be read for hours."""
_SAVE_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file as it was found."""

    size_bytes: int
    mtime_ns: int
    sha256: str
    """Empty for what is damaged anyway."""
    form: Format
    contents: Contents | None
    """None for a file whose contents are nobody's concern."""

    def is_of(self, status: os.stat_result) -> bool:
        """Whether the file is still as it was then."""
        return (self.size_bytes, self.mtime_ns) == (status.st_size, status.st_mtime_ns)


@dataclass(slots=True)
class Inspector:
    """Looks at files and remembers; may be used by several threads."""

    cache_file: Path | None = None
    """None remembers only as long as this object lives."""
    _known: dict[str, Inspected] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_loaded: bool = False
    _saved_at_s: float = -math.inf

    def inspect(self, path: Path, within: Path, *, contents: bool) -> Inspected:
        """Look at a file below a directory; raises `NotPlainError`, or `OSError` when it cannot be read."""
        with self._lock, open_plain(path, within) as file:
            self._load()
            status = os.fstat(file.fileno())
            known = self._known.get(str(path))
            if known is not None and known.is_of(status) and (known.contents is not None or not contents):
                return known
            self._known[str(path)] = found = _look(file, status, contents=contents)
            self._save()
            return found

    def remembered(self) -> Mapping[Path, Inspected]:
        """All that is known of files, whether they are still there or not: a USB disk may be gone by now."""
        with self._lock:
            self._load()
            return {Path(path): found for path, found in self._known.items()}

    def _load(self) -> None:
        if self._is_loaded or self.cache_file is None:
            return
        self._is_loaded = True
        # A cache that cannot be read costs the time of reading the files again, nothing else.
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            document = json.loads(self.cache_file.read_text(encoding="utf-8"))
            if document["schema"] == _SCHEMA:
                self._known = {path: _inspected(entry) for path, entry in document["files"].items()}

    def _save(self) -> None:
        """Keep all that is known; not for each of many small files."""
        now = time.monotonic()
        if self.cache_file is None or now - self._saved_at_s < _SAVE_EVERY_S:
            return
        self._saved_at_s = now
        document = {"schema": _SCHEMA, "files": {path: asdict(entry) for path, entry in self._known.items()}}
        with contextlib.suppress(OSError):
            write_atomic(self.cache_file, json.dumps(document).encode())


def _look(file: BinaryIO, status: os.stat_result, *, contents: bool) -> Inspected:
    form = format_of(file.read(HEAD_BYTES))
    inside, digest = None, ""
    if status.st_size > _LARGEST_BYTES:
        form, inside = Format.OTHER, Contents(is_whole=False, trouble="larger than any file of a bundle")
    elif contents:
        file.seek(0)
        inside = look_into(file, form, status.st_size)
    if form is not Format.OTHER and (inside is None or inside.is_whole):
        digest = _sha256(file)
    return Inspected(status.st_size, status.st_mtime_ns, digest, form, inside)


def _inspected(entry: Mapping[str, object]) -> Inspected:
    inside = entry["contents"]
    size, mtime = entry["size_bytes"], entry["mtime_ns"]
    if not isinstance(size, int) or not isinstance(mtime, int):
        raise TypeError("size and time are numbers")
    contents = None
    if isinstance(inside, Mapping):
        contents = Contents(
            is_whole=inside["is_whole"] is True,
            arch=str(inside["arch"]),
            version=str(inside["version"]),
            has_program=inside["has_program"] is True,
            images=tuple(ArchivedImage(str(i["name"]), str(i["digest"]), str(i["arch"])) for i in inside["images"]),
            trouble=str(inside["trouble"]),
        )
    return Inspected(size, mtime, str(entry["sha256"]), Format(str(entry["form"])), contents)


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
