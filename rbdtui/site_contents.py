"""What lies in a site directory that somebody else may have packed: links lead out of it, pipes and devices never end.

Whatever rbdtui writes in place has to be a plain file, or it would be written wherever a link points to. One look when
the site is opened is enough: from then on nobody else can put anything there, as the directory is the operator's alone.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from rbdtui.errors import SentenceError
from rbdtui.words import T, Text

_OWN_FILES: Final = (
    "run.lock",
    "secrets.enc.lock",
    "draft*.json",
    "draft*.lock",
    "copied.txt",
    "crash.txt",
    "simulated.json",
)
"""At the top, written in place, or by nobody else: never links."""
_READ_FILES: Final = ("known_hosts", "kubeconfig", "bundle-hashes.json")
"""At the top, read and replaced as a whole: an operator may have made links of them."""
_DIRECTORIES: Final = ("facts", "health", "runs", "drills", "snapshots")
_SOCKET_NAME: Final = "control.sock"


class ForeignThingError(SentenceError):
    """Something in a site is not what rbdtui keeps there; its sentence says what and where."""


def check_contents(site: Path) -> None:
    """Raise `ForeignThingError` for a link, pipe, socket or device where rbdtui keeps a file; `OSError`.

    Directories in place of files are left to whoever reads them. Costs one listing per directory, no look at any file
    of a run.
    """
    for entry in _entries(site):
        if any(fnmatch(entry.name, pattern) for pattern in _OWN_FILES):
            _check_own(entry)
        elif entry.name in _READ_FILES:
            _check_kind(Path(entry.path))
        elif entry.name in _DIRECTORIES:
            _check_directory(entry)
    _check_below(site / "facts", depth=0)
    _check_below(site / "health", depth=0)
    _check_below(site / "drills", depth=0)
    _check_below(site / "snapshots", depth=0)
    _check_below(site / "runs", depth=2)


def _check_below(directory: Path, depth: int) -> None:
    """All in a directory of ours, and in those in it: of a run its files, of its logs too."""
    if not directory.is_dir():
        return
    for entry in _entries(directory):
        if entry.name == _SOCKET_NAME and not entry.is_symlink():
            continue
        _check_own(entry)
        if depth and entry.is_dir(follow_symlinks=False):
            _check_below(Path(entry.path), depth - 1)


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        yield from entries


def _check_own(entry: os.DirEntry[str]) -> None:
    if entry.is_symlink():
        raise ForeignThingError(_link(entry.path))
    # What is gone by now, as a runner's temporary file may be, is of no kind either.
    if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)) and os.path.lexists(
        entry.path
    ):
        raise ForeignThingError(T("site.no_plain_file", path=entry.path))


def _check_kind(path: Path) -> None:
    """What a name leads to; a link that leads nowhere is replaced when the file is written."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise ForeignThingError(T("site.no_plain_file", path=str(path)))


def _check_directory(entry: os.DirEntry[str]) -> None:
    """A link to a directory on another disk is the operator's own choice, if it is theirs alone as the site is."""
    if not entry.is_symlink():
        return
    try:
        status = entry.stat()
    except OSError:
        raise ForeignThingError(_link(entry.path)) from None
    if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise ForeignThingError(_link(entry.path))


def _link(path: str) -> Text:
    return T("site.link", path=path, target=os.readlink(path))
