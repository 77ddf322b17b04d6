"""An HTTP server on loopback for what listens on simulated machines: real sockets, and TLS where it has a context."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

from rbdtui.listening import listen

REQUEST_LIMIT_S: Final = 30.0
_MOST_BODY_BYTES: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request."""

    path: str
    """Without the query."""
    headers: Mapping[str, str]
    """Names in lower case."""
    client: str
    """Common name of the client's certificate; empty when it showed none."""
    method: str = "GET"
    query: Mapping[str, str] = field(default_factory=dict)
    """Of a key that comes twice, the last."""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    """What comes after the body for as long as it goes on."""


def json_response(status: int, body: object) -> Response:
    """An answer in JSON."""
    return Response(status, json.dumps(body).encode(), "application/json")


class HttpServer:
    """HTTP, or HTTPS with a context, on a free loopback port; ``answer`` is asked for every request."""

    def __init__(self, context: ssl.SSLContext | None, answer: Callable[[Request], Response]) -> None:
        self._context, self._answer = context, answer
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> tuple[str, int]:
        """Begin to listen; address and port."""
        self._server = await listen(self._serve, tls=self._context)
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    def stop(self) -> None:
        """Stop to listen and drop all connections."""
        if self._server is not None:
            self._server.close()
        for writer in list(self._open):
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            async with asyncio.timeout(REQUEST_LIMIT_S * 20):
                while await self._one(reader, writer):
                    pass
        except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            writer.transport.abort()
        finally:
            self._open.discard(writer)
            writer.close()
            with contextlib.suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, version = head[0].split(" ")
        headers = {name.strip().lower(): value.strip() for name, _, value in (h.partition(":") for h in head[1:] if h)}
        length = int(headers.get("content-length", "0"))
        if length > _MOST_BODY_BYTES:
            raise ValueError("the body is too long")
        path, _, query = target.partition("?")
        words = dict(parse_qsl(query, keep_blank_values=True))
        body = await reader.readexactly(length)
        response = self._answer(Request(path, headers, common_name(writer), method, words, body))
        keep = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        if response.stream is not None:
            return await _send_stream(reader, writer, response, response.stream) and keep
        writer.write(
            f"{_first_lines(response)}Content-Length: {len(response.body)}\r\n"
            f"Connection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()
            + response.body
        )
        await writer.drain()
        return keep


def _first_lines(response: Response) -> str:
    phrase = HTTPStatus(response.status).phrase
    more = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 {response.status} {phrase}\r\nContent-Type: {response.content_type}\r\n{more}"


async def _send_stream(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, response: Response, stream: AsyncIterator[bytes]
) -> bool:
    """Send in chunks what comes, until it ends or the peer goes or says more; whether the connection is still good."""
    writer.write(f"{_first_lines(response)}Transfer-Encoding: chunked\r\n\r\n".encode())
    sending = asyncio.ensure_future(_send_chunks(writer, stream))
    going = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({sending, going}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
        return sending.done() and not going.done()
    finally:
        for task in (sending, going):
            task.cancel()
        await asyncio.gather(sending, going, return_exceptions=True)


async def _send_chunks(writer: asyncio.StreamWriter, stream: AsyncIterator[bytes]) -> None:
    async for piece in stream:
        writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def common_name(writer: asyncio.StreamWriter) -> str:
    """Of the certificate that a client showed."""
    certificate = writer.get_extra_info("peercert") or {}
    names = [value for part in certificate.get("subject", ()) for key, value in part if key == "commonName"]
    return str(names[0]) if names else ""
