"""The program as a process of its own in a pseudo-terminal, and what a person in front of it would read.

Only what Textual's own driver sends is understood: moves, erasing, letters; colours are dropped.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.cells import cell_len

LIMIT_S = 120.0
_ESCAPE = re.compile(
    r"\x1b(?:\[(?P<args>[0-?]*)[ -/]*(?P<verb>[@-~])"
    r"|\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|P[^\x1b]*\x1b\\|[ -/]*[0-OQ-Z\\^-~])"
)


class Terminal:
    """One process in one pseudo-terminal."""

    def __init__(self, arguments: Sequence[str], home: Path, *, size: tuple[int, int], env: Mapping[str, str]) -> None:
        self.home = home
        self.bytes_sent = 0
        self.clipboard: list[str] = []
        """Contents of every OSC 52, still in base64."""
        self._master, slave = os.openpty()
        self.written = ""
        """All that was ever sent."""
        self._at = (0, 0)
        """Column and row of the cursor."""
        self._unread = ""
        """The beginning of an escape sequence whose end has not come yet."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._cells: dict[tuple[int, int], str] = {}
        self.size = size
        self._tell_size(*size)
        tty.setraw(slave)
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "xterm-256color"}
        environment |= env
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rbdtui", *arguments], stdin=slave, stdout=slave, stderr=slave, close_fds=True,
            env=environment, cwd=home, start_new_session=True, preexec_fn=lambda: _take_terminal(slave),
        )  # fmt: skip
        os.close(slave)

    # --- what a person does ----------------------------------------------------------------------------------

    def type(self, keys: str) -> None:
        """Press keys, without waiting for what they do."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        """Say another size, as a terminal does whose window is changed."""
        self.size = (columns, rows)
        self._tell_size(columns, rows)

    def hang_up(self) -> None:
        """Close the line, as a lost connection does."""
        os.close(self._master)
        self._master = -1

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program."""
        self.process.send_signal(number)

    # --- what a person sees ----------------------------------------------------------------------------------

    def text(self) -> str:
        """What stands on the screen now."""
        self._read(0.0)
        width, height = max((x for x, _ in self._cells), default=0), max((y for _, y in self._cells), default=0)
        lines = ["".join(self._cells.get((x, y), " ") for x in range(width + 1)) for y in range(height + 1)]
        return "\n".join(line.rstrip() for line in lines)

    def wait_for(self, wanted: str | Callable[[str], bool], limit_s: float = LIMIT_S) -> str:
        """Return what stands on the screen as soon as it has a text in it."""
        end = time.monotonic() + limit_s
        while True:
            seen = self.text()
            if wanted(seen) if callable(wanted) else wanted in seen:
                return seen
            assert time.monotonic() < end, f"{wanted!r} did not come, but:\n{seen}"
            assert self.process.poll() is None or self._read(0.05), f"it ended before {wanted!r} came:\n{seen}"
            self._read(0.05)

    def ended(self, limit_s: float = LIMIT_S) -> int:
        """Exit status of the program; what it says while it leaves is read."""
        end = time.monotonic() + limit_s
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end:\n{self.text()}"
            self._read(0.05)
        self._read(0.1)
        return self.process.returncode

    def said(self) -> str:
        """All that was ever written, without what only a terminal reads."""
        return _ESCAPE.sub("", self.written)

    # --- how -------------------------------------------------------------------------------------------------

    def _tell_size(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def _read(self, limit_s: float) -> bool:
        """Take in all that is there; whether there was anything."""
        got = b""
        while self._master >= 0 and select.select([self._master], [], [], 0 if got else limit_s)[0]:
            try:
                chunk = os.read(self._master, 65536)
            except OSError:  # the other end is closed
                break
            if not chunk:
                break
            got += chunk
        self.bytes_sent += len(got)
        if got:
            self._draw(self._decoder.decode(got))
        return bool(got)

    def _draw(self, text: str) -> None:
        self.written += text
        text, cut, rest = (self._unread + text).rpartition("\x1b")
        whole = not cut or _ESCAPE.match(cut + rest)
        text, self._unread = (text + cut + rest, "") if whole else (text, cut + rest)
        (column, row), at = self._at, 0
        for escape in _ESCAPE.finditer(text):
            column, row = self._put(text[at : escape.start()], column, row)
            at = escape.end()
            if escape["verb"] in ("H", "f"):
                numbers = [int(part or 1) for part in (escape["args"] or "1;1").split(";")]
                row, column = numbers[0] - 1, (numbers[1] if len(numbers) > 1 else 1) - 1
            elif escape["verb"] == "J" or (escape["verb"] == "h" and escape["args"] == "?1049"):
                self._cells.clear()
            elif (escape["osc"] or "").startswith("52;"):
                self.clipboard.append(escape["osc"].split(";", 2)[2])
        self._at = self._put(text[at:], column, row)

    def _put(self, letters: str, column: int, row: int) -> tuple[int, int]:
        for letter in letters:
            if letter == "\n":
                row += 1
            elif letter == "\r":
                column = 0
            elif letter >= " ":
                self._cells[column, row] = letter
                if cell_len(letter) == 2:
                    self._cells[column + 1, row] = ""
                column += cell_len(letter)
        return column, row


def _take_terminal(slave: int) -> None:
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


@contextmanager
def terminal(
    *arguments: str | Path, home: Path, size: tuple[int, int] = (80, 24), env: Mapping[str, str] | None = None
) -> Iterator[Terminal]:
    """The program with these arguments in a terminal; it is gone after the block."""
    opened = Terminal([str(argument) for argument in arguments], home, size=size, env=env or {})
    try:
        yield opened
    finally:
        if opened.process.poll() is None:
            opened.process.kill()
        opened.process.wait(timeout=LIMIT_S)
        if opened._master >= 0:
            opened.hang_up()
