"""Something that listens where a runner would, and writes down what it is told."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from rbdtui.engine.protocol import SOCKET_NAME, Request, socket_address


@asynccontextmanager
async def listening(run_dir: Path, obey: Callable[[Request], None] = lambda _: None) -> AsyncIterator[list[Request]]:
    """Take commands for the time of the block; the list grows with them, and each is obeyed before it is answered."""
    told: list[Request] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = Request.of_line(await reader.readline())
        told.append(request)
        obey(request)
        writer.write(json.dumps({"ok": True, "run": run_dir.name, "pid": 1, "seq": 1}).encode() + b"\n")
        await writer.drain()
        writer.close()

    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with socket_address(run_dir) as address:
        listener.bind(address)
    server = await asyncio.start_unix_server(serve, sock=listener)
    try:
        yield told
    finally:
        server.close()
        (run_dir / SOCKET_NAME).unlink(missing_ok=True)
