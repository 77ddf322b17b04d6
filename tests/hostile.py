"""Words that a hostile server, file or network sends, and whether any of them has reached a terminal."""

from __future__ import annotations

import re
import unicodedata
from types import MappingProxyType
from typing import Final

POISONS: Final = MappingProxyType({
    "move": "\x1b[13A\x1b[77GSHA256:forged",
    "clear": "\x1b[2J\x1b[Hforged",
    "title": "\x1b]0;forged\x07forged",
    "clipboard": "\x1b]52;c;Zm9yZ2Vk\x07forged",
    "device string": "\x1bP+q544e\x1b\\forged",
    "hide": "\x1b[8mforged\x1b[0m",
    "c1": "\x9b13A\x9b77Gforged\x9d0;forged\x9c\x90q\x9c",
    "bell": "forged\x07\x08\x08\x0b\x0c\x7f\x00",
    "bidi": "\u202edegrof\u2066\u2069\u200e\u200f\u061c\u202c",
    "line": "forged\u2028forged\u2029forged\x85",
    "no width": "for\u200bged\u2060\ufeff\u00ad",
    "surrogate": "forged\udc9b\ud800",
    "carriage return": "covered\rforged",
})  # fmt: skip
ALL: Final = "".join(POISONS.values())
"""All of them in one line."""
AS_SENT: Final = ALL.encode("utf-8", "replace")

_OURS: Final = re.compile(r"\x1b\[[0-9;]*m|\x1b\[2K|\x1b\[1A|\x1b\[\?25[lh]")
"""What click and rich write themselves: colours, and the moves of lanes that are redrawn; never by thirteen lines."""
_HIDDEN: Final = re.compile(r"\x1b\[(?:[0-9;]*;)?8m")
_SCREEN: Final = re.compile(
    r"\x1b\]22;[a-z-]+\x07|"
    r"\x1b\[[?>=<]?[0-9;]*(?:\$p|[Hmhlu])|\x1b\[>[0-9]*[uq]|\x1b\[c|\x1b[78]|\x1b\[[0-9]* q|\x1b\[6n|\x1bP=[12]s\x1b\\"
)
"""What Textual's driver writes itself; it moves to places (H) and never by lines."""


def leaked(written: str, *, screen: bool = False) -> list[str]:
    """All in an output that a terminal would act on and that is not our own; with ``screen`` Textual's is."""
    found = [piece for piece in ("\x1b[13A", "\x1b[77G", "\x1b]0;forged", "\x1b]52;c;Zm9yZ2Vk") if piece in written]
    if not screen:
        found += _HIDDEN.findall(written)
    rest = (_SCREEN if screen else _OURS).sub("", written)
    acting = (letter for letter in rest if letter not in "\r\n\t" and not letter.isprintable())
    return found + [ascii(letter) for letter in acting if unicodedata.category(letter) != "Zs"]
