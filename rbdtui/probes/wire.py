"""One question over TCP, TLS or HTTP, answered or refused within a time limit, with what came back kept as evidence.

HTTP is spoken as version 1.0, so that the end of the connection is the end of the answer and no framing can surprise.
"""

from __future__ import annotations

import asyncio
import errno
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final, cast

from rbdtui.transport.base import Host, NotReachedError, Reach

BODY_LIMIT_BYTES: Final = 1 << 20
_EVIDENCE_CHARACTERS: Final = 2000
_LENGTH: Final = re.compile(r"[0-9]{1,18}")
_STATUS: Final = re.compile(r"[0-9]{3}(?![0-9])")


class ProbeFailure(StrEnum):
    """Why there is no answer."""

    REFUSED = "refused"
    """Nothing listens, or a packet filter says so."""
    TIMED_OUT = "timed-out"
    """No connection in time."""
    UNREACHABLE = "unreachable"
    """No route, or rejected with a message."""
    CLOSED = "closed"
    """The connection was taken and closed without an answer."""
    SILENT = "silent"
    """The connection was taken, and nothing came in time."""
    NOT_TLS = "not-tls"
    TLS_REFUSED = "tls-refused"
    """The other side speaks TLS and sent an alert."""
    CERTIFICATE = "certificate"
    """The certificate does not prove what was asked for."""
    NOT_HTTP = "not-http"

    @property
    def before_connection(self) -> bool:
        """Whether the target itself may never have been met."""
        return self in (ProbeFailure.REFUSED, ProbeFailure.TIMED_OUT, ProbeFailure.UNREACHABLE)


OF_REACH: Final = {
    Reach.REFUSED: ProbeFailure.REFUSED,
    Reach.TIMED_OUT: ProbeFailure.TIMED_OUT,
    Reach.UNREACHABLE: ProbeFailure.UNREACHABLE,
}
"""What a host that tried has found."""


class WireError(Exception):
    """A question without an answer."""

    def __init__(self, trouble: ProbeFailure, evidence: str = "") -> None:
        super().__init__(trouble.value, evidence)
        self.trouble = trouble
        self.evidence = evidence[:_EVIDENCE_CHARACTERS]


@dataclass(frozen=True, slots=True)
class Place:
    """Where to connect to."""

    address: str
    port: int
    host: Host | None = None
    """The node from which it is connected to; None for this process."""

    @property
    def via(self) -> str:
        """Its name; empty for straight from here."""
        return self.host.name if self.host is not None else ""

    @asynccontextmanager
    async def port_here(self) -> AsyncIterator[Place]:
        """For a library that connects by itself: this place, or a port that leads to it for the block."""
        if self.host is None:
            yield self
            return
        async with self.host.forward(self.address, self.port) as port:
            yield Place("127.0.0.1", port)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer; the body is cut at the limit."""

    status: int
    head: str
    body: bytes
    latency_ms: float
    """From the first packet to the last byte."""
    certificate: bytes = b""
    """The server's, DER; empty without TLS, or when it showed none."""

    @property
    def evidence(self) -> str:
        """Head and beginning of the body, raw."""
        return f"{self.head}\n\n{self.body.decode('utf-8', 'replace')}"[:_EVIDENCE_CHARACTERS]


@dataclass(frozen=True, slots=True)
class TlsAnswer:
    """A finished TLS handshake."""

    certificate: bytes
    """The server's, DER; empty when it showed none."""
    version: str
    latency_ms: float


def trusting_context() -> ssl.SSLContext:
    """TLS that takes any certificate: it asks whether somebody answers, never sends anything secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@cache
def shared_trusting_context() -> ssl.SSLContext:
    """The same for all who ask again and again, as making one takes longer than to shake hands; nobody changes it."""
    return trusting_context()


@asynccontextmanager
async def connection(
    place: Place, *, tls: ssl.SSLContext | None, server_name: str | None, connect_s: float, handshake_s: float
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection, with TLS when a context is given; dropped, not shut down, at the end. Raises `WireError`."""
    writer = None
    try:
        reader, writer = await connect(place, connect_s)
        if tls is not None:
            await _handshake(writer, tls, server_name or place.address, handshake_s)
        yield reader, writer
    finally:
        if writer is not None:
            writer.transport.abort()


async def connect(place: Place, limit_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection; raises `WireError`, and whatever keeps the place's host from trying."""
    if place.host is not None:
        return await _connect_from(place.host, place, limit_s)
    try:
        async with asyncio.timeout(limit_s):
            return await asyncio.open_connection(place.address, place.port)
    except TimeoutError:
        raise WireError(ProbeFailure.TIMED_OUT, f"no connection within {limit_s:g} s") from None
    except OSError as error:
        refused = isinstance(error, ConnectionRefusedError)
        timed_out = error.errno == errno.ETIMEDOUT
        trouble = ProbeFailure.REFUSED if refused else ProbeFailure.TIMED_OUT if timed_out else ProbeFailure.UNREACHABLE
        raise WireError(trouble, str(error)) from error


async def _connect_from(host: Host, place: Place, limit_s: float) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    try:
        return await host.dial(place.address, place.port, timeout_s=limit_s)
    except NotReachedError as error:
        if error.result.reach is Reach.FORBIDDEN:
            raise
        raise WireError(OF_REACH[error.result.reach], error.result.detail) from None


async def _handshake(writer: asyncio.StreamWriter, tls: ssl.SSLContext, server_name: str, limit_s: float) -> None:
    plain = writer.transport
    try:
        async with asyncio.timeout(limit_s):
            await writer.start_tls(tls, server_hostname=server_name, ssl_handshake_timeout=limit_s + 1)
    except TimeoutError:
        raise WireError(ProbeFailure.SILENT, f"no TLS answer within {limit_s:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise WireError(ProbeFailure.CERTIFICATE, error.verify_message or str(error)) from error
    except ssl.SSLError as error:
        raise WireError(_tls_trouble(error), str(error)) from error
    except OSError as error:
        raise WireError(ProbeFailure.CLOSED, str(error)) from error
    except AttributeError:
        # A connection that is lost in the very turn that ends the handshake leaves asyncio without a transport.
        if cast("asyncio.WriteTransport | None", writer.transport) is not None:
            raise
        writer._transport = plain  # type: ignore[attr-defined]
        raise WireError(ProbeFailure.CLOSED, "closed as soon as the TLS handshake was over") from None


async def shake_hands(writer: asyncio.StreamWriter, tls: ssl.SSLContext, server_name: str, limit_s: float) -> bytes:
    """Change an open connection to TLS; the server's certificate, DER, empty when it shows none. Raises `WireError`."""
    await _handshake(writer, tls, server_name, limit_s)
    return _certificate(writer.get_extra_info("ssl_object"))


def _tls_trouble(error: ssl.SSLError) -> ProbeFailure:
    reason = error.reason or ""
    if isinstance(error, ssl.SSLEOFError) or "UNEXPECTED_EOF" in reason:
        return ProbeFailure.CLOSED
    # OpenSSL names every alert of the other side after the version that brought it, e.g. TLSV1_UNRECOGNIZED_NAME.
    return ProbeFailure.TLS_REFUSED if reason.startswith(("TLSV1", "SSLV3")) else ProbeFailure.NOT_TLS


async def tls_hello(place: Place, *, server_name: str, connect_s: float, answer_s: float) -> TlsAnswer:
    """Shake hands and look at the server's certificate, whoever signed it; raises `WireError`."""
    begin = time.perf_counter()
    limits = {"connect_s": connect_s, "handshake_s": answer_s}
    async with connection(place, tls=shared_trusting_context(), server_name=server_name, **limits) as (_, writer):
        latency_ms = (time.perf_counter() - begin) * 1000
        tls: ssl.SSLObject = writer.get_extra_info("ssl_object")
        return TlsAnswer(_certificate(tls), tls.version() or "", latency_ms)


def _certificate(tls: ssl.SSLObject | None) -> bytes:
    return (tls.getpeercert(binary_form=True) or b"") if tls is not None else b""


async def http_get(
    place: Place,
    path: str,
    *,
    host: str,
    connect_s: float,
    answer_s: float,
    tls: ssl.SSLContext | None = None,
    server_name: str | None = None,
    token: str = "",
    body: bytes | None = None,
) -> HttpAnswer:
    """Ask for a path; any HTTP status is an answer, and no redirection is followed. Raises `WireError`.

    A ``token`` is shown as a bearer's, so ``tls`` must then prove the server. With a ``body`` (JSON) it is a POST.
    """
    begin = time.perf_counter()
    limits = {"connect_s": connect_s, "handshake_s": answer_s}
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body is not None else ""
    request = (
        f"{'GET' if body is None else 'POST'} {path} HTTP/1.0\r\nHost: {host}\r\nUser-Agent: rbdtui\r\nAccept: */*\r\n"
        f"{bearer}{content}\r\n"
    )
    async with connection(place, tls=tls, server_name=server_name, **limits) as (reader, writer):
        try:
            async with asyncio.timeout(answer_s):
                writer.write(request.encode("ascii") + (body or b""))
                status, head = await _read_head(reader)
                answer = await _read_body(reader, head)
                shown = _certificate(writer.get_extra_info("ssl_object"))
        except TimeoutError:
            raise WireError(ProbeFailure.SILENT, f"no answer within {answer_s:g} s") from None
        except ssl.SSLError as error:
            raise WireError(_tls_trouble(error), str(error)) from error
        except OSError as error:
            raise WireError(ProbeFailure.CLOSED, str(error)) from error
    return HttpAnswer(status, head, answer, (time.perf_counter() - begin) * 1000, shown)


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, str]:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        raw = error.partial
    except asyncio.LimitOverrunError as error:
        raw = await reader.read(error.consumed)
    if not raw:
        raise WireError(ProbeFailure.CLOSED)
    head = raw.decode("latin-1").strip()
    version, _, rest = head.partition(" ")
    if not version.startswith("HTTP/1") or not _STATUS.match(rest):
        raise WireError(ProbeFailure.NOT_HTTP, head)
    return int(rest[:3]), head


async def _read_body(reader: asyncio.StreamReader, head: str) -> bytes:
    """The body up to its announced length, the end of the connection, or the limit."""
    wanted = BODY_LIMIT_BYTES
    for line in head.splitlines()[1:]:
        name, _, value = line.partition(":")
        if name.lower() == "content-length" and _LENGTH.fullmatch(value.strip()):
            wanted = min(wanted, int(value))
    body = bytearray()
    while len(body) < wanted:
        try:
            piece = await reader.read(wanted - len(body))
        except ConnectionError:
            break
        if not piece:
            break
        body += piece
    return bytes(body)
