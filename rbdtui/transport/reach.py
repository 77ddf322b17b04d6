"""TCP connections made by a host's sshd for us: to see whether something can be reached, or to use it from here."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from rbdtui.listening import listen
from rbdtui.transport.base import NotReachedError, Reach, ReachResult, TransportError
from rbdtui.transport.channel_stream import Stream, channel_stream
from rbdtui.transport.library import asyncssh

_BLOCK_BYTES: Final = 64 * 1024
_NO_INODE: Final = "0"
"""Of an end that no process holds any more; its user is then told as 0 (Linux, net/ipv4/tcp_ipv4.c)."""

Connect = Callable[[], Awaitable[asyncssh.SSHClientConnection]]


async def try_reach(
    connection: asyncssh.SSHClientConnection, address: str, port: int, *, timeout_s: float
) -> ReachResult:
    """Ask sshd to connect; its answer says how that ended, in the words of the host's C library.

    Raises `asyncssh.ChannelOpenError` when the SSH connection itself is lost.
    """
    began_at = time.monotonic()
    opening = asyncio.ensure_future(connection.open_connection(address, port))
    # An opening that is cut short would stay open on the host if the answer still came.
    opening.add_done_callback(_close_again)
    try:
        await asyncio.wait({opening}, timeout=timeout_s)
        if opening.done():
            opening.result()
        reach, detail = (Reach.OPEN if opening.done() else Reach.TIMED_OUT), ""
    except asyncssh.ChannelOpenError as error:
        if connection.is_closed():
            raise
        reach, detail = _meaning(error), error.reason[:300]
    return ReachResult(reach, (time.monotonic() - began_at) * 1000, detail)


async def dialled(connection: asyncssh.SSHClientConnection, address: str, port: int, *, timeout_s: float) -> Stream:
    """A stream whose other end sshd has connected to something.

    Raises `NotReachedError`, and `asyncssh.ChannelOpenError` when the SSH connection itself is lost.
    """
    began_at = time.monotonic()
    session, stream = channel_stream()
    # An opening that is cut short is let go on: what comes of it finds the stream given up, and is closed, too.
    opening = asyncio.ensure_future(connection.create_connection(lambda: session, address, port))
    opening.add_done_callback(_forget)
    try:
        await asyncio.wait({opening}, timeout=timeout_s)
        if not opening.done():
            raise TimeoutError
        opening.result()
    except BaseException as error:
        session.transport.abort()
        taken_ms = (time.monotonic() - began_at) * 1000
        if isinstance(error, TimeoutError):
            raise NotReachedError(ReachResult(Reach.TIMED_OUT, taken_ms)) from None
        if isinstance(error, asyncssh.ChannelOpenError) and not connection.is_closed():
            raise NotReachedError(ReachResult(_meaning(error), taken_ms, error.reason[:300])) from None
        raise
    return stream


def _forget(opening: asyncio.Task[Any]) -> None:
    """An error of one that nobody waits for any more is nobody's."""
    if not opening.cancelled():
        opening.exception()


def _close_again(opening: asyncio.Future[tuple[asyncssh.SSHReader[bytes], asyncssh.SSHWriter[bytes]]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].close()


def _meaning(error: asyncssh.ChannelOpenError) -> Reach:
    text = error.reason.lower()
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        return Reach.FORBIDDEN
    if "refused" in text:
        return Reach.REFUSED
    if "timed out" in text:
        return Reach.TIMED_OUT
    return Reach.UNREACHABLE


@contextlib.asynccontextmanager
async def forwarded_port(connect: Connect, address: str, port: int) -> AsyncIterator[int]:
    """Listen on a free loopback port; every connection to it is made anew by the host, also after a lost link.

    Other users of this machine reach the port as well as we do; whoever is not us is hung up on.
    """
    running: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not is_own_connection(writer.get_extra_info("peername")[1], writer.get_extra_info("sockname")[1]):
            writer.transport.abort()
            return
        task = asyncio.create_task(_relay(connect, address, port, reader, writer))
        running.add(task)

        def over(done: asyncio.Task[None]) -> None:
            running.discard(done)
            # One that was given up while it was still connecting, or had not begun, has closed nothing.
            if done.cancelled():
                writer.transport.abort()

        task.add_done_callback(over)

    server = await listen(serve)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def is_own_connection(from_port: int, to_port: int) -> bool:
    """Whether the process at the other end of a connection over 127.0.0.1 is one of this user's.

    The kernel tells of each end whose it is (proc(5), ``/proc/net/tcp``); an end that was closed is nobody's.
    """
    # The table may have thousands of lines, and health asks this for every connection: only the line is taken apart.
    ends = f": 0100007F:{from_port:04X} 0100007F:{to_port:04X} "
    try:
        with open("/proc/self/net/tcp", encoding="ascii") as table:
            words = next((line for line in table if ends in line), "").split()
        return bool(words) and words[9] != _NO_INODE and int(words[7]) == os.geteuid()
    except (OSError, ValueError, IndexError):
        return False


async def _relay(
    connect: Connect, address: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        connection = await connect()
        far_reader, far_writer = await connection.open_connection(address, port)
    except (TransportError, OSError, asyncssh.Error):
        # Whoever connected here sees a closed connection.
        writer.close()
        return
    try:
        async with asyncio.TaskGroup() as both_ways:
            both_ways.create_task(_copy(reader, far_writer))
            both_ways.create_task(_copy(far_reader, writer))
    finally:
        far_writer.close()
        writer.close()


async def _copy(
    source: asyncio.StreamReader | asyncssh.SSHReader[bytes], sink: asyncio.StreamWriter | asyncssh.SSHWriter[bytes]
) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while block := await source.read(_BLOCK_BYTES):
            sink.write(block)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
