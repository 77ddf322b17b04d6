"""From a pasted text to the cells of its lines."""

from __future__ import annotations

import csv
import re
import unicodedata
from typing import Final

from rbdtui.terminal_text import clean_line

MOST_LINES: Final = 20_000
"""What is read of a text; nobody means more."""
MOST_CHARS: Final = 2_000_000
LONGEST_LINE: Final = 1000

_TYPED_FOR: Final = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    ord(sign): meant
    for sign, meant in {"、": ",", "。": ".", "｡": ".", "【": "[", "】": "]", "—": "-", "−": "-"}.items()
}
"""What Chinese input methods and word processors write, and what is meant: full-width forms, and a few more."""
_INVISIBLE: Final = "Cf"
"""Category of zero-width characters and marks of direction, which come along from documents and chats."""
_LIST_MARK: Final = re.compile(r"^\s*(?:[-*•]|[0-9]{1,3}[.)])\s+")
_COMMENT: Final = re.compile(r"(?:^|(?<=\s))#.*")
"""Not inside a word: passwords hold the sign as well."""
_QUOTED: Final = re.compile(r'"[^"]*"')
_RULE: Final = re.compile(r"[\s|+:=_-]+\Z")
"""A line that only draws a table."""
SEPARATORS: Final = "\t,;|"
_KEEPS_TOGETHER: Final = {"[": "]", "{": "}", '"': '"'}
AROUND: Final = "\"' "


def harmless_lines(text: str) -> str:
    """A pasted text in which nothing acts on a terminal; what stands behind its limits is left out."""
    ending = "\n" if text[-1:] in ("\n", "\r") else ""
    return "\n".join(_without_controls(line) for line in text[:MOST_CHARS].splitlines()[:MOST_LINES]) + ending


def _without_controls(raw: str) -> str:
    """A line in which nothing acts; tabs stay."""
    return "\t".join(clean_line(part, LONGEST_LINE) for part in raw[: LONGEST_LINE * 4].split("\t"))


def plain_line(raw: str, *, comments: bool = True) -> str:
    """A line as it was meant: without list mark and invisible characters, its punctuation as in ASCII.

    Without its comment either, unless ``comments`` are not to be looked for.
    """
    seen = "".join(sign for sign in raw[: LONGEST_LINE * 4] if unicodedata.category(sign) != _INVISIBLE)
    line = _without_controls(seen.translate(_TYPED_FOR))
    line = "".join(" " if unicodedata.category(sign) == "Zs" else sign for sign in line)
    line = _LIST_MARK.sub("", _without_comment(line) if comments else line).strip()
    if line.startswith("{") and line.endswith("}"):
        line = line[1:-1].strip()
    return "" if _RULE.match(line) else line


def _without_comment(line: str) -> str:
    """The line up to a sign for a comment that stands outside of quotes."""
    if "#" not in line:
        return line
    found = _COMMENT.search(_QUOTED.sub(lambda quoted: "x" * len(quoted[0]), line))
    return line[: found.start()] if found is not None else line


def cells_of(line: str) -> list[str]:
    """The parts of a line: between tabs, commas, semicolons or bars where there are any, else between blanks.

    What stands in brackets or double quotes, as in ``10.0.0.[11,13]``, stays together.
    """
    masked, inside = _without_separators_in_brackets(line)
    separator = next((sign for sign in SEPARATORS if sign in masked), None)
    if separator is None:
        parts = masked.split()
    else:
        try:
            parts = next(csv.reader([masked], delimiter=separator, skipinitialspace=True))
        except (csv.Error, StopIteration):
            parts = masked.split(separator)
        parts = parts[1:] if separator == "|" and not parts[0].strip() else parts
    return [_unmasked(part, inside).strip(AROUND) for part in parts]


def is_separated(line: str) -> bool:
    """Whether more than blanks stands between the parts of a line."""
    masked, _ = _without_separators_in_brackets(line)
    return any(sign in masked for sign in SEPARATORS)


_MASK: Final = 0xE000
"""Private characters, of which none survives the cleaning of a line, stand for signs in brackets."""


def _without_separators_in_brackets(line: str) -> tuple[str, str]:
    """The line with its separators and blanks in brackets masked, and what the masks stand for."""
    signs = SEPARATORS + " "
    found, closing = [], ""
    for place, sign in enumerate(line):
        if not closing and sign in _KEEPS_TOGETHER and _KEEPS_TOGETHER[sign] in line[place:]:
            closing = _KEEPS_TOGETHER[sign]
        elif sign == closing:
            closing = ""
        found.append(chr(_MASK + signs.index(sign)) if closing and sign in signs else sign)
    return "".join(found), signs


def _unmasked(part: str, signs: str) -> str:
    return part.translate({_MASK + place: sign for place, sign in enumerate(signs)})
