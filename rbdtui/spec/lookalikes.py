"""Characters that look like those of YAML and are none: typed with an input method, or copied from a document."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from rbdtui.findings import Finding, Place, Severity

SIGN: Final = "RBD-YAML-046"
BLANK: Final = "RBD-YAML-047"
_FULL_WIDTH: Final = {chr(code): chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
_OTHERS: Final = {
    "、": ",", "。": ".", "【": "[", "】": "]", "“": '"', "”": '"', "‘": "'", "’": "'", "—": "-", "–": "-", "−": "-",
}  # fmt: skip
_MEANT: Final = _FULL_WIDTH | _OTHERS
_QUOTED: Final = re.compile(r"\"(?:\\.|[^\"\\])*\"|'(?:''|[^'])*'")
_COMMENT: Final = re.compile(r"(?:^|(?<=[ \t]))#.*")
_INVISIBLE: Final = "Cf"


def lookalike_finding(text: str, line_index: int, column_index: int = 0) -> Finding | None:
    """The first such character of a line from a column on, as a finding; those in quotes and comments are meant so.

    Line and column count from 0.
    """
    line = text.split("\n", line_index + 1)[line_index : line_index + 1]
    plain = _COMMENT.sub("", _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), "".join(line)))
    for column, letter in enumerate(plain):
        meant = _meant(letter) if column >= column_index else None
        if meant is not None:
            place = Place(line=line_index + 1, column=column + 1)
            params = {"codepoint": f"U+{ord(letter):04X}", "meant": meant}
            return Finding(SIGN if meant.strip() else BLANK, Severity.ERROR, place, params)
    return None


def syntax_lookalike(text: str, line_index: int) -> Finding | None:
    """Such a character where a text stops being YAML: on that line, or on the last one before it that says anything."""
    lines = text.split("\n", line_index + 1)[:line_index]
    before = next((index for index in range(len(lines) - 1, -1, -1) if lines[index].strip()), None)
    return lookalike_finding(text, line_index) or (lookalike_finding(text, before) if before is not None else None)


def _meant(letter: str) -> str | None:
    """What a character is taken for; a blank for those that look like one, or like nothing at all."""
    if letter in _MEANT:
        return _MEANT[letter]
    kind = unicodedata.category(letter)
    return " " if (kind in ("Zs", _INVISIBLE) and letter != " ") else None
