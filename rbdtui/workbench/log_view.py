"""The log of a step, read from its end by offset: bounded however large the file is, and harmless to a terminal."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rbdtui.workbench.clean import clean_line

KEPT_LINES: Final = 2_000
FIRST_BYTES: Final = 256 * 1024
"""How much of the end is read first."""
POLL_BYTES: Final = 256 * 1024
"""At most this much is read at once; what was written faster than that is skipped."""
LINE_CHARS: Final = 4_000
"""Longer lines are cut for display."""
SEARCH_BYTES: Final = 1024 * 1024


@dataclass(slots=True)
class LogTail:
    """The last lines of a growing file; `poll` reads what is new."""

    file: Path
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    """Cleaned, oldest first."""
    total: int = 0
    """Lines taken in so far, those included that are not kept any more."""
    skipped_bytes: int = 0
    """How much was left out, at the start or because it came too fast."""
    _offset: int = 0
    _rest: bytes = b""

    def poll(self) -> int:
        """Read what is new, at most `POLL_BYTES`; returns how many lines were added. An unreadable file is empty."""
        try:
            with self.file.open("rb") as stream:
                size = stream.seek(0, 2)
                if size < self._offset:
                    self._offset, self._rest = 0, b""
                self._skip_to_end(size)
                stream.seek(self._offset)
                data = stream.read(POLL_BYTES)
        except OSError:
            return 0
        self._offset += len(data)
        return self._take(data)

    def _skip_to_end(self, size: int) -> None:
        """Leave out what nobody could read in time."""
        if size - self._offset > FIRST_BYTES:
            start = size - FIRST_BYTES
            self.skipped_bytes += start - self._offset
            self._offset, self._rest = start, b""

    def _take(self, data: bytes) -> int:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > POLL_BYTES:
            self._rest = self._rest[:LINE_CHARS]
        for line in whole:
            self.lines.append(clean_line(line.decode("utf-8", "replace"), LINE_CHARS))
        self.total += len(whole)
        return len(whole)


def search_log(file: Path, wanted: str, *, before: int | None = None, limit: int = 1) -> list[tuple[int, str]]:
    """The last lines that hold a text (capitals or not), with the offset at which each begins, newest first.

    Looks backwards from ``before`` (default: the end) through the whole file, a mebibyte at a time.
    """
    found: list[tuple[int, str]] = []
    pattern = re.compile(re.escape(wanted.encode()), re.IGNORECASE)
    try:
        with file.open("rb") as stream:
            end = stream.seek(0, 2) if before is None else before
            while end > 0 and len(found) < limit:
                start = max(0, end - SEARCH_BYTES)
                stream.seek(start)
                block = stream.read(end - start)
                if start > 0 and (cut := block.find(b"\n") + 1):
                    start, block = start + cut, block[cut:]
                found += _matches(block, start, pattern, limit - len(found))
                end = start if start < end else max(0, end - SEARCH_BYTES)
    except OSError:
        return found
    return found


def _matches(block: bytes, start: int, pattern: re.Pattern[bytes], limit: int) -> list[tuple[int, str]]:
    found: list[tuple[int, str]] = []
    end = start + len(block)
    for line in reversed(block.split(b"\n")):
        begin = end - len(line)
        if pattern.search(line):
            found.append((begin, clean_line(line.decode("utf-8", "replace"), LINE_CHARS)))
            if len(found) == limit:
                break
        end = begin - 1
    return found
