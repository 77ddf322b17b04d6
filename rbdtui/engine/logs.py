"""Raw output of steps, one file for each step: bounded, without secrets, written off the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from rbdtui.redact import Redactor
from rbdtui.terminal_text import last_state, sanitize_line
from rbdtui.words import T

LIMIT_BYTES: Final = 50 * 1024 * 1024
"""Of one step's log over all its attempts; what comes later is dropped, and the file says so."""
LINE_LIMIT_CHARS: Final = 16 * 1024
"""Longer lines are cut."""
FLUSH_S: Final = 0.2
"""How long a line may wait in memory."""
BUFFER_LIMIT_CHARS: Final = 4 * 1024 * 1024
"""Of lines waiting in memory for one step; a disk that is slower than that loses lines, not memory."""

_LOG = logging.getLogger(__name__)


def log_file(run_dir: Path, step_id: str) -> Path:
    """Where the raw output of a step is."""
    return run_dir / "logs" / f"{step_id.replace('/', '_')}.log"


@dataclass(slots=True)
class _Buffer:
    file: Path
    size_bytes: int
    pending: list[str] = field(default_factory=list)
    pending_chars: int = 0
    lost_lines: int = 0
    full: bool = False


class StepLogs:
    """The logs of a run; `line` costs next to nothing, a task writes what has gathered."""

    def __init__(self, run_dir: Path, redactor: Redactor, limit_bytes: int = LIMIT_BYTES) -> None:
        self._run_dir = run_dir
        self._redactor = redactor
        self._limit_bytes = limit_bytes
        self._buffers: dict[str, _Buffer] = {}
        self._dirty: set[str] = set()
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="logs")
        self._stamp = (0, "")
        (run_dir / "logs").mkdir(mode=0o700, exist_ok=True)

    def attempt(self, step_id: str, attempt: int) -> None:
        """Head the lines that follow."""
        when = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        self._add(step_id, f"--- {T('log.attempt', attempt=attempt, when=when)} ---\n")

    def line(self, step_id: str, text: str) -> None:
        """Keep one line, with its time; nothing in it acts on the terminal of whoever reads the file."""
        told = self._redactor.text(text).rstrip("\r\n").replace("\n", "\\n")
        clean = sanitize_line(last_state(told))
        if clean != told:
            clean = self._redactor.text(clean)  # a secret may have been cut in two by what is gone now
        if len(clean) > LINE_LIMIT_CHARS:
            clean = f"{clean[:LINE_LIMIT_CHARS]} [+{len(clean) - LINE_LIMIT_CHARS}]"
        self._add(step_id, f"{self._time()} {clean}\n")

    def _time(self) -> str:
        second = int(time.time())
        if second != self._stamp[0]:
            self._stamp = (second, datetime.fromtimestamp(second).astimezone().strftime("%Y-%m-%dT%H:%M:%S%z"))
        return self._stamp[1]

    def _add(self, step_id: str, line: str) -> None:
        buffer = self._buffers.get(step_id)
        if buffer is None:
            buffer = self._buffers[step_id] = self._open(step_id)
        if buffer.full:
            return
        if buffer.pending_chars > BUFFER_LIMIT_CHARS:
            buffer.lost_lines += 1
            return
        buffer.pending.append(line)
        buffer.pending_chars += len(line)
        self._dirty.add(step_id)
        self._wake.set()
        if self._task is None:
            self._task = asyncio.create_task(self._write_for_ever())

    def _open(self, step_id: str) -> _Buffer:
        file = log_file(self._run_dir, step_id)
        with contextlib.suppress(FileNotFoundError):
            size_bytes = file.stat().st_size
            return _Buffer(file, size_bytes, full=size_bytes >= self._limit_bytes)
        return _Buffer(file, 0)

    async def _write_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()
            await asyncio.sleep(FLUSH_S)

    async def flush(self) -> None:
        """Write what has gathered; a log that cannot be written is given up for this time, the run goes on."""
        batches = [(buffer, self._take(buffer)) for buffer in map(self._buffers.__getitem__, sorted(self._dirty))]
        self._dirty.clear()
        if batches:
            await asyncio.get_running_loop().run_in_executor(self._thread, _write_batches, batches)

    def _take(self, buffer: _Buffer) -> bytes:
        if buffer.lost_lines:
            buffer.pending.append(f"--- {T('log.lost', lines=buffer.lost_lines)} ---\n")
        data = "".join(buffer.pending).encode("utf-8", "replace")
        buffer.pending.clear()
        buffer.pending_chars = buffer.lost_lines = 0
        room_bytes = self._limit_bytes - buffer.size_bytes
        if len(data) > room_bytes:
            kept = data[:room_bytes].decode("utf-8", "ignore")
            data = f"{kept}\n--- {T('log.truncated', limit_kib=self._limit_bytes >> 10)} ---\n".encode()
            buffer.full = True
        buffer.size_bytes += len(data)
        return data

    async def close(self) -> None:
        """Write the rest and stop writing."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
        await self.flush()
        self._thread.shutdown()


def _write_batches(batches: list[tuple[_Buffer, bytes]]) -> None:
    for buffer, data in batches:
        try:
            with open(buffer.file, "ab", opener=_private) as file:
                file.write(data)
        except OSError as error:
            _LOG.warning("%s: %s", buffer.file.name, error.strerror)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
