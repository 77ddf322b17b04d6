"""Something that listens where a runner would, and writes down what it is told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from rbdtui.engine.protocol import SOCKET_NAME, Command, Request, socket_address


@asynccontextmanager
async def listening(run_dir: Path, obey: Callable[[Request], None] = lambda _: None) -> AsyncIterator[list[Request]]:
    """Take commands for the time of the block; the list grows with them, and each is obeyed before it is answered.

    Whoever asks whether it is well is answered and not noted.
    """
    told: list[Request] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = Request.of_line(await reader.readline())
        if request.command is not Command.PING:
            told.append(request)
            obey(request)
        writer.write(json.dumps({"ok": True, "run": run_dir.name, "pid": 1, "seq": 1}).encode() + b"\n")
        await writer.drain()
        writer.close()

    with _bound(run_dir) as listener:
        server = await asyncio.start_unix_server(serve, sock=listener)
        try:
            yield told
        finally:
            server.close()


@contextmanager
def hanging(run_dir: Path) -> Iterator[None]:
    """Somebody listens for the time of the block, and does nothing."""
    with _bound(run_dir) as listener:
        listener.listen()
        yield


@contextmanager
def _bound(run_dir: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with socket_address(run_dir) as address:
            listener.bind(address)
        try:
            yield listener
        finally:
            (run_dir / SOCKET_NAME).unlink(missing_ok=True)
