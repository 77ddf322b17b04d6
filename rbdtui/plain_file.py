"""Plain files below a directory that others may have filled, such as the bundle on somebody's disk.

No link is followed and nothing is waited for: a link, a pipe, a socket or a device is refused before it is opened, as
opening alone may block, or do something (a tape, a watchdog).
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO, Final

_LOOK: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
"""A descriptor that names a thing without opening it (open(2))."""
_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISCHR, "a device"),
)


class NotPlainError(OSError):
    """What lies there is not what is read: a link on the way to it, or a pipe, socket, device or directory."""

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(errno.EINVAL, what, str(path))


def open_plain(path: Path, within: Path | None = None) -> BinaryIO:
    """Open a plain file for unbuffered reading; raises `NotPlainError` or `OSError`.

    ``within`` is a directory above it (by default its own): below that no component may be a link. The directory
    itself may be reached through links, it is the operator's own choice.
    """
    root = path.parent if within is None else within
    return _open_looked_at(_look(path, root), path)


def _open_looked_at(looked: int, path: Path) -> BinaryIO:
    """What a descriptor of `_LOOK` names, if it is a plain file; closes the descriptor."""
    try:
        mode = os.fstat(looked).st_mode
        if not stat.S_ISREG(mode):
            raise NotPlainError(path, _kind(mode))
        # Through the descriptor, so that it is the very file that was looked at.
        return open(os.open(f"/proc/self/fd/{looked}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(looked)


def read_named(path: Path, most_bytes: int) -> bytes:
    """What a file holds that somebody named, by a link too, if it is a plain one: never waits for a pipe.

    Of a larger file one byte more than the limit. Raises `NotPlainError` or `OSError`.
    """
    with _open_looked_at(os.open(path, os.O_PATH | os.O_CLOEXEC), path) as file:
        content = bytearray()
        while len(content) <= most_bytes and (block := file.read(most_bytes + 1 - len(content))):
            content += block
    return bytes(content)


def list_plain(path: Path, within: Path) -> list[str]:
    """The sorted names in a directory that is reached without links below ``within``; raises as `open_plain`."""
    looked = _look(path, within)
    try:
        mode = os.fstat(looked).st_mode
        if not stat.S_ISDIR(mode):
            raise NotPlainError(path, _kind(mode))
        opened = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=looked)
    finally:
        os.close(looked)
    try:
        return sorted(os.listdir(opened))
    finally:
        os.close(opened)


def _look(path: Path, root: Path) -> int:
    """A descriptor of what lies at a path, whatever it is."""
    parts = path.relative_to(root).parts
    if not parts or ".." in parts:
        raise NotPlainError(path, "outside")
    # Really opened, unlike what follows, so that a disk which is mounted on demand is mounted.
    here = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for depth, part in enumerate(parts):
        try:
            below = os.open(part, _LOOK, dir_fd=here)
        except OSError as error:
            if error.errno == errno.ENOTDIR:
                mode = os.fstat(here).st_mode
                raise NotPlainError(root.joinpath(*parts[:depth]), _kind(mode)) from None
            error.filename = str(path)
            raise
        finally:
            os.close(here)
        here = below
    return here


def _kind(mode: int) -> str:
    return next((word for is_kind, word in _KINDS if is_kind(mode)), "no plain file")
