"""The log of a step, read by offset: only what is looked at is read, however large the file or a line in it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from rbdtui.terminal_text import clean_line

BLOCK_BYTES: Final = 64 * 1024
SHOWN_BYTES: Final = 16 * 1024
"""At most so much of a line is looked at for display."""
SHOWN_CHARS: Final = 4_000
"""Longer lines are cut for display."""
LINE_BYTES: Final = 8 * 1024 * 1024
"""A line without an end for so long is taken as several."""
SEARCH_BYTES: Final = 1024 * 1024
_UNSTAMPED_LINES: Final = 4
"""So many lines in a row may stand without a stamp, e.g. heads of attempts."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line, harmless to a terminal."""

    offset: int
    """Where it begins in the file."""
    end: int
    """Where the next one begins."""
    text: str


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that may grow while it is read; one that cannot be read is as if it were empty."""

    path: Path

    def size_bytes(self) -> int:
        """How long it is now."""
        try:
            return self.path.stat().st_size
        except OSError:
            return 0

    def after(self, offset: int, count: int) -> list[LogLine]:
        """So many lines from an offset on, which should be the beginning of a line."""
        lines: list[LogLine] = []
        try:
            with self.path.open("rb") as stream:
                while len(lines) < count and (line := _line_at(stream, offset)) is not None:
                    lines.append(line)
                    offset = line.end
        except OSError:
            return lines
        return lines

    def before(self, offset: int, count: int) -> list[LogLine]:
        """So many lines that end at or before an offset, in their order."""
        starts: list[int] = []
        try:
            with self.path.open("rb") as stream:
                offset = min(offset, stream.seek(0, 2))
                while len(starts) < count and offset > 0:
                    offset = _start_before(stream, offset)
                    starts.append(offset)
                found = [_line_at(stream, start) for start in reversed(starts)]
        except OSError:
            return []
        return [line for line in found if line is not None]

    def last(self, count: int) -> list[LogLine]:
        """So many lines at the end."""
        return self.before(self.size_bytes(), count)

    def end_at(self, stamp: str) -> int:
        """Where the first line begins that was written later than a moment; lines begin with ISO 8601 stamps."""
        low, high = 0, self.size_bytes()
        while low < high:
            middle = (low + high) // 2
            line = self._stamped(middle, high)
            if line is None:
                high = middle
            elif line.text[: len(stamp)] > stamp:
                high = min(middle, line.offset)
            else:
                low = line.end
        return low

    def _stamped(self, offset: int, limit: int) -> LogLine | None:
        """The first line from the one at an offset on that has a stamp and begins before a limit."""
        lines = self.before(offset + 1, 1)
        offset = lines[0].offset if lines else 0
        for line in self.after(offset, _UNSTAMPED_LINES):
            if line.offset >= limit:
                return None
            if line.text[:1].isdecimal():
                return line
        return None

    def find_before(self, wanted: str, offset: int) -> int | None:
        """Where the last line begins that holds a text (capitals or not) and ends at or before an offset."""
        pattern = re.compile(re.escape(wanted.encode("utf-8", "replace")), re.IGNORECASE)
        try:
            with self.path.open("rb") as stream:
                end = min(offset, stream.seek(0, 2))
                while end > 0:
                    start = max(0, end - SEARCH_BYTES)
                    stream.seek(start)
                    block = stream.read(end - start)
                    if start > 0 and (cut := block.find(b"\n") + 1) not in (0, len(block)):
                        start, block = start + cut, block[cut:]
                    at = max((match.start() for match in pattern.finditer(block)), default=None)
                    if at is not None:
                        return start + block.rfind(b"\n", 0, at) + 1
                    end = start
        except OSError:
            return None
        return None

    def find_after(self, wanted: str, offset: int) -> int | None:
        """Where the first line begins that holds a text (capitals or not), looked for from an offset on."""
        pattern = re.compile(re.escape(wanted.encode("utf-8", "replace")), re.IGNORECASE)
        try:
            with self.path.open("rb") as stream:
                start = offset
                while block := _from(stream, start, SEARCH_BYTES):
                    if len(block) == SEARCH_BYTES and (cut := block.rfind(b"\n") + 1):
                        block = block[:cut]
                    if match := pattern.search(block):
                        return start + block.rfind(b"\n", 0, match.start()) + 1
                    start += len(block)
        except OSError:
            return None
        return None


def _from(stream: BinaryIO, offset: int, count: int) -> bytes:
    stream.seek(offset)
    return stream.read(count)


def _line_at(stream: BinaryIO, offset: int) -> LogLine | None:
    """The line that begins at an offset; None at the end of the file."""
    first = _from(stream, offset, SHOWN_BYTES)
    if not first:
        return None
    length, searched = first.find(b"\n"), len(first)
    while length < 0 and searched < LINE_BYTES and (block := stream.read(BLOCK_BYTES)):
        if (at := block.find(b"\n")) >= 0:
            length = searched + at
        searched += len(block)
    end = offset + (searched if length < 0 else length + 1)
    shown = first if length < 0 else first[:length]
    return LogLine(offset, end, clean_line(shown.decode("utf-8", "replace"), SHOWN_CHARS))


def _start_before(stream: BinaryIO, end: int) -> int:
    """Where the line begins that ends before ``end``, which is behind its line break or at the end of the file."""
    limit = max(0, end - LINE_BYTES)
    upper = end - 1
    while upper > limit:
        lower = max(limit, upper - BLOCK_BYTES)
        at = _from(stream, lower, upper - lower).rfind(b"\n")
        if at >= 0:
            return lower + at + 1
        upper = lower
    return limit


__all__ = ["LogFile", "LogLine"]
