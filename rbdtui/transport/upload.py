"""One file to one host: streamed to a receiving script, hashed on both ends, continued where an earlier try stopped.

The stream goes to a script and not to SFTP, so that it works through sudo.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.plain_file import open_plain
from rbdtui.transport.answers import whole_number
from rbdtui.transport.base import (
    SLOW_UPLOAD_AFTER_S,
    SLOW_UPLOAD_BYTES_PER_S,
    CommandResult,
    NoSpaceError,
    SourceError,
    UploadMismatchError,
)
from rbdtui.transport.exchange import Exchange
from rbdtui.transport.failures import check, is_disk_trouble
from rbdtui.transport.library import asyncssh
from rbdtui.transport.meter import Meter
from rbdtui.words import T

BLOCK_BYTES: Final = 1024 * 1024
_WRITE_BYTES: Final = 256 * 1024
"""Encrypted in one go; more would keep the event loop from everything else for too long."""
STALL_LIMIT_S: Final = 120.0

LONGEST_UPLOAD_S: Final = 24 * 3600.0
"""After this a receiver that was forgotten ends by itself."""
_SLOWEST_DISK_BYTES_PER_S: Final = 20 * 1024 * 1024
_MIB: Final = 1024 * 1024
_NOT_WHOLE: Final = {6, 7, 8}
"""Exit codes of ``upload-receive``: another digest, a part that is too short, a stream that is too short."""


@dataclass(frozen=True, slots=True)
class Remainder:
    """What the host says it has of a file."""

    offset_bytes: int
    """Length of what an earlier try left."""
    sha256: str
    """Its digest."""
    free_bytes: int
    """Space in its file system."""


def parse_remainder(text: str) -> Remainder | None:
    """Read the answer of the script ``upload-state``; None when the file is there already. Raises `ValueError`."""
    word, *rest = text.split()
    if word == "done":
        return None
    if word != "part":
        raise ValueError(text[:200])
    offset, digest, free = rest
    return Remainder(whole_number(offset), digest, whole_number(free))


class Source:
    """A file that is being sent, read in blocks by a thread and hashed on the way.

    It is a plain file that is reached without links below ``within``, whatever lay there when its digest was taken.
    """

    def __init__(self, node: str, path: Path, within: Path | None = None) -> None:
        self._node = node
        self._path = path
        try:
            self._file = open_plain(path, within)
            self.size_bytes = os.fstat(self._file.fileno()).st_size
        except OSError as error:
            raise self._error(error) from None
        self._digest = hashlib.sha256()

    async def starts_with(self, remainder: Remainder) -> bool:
        """Whether the file begins with what the host has; then reading goes on behind that, else at the start."""
        self._rewind()
        await self._in_thread(self._hash_up_to, remainder.offset_bytes)
        if self._digest.hexdigest() == remainder.sha256:
            return True
        self._rewind()
        return False

    async def block(self) -> bytes:
        """The next block; empty at the end. Raises `SourceError` when it cannot be read or is shorter than it was."""
        return await self._in_thread(self._read_block, BLOCK_BYTES)

    def check(self, sha256: str) -> None:
        """Raise `SourceError` when all of it was read and it is not the file it was to be."""
        if self._file.tell() == self.size_bytes and self._digest.hexdigest() != sha256:
            raise SourceError(self._node, path=str(self._path), reason=T("transport.source_changed"))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    async def _in_thread(self, work: Callable[[int], bytes], size_bytes: int) -> bytes:
        try:
            return await asyncio.to_thread(work, size_bytes)
        except OSError as error:
            raise self._error(error) from None

    def _rewind(self) -> None:
        self._digest = hashlib.sha256()
        self._file.seek(0)

    def _hash_up_to(self, size_bytes: int) -> bytes:
        while size_bytes > 0 and (block := self._read_block(min(size_bytes, BLOCK_BYTES))):
            size_bytes -= len(block)
        return b""

    def _read_block(self, size_bytes: int) -> bytes:
        block = self._file.read(min(size_bytes, max(0, self.size_bytes - self._file.tell())))
        if not block and self._file.tell() < self.size_bytes:
            raise SourceError(self._node, path=str(self._path), reason=T("transport.source_shorter"))
        self._digest.update(block)
        return block

    def _error(self, error: OSError) -> SourceError:
        return SourceError(self._node, path=str(self._path), reason=error.strerror or type(error).__name__)


class Places:
    """How many uploads may be under way at once, the first come first; one that goes slowly gives its place back."""

    def __init__(self, count: int) -> None:
        self._free = asyncio.Semaphore(count)

    @contextlib.asynccontextmanager
    async def place_for(self, meter: Meter) -> AsyncIterator[None]:
        """Wait for a place, and keep it as long as the upload lasts or until it turns out to be slow."""
        await self._free.acquire()
        watching = asyncio.create_task(self._give_back_when_slow(meter))
        try:
            yield
        finally:
            if watching.cancel():
                self._free.release()

    async def _give_back_when_slow(self, meter: Meter) -> None:
        sent_bytes = meter.sent_bytes
        while True:
            await asyncio.sleep(SLOW_UPLOAD_AFTER_S)
            if meter.sent_bytes - sent_bytes < SLOW_UPLOAD_BYTES_PER_S * SLOW_UPLOAD_AFTER_S:
                break
            sent_bytes = meter.sent_bytes
        self._free.release()


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is to be where, and how far that is."""

    source: Source
    target: str
    sha256: str
    mode: int
    meter: Meter

    @property
    def limit_s(self) -> float:
        """How long the host may take to hash and sync the file."""
        return 60 + self.source.size_bytes / _SLOWEST_DISK_BYTES_PER_S

    @property
    def state_args(self) -> tuple[str, ...]:
        """Arguments of the script ``upload-state``."""
        return self.target, str(self.source.size_bytes), self.sha256, f"{self.mode:o}"

    def receive_args(self, offset_bytes: int) -> tuple[str, ...]:
        """Arguments of the script ``upload-receive``."""
        return self.target, str(offset_bytes), str(self.source.size_bytes), self.sha256, f"{self.mode:o}"

    def check_space(self, node: str, remainder: Remainder) -> None:
        """Raise `NoSpaceError` when the rest cannot fit."""
        need = self.source.size_bytes - remainder.offset_bytes
        if need > remainder.free_bytes:
            detail = T("transport.space_needed", need_mib=-(-need // _MIB), free_mib=remainder.free_bytes // _MIB)
            raise NoSpaceError(node, path=self.target, detail=detail)

    def check_result(self, node: str, result: CommandResult) -> None:
        """Raise unless the whole file is in place, byte by byte as announced."""
        if result.exit_status in _NOT_WHOLE and not is_disk_trouble(result):
            self.source.check(self.sha256)
            raise UploadMismatchError(node, path=self.target)
        check(node, "upload-receive", result, path=self.target)
        self.meter.finish()


async def send(source: Source, channel: asyncssh.SSHClientChannel[bytes], exchange: Exchange, meter: Meter) -> None:
    """Send what is left of a source, reading ahead by one block; returns early when the channel closes.

    Raises `SourceError`, and `TimeoutError` when the host takes nothing for `STALL_LIMIT_S`.
    """
    following = asyncio.ensure_future(source.block())
    try:
        while block := await following:
            following = asyncio.ensure_future(source.block())
            for start in range(0, len(block), _WRITE_BYTES):
                async with asyncio.timeout(STALL_LIMIT_S):
                    await exchange.writable()
                if exchange.ended or channel.is_closing():
                    return
                part = block[start : start + _WRITE_BYTES]
                channel.write(part)
                meter.add(len(part))
        if not exchange.ended:
            channel.write_eof()
    finally:
        if not following.done():
            following.cancel()
        await asyncio.gather(following, return_exceptions=True)
