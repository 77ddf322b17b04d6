"""One command on one SSH channel: bytes in, bytes out, with what login shells print around it cut off."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import cast

from rbdtui.transport.base import CommandResult, TransportError
from rbdtui.transport.library import asyncssh
from rbdtui.transport.scripts import OUTPUT_MARK

_MOST_ERROR_BYTES = 256 * 1024
"""Of standard error the last part is kept."""


class LinkLostError(Exception):
    """The channel ended without an exit status."""


class OutputLimitError(Exception):
    """Standard output grew over its limit."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(limit_bytes)
        self.limit_bytes = limit_bytes


class Exchange(asyncssh.SSHClientSession[bytes]):
    """Collects what one command writes; both streams are held in memory, within limits.

    Everything before `OUTPUT_MARK` is noise of the login shell. An error in ``on_line`` ends the exchange and is
    raised by `finish`; asyncssh would take it for a reason to drop the whole connection.
    """

    def __init__(
        self,
        *,
        output_limit_bytes: int,
        on_line: Callable[[str], None] | None = None,
        whole_output: bool = False,
        tag: str = "",
    ) -> None:
        self.tag = tag
        """What the command's processes are known by on the host."""
        self.given_up = False
        """Whether it is being ended on the host as it does not begin."""
        self.ending: asyncio.Task[None] | None = None
        """Ends the command on the host where it was given up."""
        self.verdict: TransportError | None = None
        """What is to be said of a command that never began, or that could not be ended."""
        self._limit_bytes = output_limit_bytes
        self._on_line = on_line
        self._out = bytearray()
        self._error_out = bytearray()
        self._start: int | None = 0 if whole_output else None
        self._sign: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._marked = False
        self._next_line = 0
        self._searched = 0
        self._failure: Exception | None = None
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._closed = asyncio.get_running_loop().create_future()
        self._writable = asyncio.Event()
        self._writable.set()
        self._began_at = time.monotonic()

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        self._channel = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._failure is not None:
            return
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._error_out += data
            if len(self._error_out) > 2 * _MOST_ERROR_BYTES:
                del self._error_out[:-_MOST_ERROR_BYTES]
            return
        self._out += data
        if len(self._out) > self._limit_bytes:
            self._fail(OutputLimitError(self._limit_bytes))
        else:
            self._tell_lines()

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        self._give_sign()
        if not self._closed.done():
            self._closed.set_result(None)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    @property
    def ended(self) -> bool:
        """Whether the channel is closed."""
        return self._closed.done()

    @property
    def connection(self) -> asyncssh.SSHClientConnection | None:
        """The connection that carries it."""
        return None if self._channel is None else cast(asyncssh.SSHClientConnection, self._channel.get_connection())

    @property
    def silent(self) -> bool:
        """Whether nothing has shown yet that the login shell came to its command, and the channel is open."""
        return not self._sign.done()

    @property
    def answered(self) -> bool:
        """Whether the login shell came to its command: the script ran, or it ended with an exit status of its own."""
        if self._marked or self._channel is None:
            return self._marked
        status = self._channel.get_exit_status()
        return not self.given_up and status is not None and status >= 0

    @property
    def age_s(self) -> float:
        """Seconds since it was made."""
        return time.monotonic() - self._began_at

    async def sign(self) -> None:
        """Wait until the script itself runs, or the channel is closed."""
        await asyncio.shield(self._sign)

    async def closed(self) -> None:
        """Wait until the channel is closed."""
        await asyncio.shield(self._closed)

    def on_sign(self, call: Callable[[], None]) -> None:
        """Have something called when the script itself runs, or the channel is closed."""
        self._sign.add_done_callback(lambda _: call())

    def abandon(self) -> None:
        """Wait for no sign any more."""
        self._give_sign()

    def kill(self) -> None:
        """Ask sshd to kill the command."""
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.kill()

    async def writable(self) -> None:
        """Wait until more may be written; returns at once when the channel is closed."""
        await self._writable.wait()

    async def finish(self) -> CommandResult:
        """Wait for the end; raises `LinkLostError`, `OutputLimitError` or what ``on_line`` raised."""
        await self.closed()
        if self._failure is not None:
            raise self._failure
        assert self._channel is not None
        status = self._channel.get_exit_status()
        if status is None:
            raise LinkLostError
        self._tell_last_line()
        return CommandResult(
            exit_status=status,
            stdout=bytes(self._out[self._start :]) if self._start is not None else b"",
            stderr=_after_mark(bytes(self._error_out)),
            duration_s=time.monotonic() - self._began_at,
        )

    @property
    def started(self) -> bool:
        """Whether the script itself began to run: only then is there an `OUTPUT_MARK`."""
        return self._start is not None

    @property
    def noise(self) -> str:
        """What came instead of a script's output, both streams."""
        return (bytes(self._out[:4096]) + bytes(self._error_out[:4096])).decode("utf-8", "replace").strip()

    def stop(self) -> None:
        """Close the channel; the command itself may go on until its time limit."""
        if self._channel is not None:
            with contextlib.suppress(OSError):
                self._channel.abort()

    def _give_sign(self) -> None:
        if not self._sign.done():
            self._sign.set_result(None)

    def _tell_lines(self) -> None:
        if self._start is None:
            place = self._out.find(OUTPUT_MARK, max(0, self._next_line - len(OUTPUT_MARK)))
            if place < 0:
                self._next_line = len(self._out)
                return
            self._start = self._next_line = place + len(OUTPUT_MARK)
            self._marked = True
            self._give_sign()
        if self._on_line is None:
            return
        while (end := self._out.find(b"\n", max(self._next_line, self._searched))) >= 0:
            line = bytes(self._out[self._next_line : end])
            self._next_line = end + 1
            self._tell(line)
        self._searched = len(self._out)

    def _tell_last_line(self) -> None:
        if self._on_line is not None and self._start is not None and self._next_line < len(self._out):
            self._tell(bytes(self._out[self._next_line :]))
            if self._failure is not None:
                raise self._failure

    def _tell(self, line: bytes) -> None:
        assert self._on_line is not None
        if self._failure is None:
            try:
                self._on_line(line.decode("utf-8", "replace").removesuffix("\r"))
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        # sshd closes its side only when the command ends, which may be much later.
        self._failure = error
        self.stop()
        self.connection_lost(None)


def _after_mark(data: bytes) -> bytes:
    return data.partition(OUTPUT_MARK)[2] if OUTPUT_MARK in data else data
