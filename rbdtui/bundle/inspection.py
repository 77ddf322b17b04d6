"""Digest and contents of the bundle's files, read once and remembered as long as size and time of a file stay.

What is remembered lies in the site, never in the bundle, which may be a read-only disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from rbdtui.atomic import write_atomic
from rbdtui.bundle.archives import HEAD_BYTES, Contents, Format, format_of, look_into
from rbdtui.plain_file import open_plain

_CHUNK_BYTES: Final = 4 << 20
_SCHEMA: Final = 2


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file as it was found."""

    size_bytes: int
    mtime_ns: int
    sha256: str
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

    def inspect(self, path: Path, within: Path, *, contents: bool) -> Inspected:
        """Look at a file below a directory; raises `NotPlainError`, or `OSError` when it cannot be read."""
        with self._lock, open_plain(path, within) as file:
            self._load()
            status = os.fstat(file.fileno())
            known = self._known.get(str(path))
            if known is not None and known.is_of(status) and (known.contents is not None or not contents):
                return known
            form = format_of(file.read(HEAD_BYTES))
            inside = None
            if contents:
                file.seek(0)
                inside = look_into(file, form, status.st_size)
            found = Inspected(status.st_size, status.st_mtime_ns, _sha256(file), form, inside)
            self._known[str(path)] = found
            self._save()
            return found

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
        if self.cache_file is None:
            return
        document = {"schema": _SCHEMA, "files": {path: asdict(entry) for path, entry in self._known.items()}}
        with contextlib.suppress(OSError):
            write_atomic(self.cache_file, json.dumps(document).encode())


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
            trouble=str(inside["trouble"]),
        )
    return Inspected(size, mtime, str(entry["sha256"]), Format(str(entry["form"])), contents)


def _sha256(file: BinaryIO) -> str:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest()
