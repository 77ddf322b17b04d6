"""What a script's last words mean: full disks, read-only ones and guarded files are told from everything else."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.transport.base import CommandResult, GuardedFileError, NoSpaceError, ReadOnlyError, RemoteScriptError

_NO_SPACE: Final = ("No space left on device", "Disk quota exceeded")
_READ_ONLY: Final = "Read-only file system"
_GUARDED: Final = ("Operation not permitted", "Permission denied")
_UNKNOWN: Final = "?"
_PATH: Final = re.compile(r"""['"\u2018]?(/[^'"\u2019:]*)""")


def check(node: str, script_name: str, result: CommandResult, *, path: str = "") -> CommandResult:
    """The result of a script that ended with 0; raises `NoSpaceError`, `ReadOnlyError`, `GuardedFileError` or
    `RemoteScriptError`.

    ``path`` is what the script was to write; without it the path is taken from the words of the failed program.
    """
    if result.ok:
        return result
    if line := _line_with(result, (*_NO_SPACE, _READ_ONLY)):
        kind = ReadOnlyError if _READ_ONLY in line else NoSpaceError
        raise kind(node, path=path or _path_in(line), detail=line[:300])
    if (line := _line_with(result, _GUARDED)) and (guarded := path or _path_in(line)) != _UNKNOWN:
        raise GuardedFileError(node, path=guarded, detail=line[:300])
    raise RemoteScriptError(node, script_name, result)


def is_disk_trouble(result: CommandResult) -> bool:
    """Whether a script's words blame a full or read-only file system."""
    return bool(_line_with(result, (*_NO_SPACE, _READ_ONLY)))


def _line_with(result: CommandResult, words: tuple[str, ...]) -> str:
    """The last line of the error output that holds one of these; empty when none does."""
    lines = (line.strip() for line in reversed(result.error_text.splitlines()))
    return next((line for line in lines if any(word in line for word in words)), "")


def _path_in(line: str) -> str:
    found = _PATH.search(line)
    return found[1].strip() if found else _UNKNOWN
