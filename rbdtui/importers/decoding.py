"""From the bytes of a file to a text: UTF-8, UTF-16 and GBK are told apart; what is no text is refused, with why."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rbdtui.errors import SentenceError
from rbdtui.plain_file import NotPlainError, read_named
from rbdtui.words import T

MAX_BYTES: Final = 4 * 1024 * 1024
"""20 000 lines of 200 letters."""
_NUL_SHARE: Final = 0.3
"""A text in UTF-16 without a mark has a zero for nearly every second byte."""
_LOOKED_AT: Final = 4096


class NotTextError(SentenceError):
    """A file cannot be read as text; the sentence says why, and what to do."""


def read_text(path: Path) -> str:
    """The text of a file that somebody named; raises `NotTextError`."""
    try:
        content = read_named(path, MAX_BYTES)
    except NotPlainError:
        raise NotTextError(T("import.no_file", file=str(path))) from None
    except OSError as error:
        raise NotTextError(T("import.unreadable", file=str(path), reason=error.strerror or "")) from error
    if len(content) > MAX_BYTES:
        raise NotTextError(T("import.too_large", file=str(path), limit_mib=MAX_BYTES // (1024 * 1024)))
    return decoded(content, str(path))


def decoded(content: bytes, name: str) -> str:
    """The text of these bytes, without a byte order mark; raises `NotTextError`."""
    if content[:4] == b"PK\x03\x04":
        raise NotTextError(T("import.spreadsheet", file=name))
    for encoding in _encodings(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text.removeprefix("\ufeff")
    raise NotTextError(T("import.no_text", file=name))


def _encodings(content: bytes) -> tuple[str, ...]:
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return ("utf-16",)
    beginning = content[:_LOOKED_AT]
    if beginning[1::2].count(0) > _NUL_SHARE * len(beginning) / 2:
        return ("utf-16-le",)
    if beginning[::2].count(0) > _NUL_SHARE * len(beginning) / 2:
        return ("utf-16-be",)
    return ("utf-8", "gb18030")
