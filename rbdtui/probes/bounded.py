"""A blocking socket for a library that knows nothing of event loops: limited in bytes, and closed with the block."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final

from rbdtui.probes.wire import Place, connect

_BLOCK_BYTES: Final = 64 * 1024


@contextlib.asynccontextmanager
async def bounded_socket(place: Place, *, limit_bytes: int, connect_s: float) -> AsyncIterator[socket.socket]:
    """A socket that leads to a place; it ends after so many bytes from there, and with the block at the latest.

    Raises `WireError` when there is no connection.
    """
    reader, writer = await connect(place, connect_s)
    ours, theirs = socket.socketpair()
    try:
        own_reader, own_writer = await asyncio.open_connection(sock=ours)
    except BaseException:
        ours.close()
        theirs.close()
        writer.transport.abort()
        raise
    there = asyncio.create_task(_pass_on(own_reader, writer, limit_bytes))
    back = asyncio.create_task(_pass_on(reader, own_writer, limit_bytes))
    try:
        yield theirs
    finally:
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        for end in (writer, own_writer):
            end.transport.abort()
        # Whoever still reads in a thread wakes up by this; a mere close would leave it waiting.
        with contextlib.suppress(OSError):
            theirs.shutdown(socket.SHUT_RDWR)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, limit_bytes: int) -> None:
    passed = 0
    with contextlib.suppress(OSError):
        while passed < limit_bytes and (block := await reader.read(_BLOCK_BYTES)):
            passed += len(block)
            writer.write(block)
            await writer.drain()
    if passed >= limit_bytes:
        writer.transport.abort()
        return
    with contextlib.suppress(OSError, RuntimeError):
        writer.write_eof()
