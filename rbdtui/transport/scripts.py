"""The whole vocabulary of what rbdtui does on a host: named POSIX shell scripts.

A host is assumed to have a POSIX shell and coreutils, nothing else. What stands in ``assets/scripts`` (plus the
commands of the facts) is all that ever runs there, so an operator can read it beforehand, and a simulated host can
answer by the script's name.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from functools import cache
from typing import Final

from rbdtui.paths import asset

PREFIX: Final = "rbdtui/"
"""What ``$0`` of every remote script starts with, e.g. ``rbdtui/write-file``."""

OUTPUT_MARK: Final = b"\x1erbdtui\x1e\n"
"""What every script writes first on both outputs, so that whatever login shells print before it can be cut off."""

_MARK_COMMANDS: Final = r"printf '\036rbdtui\036\n'; printf '\036rbdtui\036\n' >&2" + "\n"
_ENVIRONMENT: Final = (
    "umask 022; LC_ALL=C; PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH\n"
)


@dataclass(frozen=True, slots=True)
class Script:
    """A POSIX shell script with a name; arguments are ``$1`` and on, the payload is its standard input."""

    name: str
    text: str

    def command(self, args: tuple[str, ...], *, limit_s: float, tag: str = "") -> str:
        """The remote command line; the script's text is expected first on standard input, then the payload.

        Nothing secret may be in ``args``: they are visible in the host's process list. ``limit_s`` ends the script
        on the host even when the link is gone. ``tag`` only makes its processes known by their command lines.
        """
        return shlex.join(
            ["timeout", "-k", "5", f"{limit_s:g}", "sh", "-c", self.loader(tag), PREFIX + self.name, *args]
        )

    def loader(self, tag: str = "") -> str:
        """What a shell runs to take the script's text from its standard input."""
        return f'eval "$(head -c {len(self.wire_text())})"' + (f" # {tag}" if tag else "")

    def wire_text(self) -> bytes:
        """The bytes sent before the payload; in braces, so that a shell refuses one that arrived only in part."""
        return b"{ " + _MARK_COMMANDS.encode() + self.file_text() + b"\n}"

    def file_text(self) -> bytes:
        """The script as a file that runs in the same environment, without an `OUTPUT_MARK`."""
        return (_ENVIRONMENT + self.text).encode()


@cache
def script(name: str) -> Script:
    """A shipped script by name, e.g. ``script("write-file")``."""
    return Script(name, asset("scripts", f"{name}.sh").read_text(encoding="utf-8"))
