"""Characters that look like those of YAML and are none: typed with an input method, or copied from a document."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
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


def lookalike_finding(lines: Sequence[str], line_index: int, column_index: int = 0) -> Finding | None:
    """The first such character of a line from a column on, as a finding; those in quotes and comments are meant so.

    Line and column count from 0.
    """
    line = lines[line_index] if 0 <= line_index < len(lines) else ""
    if line.isascii():
        return None
    plain = _COMMENT.sub("", _QUOTED.sub(lambda quoted: "x" * len(quoted[0]), line))
    for column, letter in enumerate(plain[column_index:], start=column_index):
        if (meant := _meant(letter)) is not None:
            place = Place(line=line_index + 1, column=column + 1)
            params = {"codepoint": f"U+{ord(letter):04X}", "meant": meant}
            return Finding(SIGN if meant.strip() else BLANK, Severity.ERROR, place, params)
    return None


def syntax_lookalike(text: str, line_index: int) -> Finding | None:
    """Such a character where a text stops being YAML: on that line, or on the last one before it that says anything."""
    lines = text.split("\n")
    before = next((index for index in range(min(line_index, len(lines)) - 1, -1, -1) if lines[index].strip()), -1)
    return lookalike_finding(lines, line_index) or lookalike_finding(lines, before)


def with_lookalikes(findings: Iterable[Finding], text: str) -> Iterator[Finding]:
    """The findings, each character that only looks right named once in place of what it led to."""
    lines = [] if text.isascii() else text.split("\n")
    named = set()
    for finding in findings:
        place = finding.place
        meant = lookalike_finding(lines, place.line - 1, max(0, place.column - 1))
        if meant is None:
            yield finding
        elif (at := (meant.place.line, meant.place.column)) not in named:
            named.add(at)
            yield replace(meant, place=replace(place, line=meant.place.line, column=meant.place.column))


def _meant(letter: str) -> str | None:
    """What a character is taken for; a blank for those that look like one, or like nothing at all."""
    if letter in _MEANT:
        return _MEANT[letter]
    kind = unicodedata.category(letter)
    return " " if (kind in ("Zs", _INVISIBLE) and letter != " ") else None
