"""One connection through a balancer to a listener of ours, and what came back."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
import time
from dataclasses import dataclass
from enum import StrEnum
from math import inf
from typing import Final

from rbdtui.facts.ports import socket_address
from rbdtui.probes.wire import Place, trusting_context

HOLD_MARK: Final = "hold-rbdtui"
"""A listener that reads this speaks once more after a silence (scripts/balancer-answer.sh)."""
_ANSWER: Final = re.compile(rb"rbdtui ([0-9a-f]{16}) (\S{1,60}) ([0-9a-f]{2,8192})\n")
_AGAIN: Final = b"rbdtui again"
_LIMIT_BYTES: Final = 16 * 1024
_TLS_RECORDS: Final = (b"\x15\x03", b"\x16\x03")
"""How an alert and a handshake begin (RFC 8446, 5.1)."""
_NO_SERVER: Final = re.compile(rb"HTTP/1\.[01] 50[234]\b")


class Outcome(StrEnum):
    """What became of a connection through the balancer."""

    ANSWERED = "answered"
    REFUSED = "refused"
    FILTERED = "filtered"
    ROUTE = "route"
    EMPTY = "empty"
    """The balancer took the connection, and nothing came out of it: it reaches no server."""
    TLS = "tls"
    """Somebody before our listener speaks TLS."""
    CHANGED = "changed"
    """Our listener got other bytes than were sent."""
    OTHER = "other"
    """Somebody else answered."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What one connection brought."""

    outcome: Outcome
    token: str = ""
    peer: str = ""
    """The address that the listener saw; empty when the host could not tell."""
    evidence: str = ""


def payload(address: str, *, tls: bool, hold: bool = False) -> bytes:
    """What is sent: the beginning of TLS where the port carries it, else a request that balancers of HTTP pass on."""
    mark = HOLD_MARK if hold else "rbdtui"
    if not tls:
        return f"GET /{mark} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode("ascii")
    outgoing = ssl.MemoryBIO()
    client = trusting_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=f"{mark}.invalid")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


async def call(place: Place, sent: bytes, *, limit_s: float) -> Reply:
    """Connect, send, and look at what comes back within the limit."""
    data = b""
    try:
        async with asyncio.timeout(limit_s):
            reader, writer = await asyncio.open_connection(place.address, place.port)
            try:
                writer.write(sent)
                while not _is_whole(data) and (block := await reader.read(4096)):
                    data += block
            finally:
                writer.transport.abort()
    except (TimeoutError, OSError) as error:
        if not data:
            return Reply(Outcome.EMPTY, evidence=str(error) or f"nothing within {limit_s:g} s")
    return read_reply(data, sent)


def _is_whole(data: bytes) -> bool:
    return _ANSWER.search(data) is not None or data[:2] in _TLS_RECORDS or len(data) > _LIMIT_BYTES


def read_reply(data: bytes, sent: bytes) -> Reply:
    """What an answer says, given what was sent for it."""
    if not data:
        return Reply(Outcome.EMPTY, evidence="closed without an answer")
    if match := _ANSWER.search(data):
        token, peer, received = match[1].decode(), _peer(match[2].decode("latin-1")), match[3].decode()
        is_http = sent.startswith(b"GET ")
        # What came first may be the first packet only.
        if is_http or sent.hex().startswith(received):
            return Reply(Outcome.ANSWERED, token, peer)
        began = bytes.fromhex(received[: len(received) // 2 * 2])[:100]
        return Reply(Outcome.CHANGED, token, peer, repr(began)[2:-1])
    if data[:2] in _TLS_RECORDS:
        return Reply(Outcome.TLS, evidence=f"TLS record: {data[:16].hex(' ')}")
    outcome = Outcome.EMPTY if _NO_SERVER.match(data) else Outcome.OTHER
    return Reply(outcome, evidence=data[:300].decode("utf-8", "replace"))


def _peer(written: str) -> str:
    """The address of ``ADDRESS:PORT`` in the kernel's hexadecimal digits; empty for anything else."""
    digits = written.partition(":")[0]
    if not re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{32}", digits):
        return ""
    return socket_address(digits)


async def hold(place: Place, sent: bytes, *, silence_s: float) -> float | None:
    """Keep a connection silent; after how many seconds it was cut, ``inf`` when it was not, None when unknown.

    The listener speaks again after ``silence_s``. One that is slow to do so cannot be told from a silent cut.
    """
    data, began = b"", 0.0
    try:
        async with asyncio.timeout(silence_s + 5):
            reader, writer = await asyncio.open_connection(place.address, place.port)
            try:
                writer.write(sent)
                while _AGAIN not in data and (block := await reader.read(4096)):
                    data = (data + block)[-_LIMIT_BYTES:]
                    if not began and _ANSWER.search(data):
                        began = time.monotonic()
            finally:
                writer.transport.abort()
    except TimeoutError:
        return None
    except OSError:
        pass  # a reset is a cut as well
    if _AGAIN in data:
        return inf
    return time.monotonic() - began if began else None
