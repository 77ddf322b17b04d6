"""The journal of a run: an append-only file of JSON lines, one `Record` each, and the truth about the run.

Lines are written at once; `Journal.commit` returns when all that matter are on the disk, and those of the same moment
share one fsync. A reader may see a line a moment before that; nobody is answered, and nothing is changed on a host,
on the strength of a line that is not committed. What a power cut left of lines that never were is passed over by
readers, and taken out, with a copy kept, by the next writer.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final

from rbdtui.atomic import sync_directory
from rbdtui.bounded_json import read_json
from rbdtui.engine.events import Event, NewerSchemaError, Record, RecordError, without_secrets
from rbdtui.errors import SentenceError
from rbdtui.paths import as_typed
from rbdtui.redact import Redactor
from rbdtui.words import T

READ_BYTES: Final = 1 << 20
"""How much of a journal is read at once."""
RESERVE_BYTES: Final = 128 * 1024
"""Room kept aside so that the end of a run can still be written on a full disk."""
BLOCK_BYTES: Final = 512
"""The least that a disk writes: a hole that a power cut leaves ends where a block of that size does."""
_ZEROS: Final = re.compile(rb"\0+")
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
        self._lost: tuple[int, int] | None = None
        """Size and time of the file when nothing was left in it but what was never committed."""

    @property
    def passes_over(self) -> bool:
        """Whether whole lines stand behind the last good one that a power cut kept from ever being committed."""
        return self._lost is not None

    def read_new(self, limit_bytes: int = READ_BYTES) -> list[Record]:
        """Records added since the last call, as many as fit the limit (at least one); raises `JournalError`.

        A last line without its end is left for later: it is being written, or was when the machine stopped. So are
        bad lines that were never committed.
        """
        try:
            with self._path.open("rb") as file:
                if self._lost == _look_of(file):
                    return []
                self._lost = None
                file.seek(self.offset_bytes)
                data = file.read(limit_bytes)
                end = data.rfind(b"\n") + 1
                if end == 0 and len(data) == limit_bytes:
                    data += file.readline()
                    end = data.rfind(b"\n") + 1
        except FileNotFoundError:
            return []
        except OSError as error:
            raise _read_error(self._path, error) from error
        return self._records(data[:end].split(b"\n")[:-1])

    def _records(self, lines: list[bytes]) -> list[Record]:
        records: list[Record] = []
        for line in lines:
            try:
                record = self._record(line, self._lines + 1)
            except JournalError:
                if records or self._was_never_committed():
                    break
                raise
            records.append(record)
            self._lines += 1
            self.offset_bytes += len(line) + 1
        return records

    def _was_never_committed(self) -> bool:
        """Whether what begins with the bad line here never was on the disk as a whole, as after a power cut.

        A line that was committed has everything before it on the disk. So none of ours may stand behind the bad one,
        unless that has a hole: zeros up to the end of a block, where one page was lost and a later one was not.
        """
        try:
            with self._path.open("rb") as file:
                look = _look_of(file)
                file.seek(self.offset_bytes)
                bad = file.readline()
                holes = (self.offset_bytes + zeros.end() for zeros in _ZEROS.finditer(bad))
                lost = any(end % BLOCK_BYTES == 0 for end in holes) or not any(map(_is_ours, file))
        except OSError as error:
            raise _read_error(self._path, error) from error
        if lost and not _is_ours(bad):
            self._lost = look
        return self._lost is not None

    def _record(self, line: bytes, number: int) -> Record:
        site = as_typed(self._path.parent.parent.parent)
        place: dict[str, str | int] = {"path": str(self._path), "line": number, "site": site}
        try:
            record = Record.from_json(read_json(line.decode()))
        except NewerSchemaError as error:
            raise JournalError(T("journal.newer", **place, schema=error.schema)) from error
        except (RecordError, ValueError) as error:
            raise JournalError(T("journal.damaged", **place, detail=str(error)[:200])) from error
        if record.seq != number:
            raise JournalError(T("journal.gap", **place, seq=record.seq))
        return record


def _look_of(file: BinaryIO) -> tuple[int, int]:
    status = os.fstat(file.fileno())
    return status.st_size, status.st_mtime_ns


def _is_ours(line: bytes) -> bool:
    """Whether a line is whole and has the form of a record, also one that cannot be understood here."""
    try:
        content = json.loads(line.decode())
    except (ValueError, RecursionError):
        return False
    return isinstance(content, dict) and isinstance(content.get("seq"), int) and "schema" in content


def read_journal(path: Path) -> list[Record]:
    """All complete records of a journal, none when there is no file; raises `JournalError`."""
    reader = JournalReader(path)
    records: list[Record] = []
    while new := reader.read_new():
        records += new
    return records


class Journal:
    """The one writer of a journal."""

    def __init__(
        self,
        path: Path,
        redactor: Redactor,
        clock: Callable[[], float] = time.time,
        steady_clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open or make the file, read what is there and cut what was never committed; raises `JournalError`."""
        self._path = path
        self._redactor = redactor
        self._clock, self._steady_clock = clock, steady_clock
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
        self._unproven: JournalError | None = None
        """A sync that failed: the kernel may have dropped what it could not write, so that no later one proves it."""
        self._torn: JournalError | None = None
        """A failed write that could not be taken back: nothing may be written behind it."""
        try:
            if reader.passes_over:
                _keep_copy(path, self._size_bytes)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, self._size_bytes)
            os.lseek(self._file, self._size_bytes, os.SEEK_SET)
            sync_directory(path.parent)
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

    def append(self, *events: Event) -> list[Record]:
        """Write events as the next lines, all of them or none; raises `JournalError`."""
        if self._torn is not None:
            raise self._torn
        at, steady_s = self._clock(), round(self._steady_clock(), 3)
        records = [
            Record(self._written + number, at, without_secrets(event, self._redactor), steady_s)
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
        try:
            os.ftruncate(self._file, self._size_bytes)
            os.lseek(self._file, self._size_bytes, os.SEEK_SET)
        except OSError as error:
            self._torn = self._unproven = _write_error(self._path, error)
            raise self._torn from error

    async def commit(self) -> None:
        """Return when everything durable that was appended before this call is on the disk; raises `JournalError`."""
        if self._unproven is not None:
            raise self._unproven
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
        while self._committed < self._durable and self._unproven is None:
            reached = self._durable
            try:
                await loop.run_in_executor(self._thread, os.fdatasync, self._file)
            except OSError as error:
                self._unproven = _write_error(self._path, error)
            else:
                self._committed = reached
            self._tell_waiting()

    def _tell_waiting(self) -> None:
        still_waiting = []
        for wanted, done in self._waiting:
            if done.done():
                continue
            if self._unproven is not None:
                done.set_exception(self._unproven)
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


def _keep_copy(path: Path, offset_bytes: int) -> None:
    """Keep what is about to be cut off a journal under a name of its own; an earlier copy is never overwritten."""
    for number in count(1):
        copy = path.with_name(f"{path.name}.damaged" + (f".{number}" if number > 1 else ""))
        try:
            descriptor = os.open(copy, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        with open(descriptor, "wb") as target, path.open("rb") as source:
            source.seek(offset_bytes)
            shutil.copyfileobj(source, target)
            target.flush()
            os.fsync(target.fileno())
        sync_directory(path.parent)
        return


def _read_error(path: Path, error: OSError) -> JournalError:
    return JournalError(T("journal.unreadable", path=str(path), reason=error.strerror or ""))


def _write_error(path: Path, error: OSError) -> JournalError:
    if error.errno in _FULL:
        return JournalError(T("journal.full", path=str(path)))
    return JournalError(T("journal.unwritable", path=str(path), reason=error.strerror or ""))
