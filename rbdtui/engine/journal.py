"""The journal of a run: an append-only file of JSON lines, one `Record` each, and the truth about the run.

Lines are written at once; `Journal.commit` returns when all that matter are on the disk, and those of the same moment
share one fsync. A reader may see a line a moment before that; nobody is answered, and nothing is changed on a host,
on the strength of a line that is not committed.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from rbdtui.engine.events import Event, NewerSchemaError, Record, RecordError, without_secrets
from rbdtui.errors import SentenceError
from rbdtui.redact import Redactor
from rbdtui.words import T

READ_BYTES: Final = 1 << 20
"""How much of a journal is read at once."""
RESERVE_BYTES: Final = 128 * 1024
"""Room kept aside so that the end of a run can still be written on a full disk."""
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class JournalError(SentenceError):
    """The journal cannot be read or written; carries a sentence."""


class JournalReader:
    """Reads a journal from the start, and later what has been added since."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lines = 0
        self.offset_bytes = 0
        """Where the next line begins; what stands behind it is not complete yet."""

    def read_new(self, limit_bytes: int = READ_BYTES) -> list[Record]:
        """Records added since the last call, as many as fit the limit (at least one); raises `JournalError`.

        A last line without its end is left for later: it is being written, or was when the machine stopped.
        """
        try:
            with self._path.open("rb") as file:
                file.seek(self.offset_bytes)
                data = file.read(limit_bytes)
                end = data.rfind(b"\n") + 1
                if end == 0 and len(data) == limit_bytes:
                    data += file.readline()
                    end = data.rfind(b"\n") + 1
        except FileNotFoundError:
            return []
        except OSError as error:
            raise JournalError(T("journal.unreadable", path=str(self._path), reason=error.strerror or "")) from error
        lines = data[:end].split(b"\n")[:-1]
        records = [self._record(line, number) for number, line in enumerate(lines, start=self._lines + 1)]
        self._lines += len(lines)
        self.offset_bytes += end
        return records

    def _record(self, line: bytes, number: int) -> Record:
        place: dict[str, str | int] = {"path": str(self._path), "line": number}
        try:
            record = Record.from_json(json.loads(line))
        except NewerSchemaError as error:
            raise JournalError(T("journal.newer", **place, schema=error.schema)) from error
        except (RecordError, ValueError) as error:
            raise JournalError(T("journal.damaged", **place, detail=str(error)[:200])) from error
        if record.seq != number:
            raise JournalError(T("journal.gap", **place, seq=record.seq))
        return record


def read_journal(path: Path) -> list[Record]:
    """All complete records of a journal, none when there is no file; raises `JournalError`."""
    reader = JournalReader(path)
    records: list[Record] = []
    while new := reader.read_new():
        records += new
    return records


class Journal:
    """The one writer of a journal."""

    def __init__(self, path: Path, redactor: Redactor, clock: Callable[[], float] = time.time) -> None:
        """Open or make the file, read what is there and cut a torn last line; raises `JournalError`."""
        self._path = path
        self._redactor = redactor
        self._clock = clock
        reader = JournalReader(path)
        self.earlier: list[Record] = []
        """What the journal held when it was opened."""
        while new := reader.read_new():
            self.earlier += new
        self._size_bytes = reader.offset_bytes
        self._written = self._durable = self._committed = len(self.earlier)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._sync_task: asyncio.Task[None] | None = None
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []
        self._failure: JournalError | None = None
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, self._size_bytes)
            os.lseek(self._file, self._size_bytes, os.SEEK_SET)
            _sync_directory(path.parent)
            self._reserve()
        except OSError as error:
            raise _write_error(path, error) from error

    @property
    def _reserve_file(self) -> Path:
        return self._path.with_suffix(".reserve")

    def _reserve(self) -> None:
        file = os.open(self._reserve_file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, RESERVE_BYTES)
        finally:
            os.close(file)

    def release_reserve(self) -> None:
        """Give the room kept aside back to the file system, for the last words of a run on a full disk."""
        self._reserve_file.unlink(missing_ok=True)
        self._failure = None

    def append(self, *events: Event) -> list[Record]:
        """Write events as the next lines, all of them or none; raises `JournalError`."""
        at = self._clock()
        records = [
            Record(self._written + number, at, without_secrets(event, self._redactor))
            for number, event in enumerate(events, start=1)
        ]
        data = b"".join(_line(record) for record in records)
        try:
            _write_all(self._file, data)
        except OSError as error:
            self._cut()
            raise _write_error(self._path, error) from error
        self._written += len(records)
        self._size_bytes += len(data)
        if any(event.durable for event in events):
            self._durable = self._written
            self._start_sync()
        return records

    def _cut(self) -> None:
        """Take back what a failed write left, so that later lines start on a line of their own."""
        os.ftruncate(self._file, self._size_bytes)
        os.lseek(self._file, self._size_bytes, os.SEEK_SET)

    async def commit(self) -> None:
        """Return when everything durable that was appended before this call is on the disk; raises `JournalError`."""
        if self._failure is not None:
            raise self._failure
        if self._committed < self._durable:
            done = asyncio.get_running_loop().create_future()
            self._waiting.append((self._durable, done))
            await done

    def _start_sync(self) -> None:
        if self._sync_task is None or self._sync_task.done():
            self._sync_task = asyncio.create_task(self._sync())

    async def _sync(self) -> None:
        """Force lines out until no durable one is left; those that come meanwhile share the next round."""
        loop = asyncio.get_running_loop()
        while self._committed < self._durable and self._failure is None:
            reached = self._durable
            try:
                await loop.run_in_executor(self._thread, os.fdatasync, self._file)
            except OSError as error:
                self._failure = _write_error(self._path, error)
            else:
                self._committed = reached
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        still_waiting = []
        for wanted, done in self._waiting:
            if done.done():
                continue
            if self._failure is not None:
                done.set_exception(self._failure)
            elif wanted <= self._committed:
                done.set_result(None)
            else:
                still_waiting.append((wanted, done))
        self._waiting = still_waiting

    async def close(self) -> None:
        """Let go of the file, with everything in it forced out."""
        if self._sync_task is not None:
            await asyncio.wait([self._sync_task])
        self._thread.shutdown()
        os.close(self._file)
        self._reserve_file.unlink(missing_ok=True)


def _line(record: Record) -> bytes:
    text = json.dumps(record.to_json(), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace") + b"\n"


def _write_all(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _sync_directory(path: Path) -> None:
    directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _write_error(path: Path, error: OSError) -> JournalError:
    if error.errno in _FULL:
        return JournalError(T("journal.full", path=str(path)))
    return JournalError(T("journal.unwritable", path=str(path), reason=error.strerror or ""))
