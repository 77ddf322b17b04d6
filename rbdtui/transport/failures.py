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
    for line in reversed(result.error_text.splitlines()):
        if any(words in line for words in _NO_SPACE):
            raise NoSpaceError(node, path=path or _path_in(line), detail=line.strip()[:300])
        if _READ_ONLY in line:
            raise ReadOnlyError(node, path=path or _path_in(line), detail=line.strip()[:300])
    raise RemoteScriptError(node, script_name, result)


def _path_in(line: str) -> str:
    found = _PATH.search(line)
    return found[1].strip() if found else "?"
