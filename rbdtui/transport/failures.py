"""What a script's last words mean: a full disk and a read-only one are told apart from everything else."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.transport.base import CommandResult, NoSpaceError, ReadOnlyError, RemoteScriptError

_NO_SPACE: Final = ("No space left on device", "Disk quota exceeded")
_READ_ONLY: Final = "Read-only file system"
_PATH: Final = re.compile(r"""['"\u2018]?(/[^'"\u2019:]*)""")


def check(node: str, script_name: str, result: CommandResult, *, path: str = "") -> CommandResult:
    """The result of a script that ended with 0; raises `NoSpaceError`, `ReadOnlyError` or `RemoteScriptError`.

    ``path`` is what the script was to write; without it the path is taken from the words of the failed program.
    """
    if result.ok:
        return result
    line = _disk_line(result)
    if not line:
        raise RemoteScriptError(node, script_name, result)
    kind = ReadOnlyError if _READ_ONLY in line else NoSpaceError
    raise kind(node, path=path or _path_in(line), detail=line[:300])


def is_disk_trouble(result: CommandResult) -> bool:
    """Whether a script's words blame a full or read-only file system."""
    return bool(_disk_line(result))


def _disk_line(result: CommandResult) -> str:
    lines = (line.strip() for line in reversed(result.error_text.splitlines()))
    return next((line for line in lines if any(words in line for words in (*_NO_SPACE, _READ_ONLY))), "")


def _path_in(line: str) -> str:
    found = _PATH.search(line)
    return found[1].strip() if found else "?"
