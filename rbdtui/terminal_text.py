"""What anybody else wrote, made fit for a terminal: nothing in it acts, hides, or changes the direction of writing.

Servers, files and whoever answers on the network may send any character. What is kept is what `str.isprintable` calls
printable, and the blanks of Unicode; sequences that a terminal would carry out are taken out whole, every other
character becomes `MARK`. Colours of our own are put on afterwards, so that nobody else's are ever let through.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable
from typing import Final

_ESCAPES: Final = re.compile(
    r"""(?:\x1b\]|\x9d)[^\x07\x1b\x9c]{0,4096}+(?:\x07|\x1b\\|\x9c)?   # OSC: titles, clipboard, links
      | (?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]{0,4096}+(?:\x1b\\|\x9c)?   # DCS, SOS, PM, APC
      | (?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?   # CSI
      | \x1b[ -/]*+[0-~]   # sequences of two and more characters
    """,
    re.VERBOSE,
)
_BLANKS: Final = frozenset("\u00a0\u1680\u202f\u205f\u3000") | set(map(chr, range(0x2000, 0x200B)))
"""Blanks that `str.isprintable` does not know as such: Unicode's category Zs without the common one."""
MARK: Final = "\N{REPLACEMENT CHARACTER}"
TAB_CELLS: Final = 8
LINE_LIMIT_CHARS: Final = 4_000


def sanitize(text: str) -> str:
    """Several lines for a terminal: every line as by `sanitize_line`, none cut; only line feeds part lines."""
    if text.isprintable():
        return text
    return "\n".join(map(sanitize_line, text.split("\n")))


def sanitize_line(text: str) -> str:
    """One line for a terminal; line breaks inside it become blanks, so that it covers nothing that stands before."""
    if text.isprintable():
        return text
    text = text.rstrip("\r\n")
    if "\n" in text or "\r" in text:
        return " ".join(filter(None, (sanitize_line(part).strip() for part in re.split("[\r\n]", text))))
    return _replaced(_ESCAPES.sub("", text).expandtabs(TAB_CELLS), lambda _: MARK)


def last_state(line: str) -> str:
    """What is seen of a line in the end that overwrites itself by carriage returns, as progress bars do."""
    if "\r" not in line:
        return line
    return next((part for part in reversed(line.split("\r")) if part.strip()), "")


def drop_unprintable(text: str, cells: Callable[[str], int]) -> str:
    """The last gate before a terminal, for text that is laid out already: as wide as it was, and without what acts.

    ``cells`` tells how wide a character was taken to be; escape sequences are not looked for, their beginnings go.
    """
    return text if text.isprintable() else _replaced(text, lambda letter: MARK * cells(letter))


def _replaced(text: str, instead: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _BLANKS else instead(letter) for letter in text)


def clean_line(text: str, limit_chars: int = LINE_LIMIT_CHARS) -> str:
    """As `sanitize_line`, no longer than the limit; of a line that overwrites itself the last state."""
    text = sanitize_line(last_state(text[: limit_chars * 4]))
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 1]}…"


def clean_lines(text: str, limit_lines: int = 400, limit_chars: int = LINE_LIMIT_CHARS) -> list[str]:
    """Several lines for display, as evidence of a finding has them."""
    lines = text.split("\n", limit_lines + 1)[:limit_lines]
    return [clean_line(line, limit_chars) for line in lines]


def to_json_text(data: object, *, indent: int | None = None, ascii_only: bool = False) -> str:
    """JSON (RFC 8259) in which every character that is not printable is escaped, so that it may be shown as it is."""
    text = json.dumps(data, ensure_ascii=ascii_only, indent=indent)
    return "\n".join(_replaced(line, _json_escape) for line in text.split("\n"))


def _json_escape(letter: str) -> str:
    return json.dumps(letter)[1:-1]


_PLAIN_SIGNS: Final = {
    "✗": "x", "✓": "+", "·": "-", "•": "-", "–": "-", "—": "-", "→": "->", "…": "...", "▸": ">", MARK: "?",
}  # fmt: skip
PLAIN_SIGNS_HANDLER: Final = "rbdtui.plain-signs"
"""Name of the error handler for streams: signs that an encoding lacks become plain ones, all else is escaped."""


def _plain_sign(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN_SIGNS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking), error.end


codecs.register_error(PLAIN_SIGNS_HANDLER, _plain_sign)


def shows_signs(encoding: str | None) -> bool:
    """Whether our signs for states exist in an encoding; GBK for one has none of them."""
    try:
        "✗✓·→–…".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
