"""Takes secrets out of everything that is written down: journals, logs, notes, evidence, exceptions.

A known value is recognised as it is and in the forms that programs print: base64 (also as a part of something
longer), quoted for a shell, escaped for JSON, Python and URLs, and line by line when it has several lines.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from typing import Final, TextIO
from urllib.parse import quote

from rbdtui.terminal_text import sanitize_line
from rbdtui.words import Text

MARK: Final = "******"
"""What stands where a secret stood."""

_WORD_LENGTH: Final = 4
"""Values shorter than this are taken out only where they stand alone, or every text would fall apart."""
_LINE_LENGTH: Final = 8
"""Lines of a longer value that are shorter than this (a brace, ``---``) tell nothing."""
_BASE64_LENGTH: Final = 8
"""Shorter pieces of base64 are too likely to be something else."""


class Redactor:
    """Replaces every known secret value in a text."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        forms = {form for value in values for form in _forms(value)}
        patterns = [_pattern(form) for form in sorted(forms, key=lambda form: (-len(form), form))]
        self._pattern = re.compile("|".join(patterns)) if patterns else None

    @property
    def knows_secrets(self) -> bool:
        """Whether there is anything to take out."""
        return self._pattern is not None

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._pattern.sub(MARK, text) if self._pattern is not None else text

    def words(self, text: Text) -> Text:
        """The sentence with parameters without secrets."""
        if self._pattern is None:
            return text
        return Text(text.key, {name: self._param(value) for name, value in text.params.items()})

    def _param(self, value: str | int | float | Text) -> str | int | float | Text:
        if isinstance(value, Text):
            return self.words(value)
        return self.text(value) if isinstance(value, str) else value

    def __repr__(self) -> str:
        return "Redactor()"


class RedactingStream:
    """A text stream for ``sys.stderr``: passes on whole lines, without secrets and without what acts on a terminal."""

    def __init__(self, target: TextIO, redactor: Redactor) -> None:
        self._target = target
        self._redactor = redactor
        self._pending = ""

    def write(self, text: str) -> int:
        """Take text; what stands behind the last line break waits for the next one or for `flush`."""
        *lines, self._pending = (self._pending + text).split("\n")
        if lines:
            self._target.write("".join(f"{self._clean(line)}\n" for line in lines))
            self._target.flush()
        return len(text)

    def flush(self) -> None:
        """Pass on what is there, even without a line break."""
        if self._pending:
            self._target.write(self._clean(self._pending))
            self._pending = ""
        self._target.flush()

    def _clean(self, line: str) -> str:
        return self._redactor.text(sanitize_line(self._redactor.text(line)))

    def fileno(self) -> int:
        """The file descriptor behind it."""
        return self._target.fileno()

    def isatty(self) -> bool:
        """Never a terminal."""
        return False


def _pattern(form: str) -> str:
    escaped = re.escape(form)
    return escaped if len(form) >= _WORD_LENGTH else rf"(?<![0-9A-Za-z]){escaped}(?![0-9A-Za-z])"


def _forms(value: str) -> Iterator[str]:
    for part in {value, *(line for line in value.splitlines() if len(line) >= _LINE_LENGTH)}:
        if not part.strip():
            continue
        yield part
        yield shlex.quote(part).removeprefix("'").removesuffix("'")
        yield json.dumps(part)[1:-1]
        yield json.dumps(part, ensure_ascii=False)[1:-1]
        yield repr(part)[1:-1]
        yield quote(part, safe="")
        yield quote(part)
        yield from _base64_forms(part.encode("utf-8", "surrogateescape"))


def _base64_forms(value: bytes) -> Iterator[str]:
    """What the value looks like inside base64, wherever it begins in the encoded bytes."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + value).decode()
        first = (0, 2, 3)[offset]
        last = len(encoded) if (offset + len(value)) % 3 == 0 else len(encoded.rstrip("=")) - 1
        core = encoded[first:last]
        if len(core) >= _BASE64_LENGTH:
            yield core
            yield core.replace("+", "-").replace("/", "_")
