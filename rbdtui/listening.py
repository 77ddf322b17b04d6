"""Ports opened so that nothing stays open for somebody who is told to stop meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None] | None]
STREAM_LIMIT_BYTES = 2**16


async def listen(
    serve: Serve,
    address: str = "127.0.0.1",
    port: int = 0,
    *,
    tls: ssl.SSLContext | None = None,
    backlog: int = 100,
    limit_bytes: int = STREAM_LIMIT_BYTES,
) -> asyncio.Server:
    """Begin to take connections, on a free port when 0 is asked for; raises `OSError`.

    `asyncio.start_server` gives its caller nothing to close when it is cancelled while it begins.
    """
    server = await asyncio.start_server(
        serve, address, port, ssl=tls, backlog=backlog, limit=limit_bytes, start_serving=False
    )
    try:
        await server.start_serving()
    except BaseException:
        server.close()
        raise
    return server
