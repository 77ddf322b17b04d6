"""Single files on a host: read, compared, written atomically, removed; with the old one kept where that is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import (
    CommandResult,
    Host,
    OutputTooLargeError,
    UploadMismatchError,
)
from rbdtui.transport.failures import check
from rbdtui.transport.scripts import script

_ABSENT: Final = 3
_MISMATCH: Final = 6
_PATHS_PER_CALL: Final = 100
_WRITE_LIMIT_S: Final = 30.0
_SLOWEST_LINK_BYTES_PER_S: Final = 20 * 1024
_MIB: Final = 1024 * 1024
_MARK_AND_MORE_BYTES: Final = 16 * 1024
"""What may come beside a file: what a login shell prints before it, and the byte that tells that there is more."""


@dataclass(frozen=True, slots=True)
class FileState:
    """What a file on a host is like."""

    sha256: str
    """Hex digest; empty for what is no regular file."""
    mode: int
    owner: str
    """``user:group``"""
    size_bytes: int


async def read_file(host: Host, path: str, *, root: bool = True, limit_bytes: int = 8 * _MIB) -> bytes | None:
    """The content of a file, None when there is none; raises `TransportError`."""
    result = await host.run(
        script("file-read"), path, str(limit_bytes), root=root, output_limit_bytes=limit_bytes + _MARK_AND_MORE_BYTES
    )
    if result.exit_status == _ABSENT:
        return None
    if len(result.stdout) > limit_bytes:
        raise OutputTooLargeError(host.name, path, limit_bytes)
    return check(host.name, "file-read", result).stdout


async def read_start(host: Host, path: str, size_bytes: int) -> bytes | None:
    """The first bytes of a file, however long it is; None when there is none. Raises `TransportError`."""
    result = await host.run(script("file-read"), path, str(size_bytes))
    return None if result.exit_status == _ABSENT else check(host.name, "file-read", result).stdout[:size_bytes]


async def file_states(host: Host, paths: Sequence[str]) -> dict[str, FileState | None]:
    """What files are like, by path; None for those that are not there. Raises `TransportError`."""
    states: dict[str, FileState | None] = {}
    for start in range(0, len(paths), _PATHS_PER_CALL):
        some = paths[start : start + _PATHS_PER_CALL]
        result = await host.must(script("file-state"), *some, timeout_s=300)
        states |= parse_answer(host.name, "file-state", partial(_parse_states, some, result.text))
    return states


async def write_file(
    host: Host, path: str, content: bytes, *, mode: int = 0o644, owner: str = "root:root", backup_dir: str = ""
) -> bool:
    """Give a file this content, mode and owner as root; False when it has them already.

    The old file is kept as ``backup_dir`` + path, the first time only, so that it stays the original. A symbolic link
    is followed. Raises `NoSpaceError`, `ReadOnlyError` and other `TransportError`.
    """
    digest = hashlib.sha256(content).hexdigest()
    limit_s = _WRITE_LIMIT_S + len(content) / _SLOWEST_LINK_BYTES_PER_S
    args = (path, f"{mode:o}", owner, backup_dir)
    payload = f"{digest}\n".encode() + content
    result = await host.run(script("file-write"), *args, payload=payload, timeout_s=limit_s)
    if result.exit_status == _MISMATCH:
        raise UploadMismatchError(host.name, path=path)
    check(host.name, "file-write", result, path=path)
    return _word(result) == "written"


async def remove_file(host: Host, path: str, *, backup_dir: str = "") -> bool:
    """Remove a file as root; False when it was not there. Raises `TransportError`."""
    result = await host.run(script("file-remove"), path, backup_dir)
    check(host.name, "file-remove", result, path=path)
    return _word(result) == "removed"


def _parse_states(paths: Sequence[str], text: str) -> dict[str, FileState | None]:
    return {path: _parse_state(line) for path, line in zip(paths, text.splitlines(), strict=True)}


def _parse_state(line: str) -> FileState | None:
    if line == "absent":
        return None
    digest, mode, owner, size = line.split(" ")
    return FileState("" if digest == "other" else digest, whole_number(mode, 8, most=0o7777), owner, whole_number(size))


def _word(result: CommandResult) -> str:
    return result.text.strip()
