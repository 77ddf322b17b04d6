"""The file system of a simulated host: a tree in memory on disks of a given size."""

from __future__ import annotations

import errno
import os
import posixpath
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

_LINKS_FOLLOWED = 20


class Kind(StrEnum):
    """What a path is; the values are the words of ``stat -c %F``."""

    FILE = "regular file"
    DIRECTORY = "directory"
    LINK = "symbolic link"


@dataclass(slots=True)
class Entry:
    """One file, directory or symbolic link."""

    kind: Kind
    mode: int
    owner: str = "root:root"
    content: bytes | bytearray = b""
    target: str = ""
    """Where a symbolic link leads."""
    modified_at: float = field(default_factory=time.time)
    """Unix time."""


@dataclass(slots=True)
class Disk:
    """A mounted file system."""

    path: str
    device: str
    size_bytes: int
    other_bytes: int
    """Taken by what is not in the simulated tree."""
    filesystem: str = "ext4"
    read_only: bool = False
    by_hand: bool = False
    """Mounted since the last boot, and gone with the next."""
    tree_bytes: int = 0
    """Taken by files of the simulated tree."""

    @property
    def available_bytes(self) -> int:
        """What can still be written."""
        return max(0, self.size_bytes - self.other_bytes - self.tree_bytes)


def os_error(number: int, path: str) -> OSError:
    """The error that a kernel would give."""
    return OSError(number, os.strerror(number), path)


class FileSystem:
    """Paths of one host; every method raises `OSError` with the errno that Linux gives."""

    def __init__(self, disks: list[Disk]) -> None:
        self.disks = disks
        self._entries: dict[str, Entry] = {"/": Entry(Kind.DIRECTORY, 0o755)}
        self._children: dict[str, set[str]] = {"/": set()}

    def disk_of(self, path: str) -> Disk:
        """The mounted file system that holds a path."""
        holders = [d for d in self.disks if d.path == "/" or path == d.path or path.startswith(d.path + "/")]
        return max(holders, key=lambda disk: len(disk.path))

    def resolve(self, path: str, *, follow: bool = True) -> str:
        """The path with symbolic links followed; the last part only with ``follow``."""
        for _ in range(_LINKS_FOLLOWED):
            path = posixpath.normpath("/" + path.lstrip("/"))
            link = self._first_link(path, follow)
            if link is None:
                return path
            path = posixpath.join(posixpath.dirname(link), self._entries[link].target) + path[len(link) :]
        raise os_error(errno.ELOOP, path)

    def _first_link(self, path: str, follow: bool) -> str | None:
        at = ""
        parts = path.strip("/").split("/") if path != "/" else []
        for number, part in enumerate(parts, start=1):
            at += "/" + part
            entry = self._entries.get(at)
            if entry is None:
                return None
            if entry.kind is Kind.LINK and (follow or number < len(parts)):
                return at
        return None

    def get(self, path: str, *, follow: bool = True) -> Entry | None:
        """What stands at a path, or None."""
        return self._entries.get(self.resolve(path, follow=follow))

    def exists(self, path: str) -> bool:
        """Whether something stands at a path."""
        return self.get(path) is not None

    def is_dir(self, path: str) -> bool:
        """Whether a directory stands at a path."""
        entry = self.get(path)
        return entry is not None and entry.kind is Kind.DIRECTORY

    def read(self, path: str) -> bytes:
        """The content of a file."""
        return bytes(self._file(path).content)

    def text(self, path: str, otherwise: str = "") -> str:
        """The content of a file as text, or the second argument when there is none."""
        entry = self.get(path)
        if entry is None or entry.kind is not Kind.FILE:
            return otherwise
        return bytes(entry.content).decode("utf-8", "replace")

    def _file(self, path: str) -> Entry:
        entry = self.get(path)
        if entry is None:
            raise os_error(errno.ENOENT, path)
        if entry.kind is Kind.DIRECTORY:
            raise os_error(errno.EISDIR, path)
        return entry

    def write(self, path: str, content: bytes, *, mode: int | None = None, owner: str | None = None) -> None:
        """Replace a file's content; its directory must exist. A new file gets mode 0644."""
        path = self._writable(path)
        old = self._entries.get(path)
        if old is not None and old.kind is Kind.DIRECTORY:
            raise os_error(errno.EISDIR, path)
        self._take(path, len(content) - (len(old.content) if old else 0))
        entry = old or self._add(path, Entry(Kind.FILE, 0o644))
        entry.content, entry.modified_at = content, time.time()
        entry.mode = entry.mode if mode is None else mode
        entry.owner = owner or entry.owner

    def append(self, path: str, content: bytes) -> None:
        """Add to a file, which is made when it is not there."""
        path = self._writable(path)
        self._take(path, len(content))
        entry = self._entries.get(path) or self._add(path, Entry(Kind.FILE, 0o644))
        if not isinstance(entry.content, bytearray):
            entry.content = bytearray(entry.content)
        entry.content.extend(content)
        entry.modified_at = time.time()

    def put(self, path: str, content: bytes | str, *, mode: int = 0o644, owner: str = "root:root") -> None:
        """Write a file and make its directories: how a simulated program leaves its files."""
        self.mkdir(posixpath.dirname(path))
        self.write(path, content.encode() if isinstance(content, str) else content, mode=mode, owner=owner)

    def mkdir(self, path: str, *, mode: int = 0o755) -> None:
        """Make a directory and those above it; nothing happens where it is there."""
        path = self.resolve(path)
        missing: list[str] = []
        while path not in self._entries:
            missing.append(path)
            path = posixpath.dirname(path)
        if self._entries[path].kind is not Kind.DIRECTORY:
            raise os_error(errno.ENOTDIR if missing else errno.EEXIST, path)
        for directory in reversed(missing):
            self._writable(directory)
            self._add(directory, Entry(Kind.DIRECTORY, mode if directory == missing[0] else 0o755))

    def link(self, target: str, path: str) -> None:
        """Make a symbolic link, in place of what was there unless that is a directory."""
        path = self._writable(path, follow=False)
        if path in self._entries:
            self._drop(path)
        self._add(path, Entry(Kind.LINK, 0o777, target=target))

    def rename(self, source: str, target: str) -> None:
        """Move one file over another place, as ``mv -fT`` does."""
        source, target = self._writable(source, follow=False), self._writable(target, follow=False)
        entry = self._entries.get(source)
        if entry is None:
            raise os_error(errno.ENOENT, source)
        if entry.kind is Kind.DIRECTORY:
            self._move_tree(source, target)
            return
        if target in self._entries:
            self._drop(target)
        self._drop(source)
        self._take(target, len(entry.content))
        self._add(target, entry)

    def _move_tree(self, source: str, target: str) -> None:
        moved = [source, *self.walk(source)]
        entries = [self._entries[path] for path in moved]
        self.remove(source)
        for path, entry in zip(moved, entries, strict=True):
            place = target + path[len(source) :]
            self._take(place, len(entry.content))
            self._add(place, entry)

    def remove(self, path: str) -> bool:
        """Delete a path with all below it; False when it is not there."""
        path = self._writable(path, follow=False)
        if path not in self._entries:
            return False
        for below in sorted(self.walk(path), key=len, reverse=True):
            self._drop(below)
        self._drop(path)
        return True

    def listdir(self, path: str) -> list[str]:
        """Names in a directory, sorted."""
        resolved = self.resolve(path)
        if resolved not in self._entries:
            raise os_error(errno.ENOENT, path)
        if self._entries[resolved].kind is not Kind.DIRECTORY:
            raise os_error(errno.ENOTDIR, path)
        return sorted(self._children[resolved])

    def walk(self, path: str = "/") -> Iterator[str]:
        """All paths below a directory; links are not followed."""
        for name in sorted(self._children.get(path, ())):
            below = posixpath.join(path, name)
            yield below
            yield from self.walk(below)

    def _writable(self, path: str, *, follow: bool = True) -> str:
        path = self.resolve(path, follow=follow)
        if self.disk_of(path).read_only:
            raise os_error(errno.EROFS, path)
        return path

    def _take(self, path: str, more_bytes: int) -> None:
        disk = self.disk_of(path)
        if more_bytes > disk.available_bytes:
            raise os_error(errno.ENOSPC, path)
        disk.tree_bytes += more_bytes

    def _add(self, path: str, entry: Entry) -> Entry:
        parent = posixpath.dirname(path)
        above = self._entries.get(parent)
        if above is None:
            raise os_error(errno.ENOENT, path)
        if above.kind is not Kind.DIRECTORY:
            raise os_error(errno.ENOTDIR, path)
        self._entries[path] = entry
        self._children[parent].add(posixpath.basename(path))
        if entry.kind is Kind.DIRECTORY:
            self._children.setdefault(path, set())
        return entry

    def _drop(self, path: str) -> None:
        if self._children.get(path):
            raise os_error(errno.ENOTEMPTY, path)
        entry = self._entries.pop(path)
        self._children.pop(path, None)
        self._children[posixpath.dirname(path)].discard(posixpath.basename(path))
        self.disk_of(path).tree_bytes -= len(entry.content)
