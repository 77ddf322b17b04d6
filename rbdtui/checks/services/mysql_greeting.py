"""The first packet of a MySQL server, read by ourselves: whatever answers there instead is told as what it is."""

from __future__ import annotations

import asyncio
from typing import Final

from rbdtui.checks.services.mysql_answer import Greeting, MysqlAnswer, Stop
from rbdtui.probes.wire import Place

_LONGEST_BYTES: Final = 2048
"""A greeting has about a hundred bytes; errors at this point have a line of text."""
_PROTOCOL: Final = 10
_ERROR: Final = 0xFF
_TLS: Final = 0x0800
_SHOWN: Final = 200


async def greet(place: Place, *, connect_s: float, answer_s: float) -> MysqlAnswer:
    """Connect and read the greeting. Raises `OSError` without a connection."""
    async with asyncio.timeout(connect_s):
        reader, writer = await asyncio.open_connection(place.address, place.port)
    head = body = b""
    try:
        async with asyncio.timeout(answer_s):
            head = await reader.readexactly(4)
            length = int.from_bytes(head[:3], "little")
            if head[3] == 0 and 0 < length <= _LONGEST_BYTES:
                body = await reader.readexactly(length)
            else:
                head += await reader.read(_SHOWN)
    except TimeoutError:
        return MysqlAnswer(stop=Stop.OTHER if head else Stop.SILENT, detail=_shown(head))
    except asyncio.IncompleteReadError as error:
        rest = head + error.partial
        return MysqlAnswer(stop=Stop.OTHER if rest else Stop.BROKEN, detail=_shown(rest))
    except OSError as error:
        return MysqlAnswer(stop=Stop.BROKEN, detail=str(error))
    finally:
        writer.transport.abort()
    return _meaning(head, body)


def offers_tls(body: bytes) -> bool:
    """Whether a first packet, without its head, is a greeting of a server that can change to TLS."""
    greeting = _greeting(body) if body[:1] == bytes([_PROTOCOL]) else None
    return greeting is not None and greeting.offers_tls


def _meaning(head: bytes, body: bytes) -> MysqlAnswer:
    if body[:1] == bytes([_ERROR]) and len(body) > 3:
        number = int.from_bytes(body[1:3], "little")
        text = body[9:] if body[3:4] == b"#" else body[3:]
        return MysqlAnswer(stop=Stop.TURNED_AWAY, error=number, detail=text.decode("utf-8", "replace")[:_SHOWN])
    greeting = _greeting(body) if body[:1] == bytes([_PROTOCOL]) else None
    if greeting is None:
        return MysqlAnswer(stop=Stop.OTHER, detail=_shown(head + body))
    return MysqlAnswer(greeting=greeting)


def _greeting(body: bytes) -> Greeting | None:
    """Protocol::HandshakeV10: version, thread, 8 bytes of salt, flags in two halves, method of the login."""
    version, ended, rest = body[1:].partition(b"\0")
    if not ended or not version[:1].isdigit() or len(version) > 64 or len(rest) < 15:
        return None
    flags = int.from_bytes(rest[13:15], "little")
    # Flags' lower half, character set, status, flags' upper half, length of the salt, ten bytes in reserve.
    salt_length = max(13, (rest[20] if len(rest) > 20 else 0) - 8)
    plugin = rest[31 + salt_length :].partition(b"\0")[0]
    # MariaDB puts 5.5.5- before its own version here, for replicas of old.
    shown = version.decode("ascii", "replace").removeprefix("5.5.5-")
    return Greeting(shown, plugin.decode("ascii", "replace")[:64], bool(flags & _TLS))


def _shown(raw: bytes) -> str:
    return raw[:_SHOWN].decode("utf-8", "backslashreplace")
