"""Ports opened so that nothing stays open for somebody who is told to stop meanwhile."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from typing import Any

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None] | None]
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

    `asyncio.start_server` gives its caller nothing to close when it is cancelled while it begins, and leaves a
    connection open whose handler is cancelled before its first step.
    """
    server = await asyncio.start_server(
        _Serving(serve), address, port, ssl=tls, backlog=backlog, limit=limit_bytes, start_serving=False
    )
    try:
        await server.start_serving()
    except BaseException:
        server.close()
        raise
    return server


class _Serving:
    """Hands connections to a handler, and closes those whose handler broke or was given up."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        work = self._serve(reader, writer)
        if work is None:
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._ended(done, writer))

    def _ended(self, task: asyncio.Task[None], writer: asyncio.StreamWriter) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            writer.close()
        elif (error := task.exception()) is not None:
            context = {"message": "a handler of connections broke", "exception": error, "transport": writer.transport}
            task.get_loop().call_exception_handler(context)
            writer.close()
