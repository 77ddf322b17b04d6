"""The cable between a client and a simulated sshd: delay, rate, silence."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

from rbdtui.listening import listen
from rbdtui.simulator.pace import Pace

_CHUNK_BYTES = 256 * 1024


class Link:
    """What lies between all clients and one machine."""

    def __init__(self, pace: Pace, *, rate_bytes_per_s: float | None = None) -> None:
        self._pace = pace
        self._plugged = asyncio.Event()
        self._plugged.set()
        self.delay_s = 0.0
        """Added to every direction, in simulated seconds."""
        self.rate_bytes_per_s = rate_bytes_per_s
        """Of the way to the machine, in simulated seconds; None: as fast as it goes."""

    def cut(self) -> None:
        """Let nothing through, and say nothing."""
        self._plugged.clear()

    def mend(self) -> None:
        """Let through what waited, and all that follows."""
        self._plugged.set()

    async def carry(self, size_bytes: int, rate_bytes_per_s: float | None) -> None:
        """Take as long as this many bytes take."""
        await self._plugged.wait()
        wait_s = self.delay_s + (size_bytes / rate_bytes_per_s if rate_bytes_per_s else 0.0)
        if wait_s:
            await self._pace.sleep(wait_s)
        await self._plugged.wait()


class Cable:
    """Takes connections on a loopback address and brings them, through the link, to a server on a socket."""

    def __init__(self, link: Link, serve: Callable[[socket.socket], Awaitable[None]]) -> None:
        self._link, self._serve = link, serve
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def listen(self, address: str, port: int) -> int:
        """Begin to take connections; the port, which is a free one when 0 was asked for. Raises `OSError`."""
        self._server = await listen(self._accept, address, port, backlog=256, limit_bytes=_CHUNK_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Take no more connections and drop those that are open."""
        if self._server is not None:
            self._server.close()
        self.drop()

    def drop(self) -> None:
        """Break every open connection."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ours, theirs = socket.socketpair()
        inner_reader, inner_writer = await asyncio.open_connection(sock=ours, limit=_CHUNK_BYTES)
        self._open |= {writer, inner_writer}
        taken = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                serving = tasks.create_task(self._hand_over(theirs, taken))
                tasks.create_task(self._pump(reader, inner_writer, self._link.rate_bytes_per_s))
                await self._pump(inner_reader, writer, None)
                serving.cancel()
        finally:
            self._open -= {writer, inner_writer}
            for end in (writer, inner_writer):
                end.transport.abort()
            # Who comes and goes at once is gone before anybody serves him.
            if not taken.is_set():
                theirs.close()

    async def _hand_over(self, end: socket.socket, taken: asyncio.Event) -> None:
        taken.set()
        with contextlib.suppress(OSError):
            await self._serve(end)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: float | None) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                await self._link.carry(len(data), rate)
                writer.write(data)
                await writer.drain()
        writer.close()
