"""The protocol of MySQL's clients, as far as a login by ``mysql_native_password`` and questions in text go.

Source: MySQL internals manual, Connection Phase (Protocol::HandshakeV10, native 4.1 authentication) and Text Protocol.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

_CAPABILITIES: Final = 0x00000001 | 0x00000008 | 0x00000200 | 0x00002000 | 0x00008000 | 0x00080000
"""Long password, connect with a database, protocol 4.1, transactions, secure connection, plug-ins."""
_PLUGIN: Final = b"mysql_native_password"
_UTF8MB4: Final = 45
_AUTOCOMMIT: Final = 0x0002
_VAR_STRING, _LONGLONG = 253, 8
_QUERY, _QUIT = 3, 1


class MysqlError(Exception):
    """What the server answers instead."""

    def __init__(self, number: int, words: str) -> None:
        super().__init__(words)
        self.number, self.words = number, words


@dataclass(frozen=True, slots=True)
class Rows:
    """An answer: columns, and rows with as many values."""

    names: Sequence[str]
    rows: Sequence[Sequence[str | int | None]]


def kept_bytes(password: bytes) -> bytes:
    """What a server keeps of a password."""
    return _sha1(_sha1(password))


def _sha1(content: bytes) -> bytes:
    return hashlib.sha1(content, usedforsecurity=False).digest()


class _Link:
    """Packets of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer, self._number = reader, writer, 0

    async def read(self) -> bytes:
        head = await self._reader.readexactly(4)
        self._number = head[3] + 1
        return await self._reader.readexactly(int.from_bytes(head[:3], "little"))

    def send(self, body: bytes) -> None:
        self._writer.write(len(body).to_bytes(3, "little") + bytes([self._number & 0xFF]) + body)
        self._number += 1

    def ok(self) -> None:
        self.send(b"\0\0\0" + _AUTOCOMMIT.to_bytes(2, "little") + b"\0\0")

    def error(self, error: MysqlError) -> None:
        self.send(b"\xff" + error.number.to_bytes(2, "little") + b"#HY000" + error.words.encode())

    def rows(self, found: Rows) -> None:
        end = b"\xfe\0\0" + _AUTOCOMMIT.to_bytes(2, "little")
        self.send(_length(len(found.names)))
        for place, name in enumerate(found.names):
            numbers = bool(found.rows) and all(isinstance(row[place], int) for row in found.rows)
            kind = _LONGLONG if numbers else _VAR_STRING
            fixed = _UTF8MB4.to_bytes(2, "little") + (1024).to_bytes(4, "little") + bytes([kind]) + b"\0" * 5
            self.send(b"".join(map(_text, (b"def", b"", b"", b"", name.encode(), name.encode()))) + b"\x0c" + fixed)
        self.send(end)
        for row in found.rows:
            self.send(b"".join(b"\xfb" if value is None else _text(str(value).encode()) for value in row))
        self.send(end)


def _length(number: int) -> bytes:
    return bytes([number]) if number < 251 else b"\xfc" + number.to_bytes(2, "little")


def _text(content: bytes) -> bytes:
    return _length(len(content)) + content


async def serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    version: str,
    kept: Callable[[str], str | None],
    session: Callable[[str], Callable[[str], Rows | None]],
) -> None:
    """One connection, to its end; ``kept`` has what a user's password is compared with, None for nobody."""
    link = _Link(reader, writer)
    try:
        user = await _login(link, version, kept)
        execute = session(user) if user else None
        while execute is not None:
            link._number = 0
            packet = await link.read()
            if packet[0] == _QUIT:
                break
            _answer(link, packet, execute)
            await writer.drain()
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def _answer(link: _Link, packet: bytes, execute: Callable[[str], Rows | None]) -> None:
    if packet[0] != _QUERY:
        link.ok()
        return
    try:
        found = execute(packet[1:].decode("utf-8", "replace"))
    except MysqlError as error:
        link.error(error)
        return
    if found is None:
        link.ok()
    else:
        link.rows(found)


async def _login(link: _Link, version: str, kept: Callable[[str], str | None]) -> str:
    """Who has logged in; empty when nobody has."""
    salt = bytes(secrets.choice(range(33, 127)) for _ in range(20))
    low, high = _CAPABILITIES & 0xFFFF, _CAPABILITIES >> 16
    link.send(
        b"\x0a" + version.encode() + b"\0" + (8).to_bytes(4, "little") + salt[:8] + b"\0" + low.to_bytes(2, "little")
        + bytes([_UTF8MB4]) + _AUTOCOMMIT.to_bytes(2, "little") + high.to_bytes(2, "little") + bytes([21])
        + b"\0" * 10 + salt[8:] + b"\0" + _PLUGIN + b"\0"
    )  # fmt: skip
    answer = await link.read()
    user, _, rest = answer[32:].partition(b"\0")
    token = rest[1 : 1 + rest[0]]
    name = user.decode("utf-8", "replace")
    if _is_right(token, salt, kept(name)):
        link.ok()
        return name
    using = "YES" if token else "NO"
    link.error(MysqlError(1045, f"Access denied for user '{name}'@'127.0.0.1' (using password: {using})"))
    return ""


def _is_right(token: bytes, salt: bytes, kept: str | None) -> bool:
    if kept is None:
        return False
    stage = bytes.fromhex(kept[1:])
    mask = _sha1(salt + stage)
    return len(token) == len(mask) and _sha1(bytes(a ^ b for a, b in zip(token, mask, strict=True))) == stage
