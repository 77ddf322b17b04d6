"""Text of remote programs made harmless: nothing in it acts on the terminal, colours and cursor moves are gone."""

from __future__ import annotations

import re
from typing import Final

_ESCAPES: Final = re.compile(
    r"""\x1b\][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)?   # OSC: titles, clipboard, links
      | \x1b[PX^_][^\x1b]{0,4096}(?:\x1b\\)?        # DCS, SOS, PM, APC
      | [\x1b\x9b]\[?[0-?]*[ -/]*[@-~]              # CSI, and two-character sequences
    """,
    re.VERBOSE,
)
_CONTROL: Final = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""Control characters, and those that turn the direction of writing or have no width."""
MARK: Final = "\N{REPLACEMENT CHARACTER}"
TAB_CELLS: Final = 8


def clean_line(text: str, limit_chars: int = 4_000) -> str:
    """One line for display: of a line that was overwritten by carriage returns the last state, escapes taken out."""
    if len(text) > limit_chars * 4:
        text = text[: limit_chars * 4]
    text = text.rstrip("\r\n")
    if "\r" in text:
        text = next((part for part in reversed(text.split("\r")) if part.strip()), "")
    text = _ESCAPES.sub("", text)
    text = _CONTROL.sub(MARK, text).expandtabs(TAB_CELLS)
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 1]}…"


def clean_lines(text: str, limit_lines: int = 400, limit_chars: int = 4_000) -> list[str]:
    """Several lines for display, as evidence of a finding has them."""
    lines = text.split("\n", limit_lines + 1)[:limit_lines]
    return [clean_line(line, limit_chars) for line in lines]


def harmless(text: str) -> str:
    """A sentence that may quote a host: as it stands when nothing in it acts, else cleaned line by line."""
    return text if text.replace("\n", "").isprintable() else "\n".join(clean_lines(text))
