"""The members of a tar archive that comes as blocks, one after the other, with no more in memory than is asked for.

Python's own `tarfile` reads long names and PAX headers whole, however long they say they are, and remembers every
member. Formats: POSIX.1-2017 pax, ustar interchange format; GNU tar manual, basic tar format (types L and K).
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_BLOCK_BYTES: Final = 512
_LARGEST_HEADER_BYTES: Final = 1 << 20
"""Of what describes a member: a long name, PAX records."""
_LARGEST_HEADERS_BYTES: Final = 16 << 20
"""Of all such together."""
_MOST_MEMBERS: Final = 100_000
"""RKE2's archives have a thousand or two."""
_HARD_LINK, _SYMBOLIC_LINK = b"1", b"2"
_FILES: Final = {b"0", b"\0", b"7"}
_WITHOUT_CONTENT: Final = {b"1", b"2", b"3", b"4", b"5", b"6"}
"""Links, devices, directories and pipes, whatever size they say."""
_DESCRIPTIONS: Final = {b"L", b"K", b"x", b"g", b"X"}
_LARGEST_NUMBER: Final = 1 << 62


class TarError(Exception):
    """It is no tar archive, is broken off, or has what no archive of RKE2 has."""


class Stream:
    """Blocks of any length, read as one."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._block = memoryview(b"")

    def some(self, most_bytes: int) -> memoryview:
        """The next bytes, as many as are at hand and not more than asked for; empty only at the end."""
        while not self._block:
            block = next(self._blocks, None)
            if block is None:
                return self._block
            self._block = memoryview(block)
        part, self._block = self._block[:most_bytes], self._block[most_bytes:]
        return part

    def exactly(self, size_bytes: int) -> bytes:
        """As many bytes; raises `TarError` when there are fewer."""
        data = bytearray()
        while len(data) < size_bytes:
            part = self.some(size_bytes - len(data))
            if not part:
                raise TarError("ends in the middle")
            data += part
        return bytes(data)

    def skip(self, size_bytes: int) -> None:
        """Pass over as many bytes; raises `TarError` when there are fewer."""
        while size_bytes > 0:
            part = self.some(size_bytes)
            if not part:
                raise TarError("ends in the middle")
            size_bytes -= len(part)

    def drain(self) -> None:
        """Pass over all that is left."""
        while self.some(_LARGEST_HEADER_BYTES):
            pass


@dataclass(slots=True)
class Member:
    """One member; its content can be read until the next one is asked for."""

    name: str
    size_bytes: int
    is_file: bool
    _stream: Stream
    _left_bytes: int
    link: str = ""
    """The member whose content is meant, as a path from the archive's root; empty for one with a content of its own."""

    def read(self, size_bytes: int) -> bytes:
        """The next bytes of the content, fewer only at its end; raises `TarError` when the archive is broken off."""
        data = self._stream.exactly(min(size_bytes, self._left_bytes))
        self._left_bytes -= len(data)
        return data

    def chunks(self, size_bytes: int) -> Iterator[bytes]:
        """The rest of the content in pieces; raises as `read`."""
        while data := self.read(size_bytes):
            yield data

    def leave(self) -> None:
        """Go to the end of the content; raises as `read`."""
        self._stream.skip(self._left_bytes + -self.size_bytes % _BLOCK_BYTES)


def members(stream: Stream) -> Iterator[Member]:
    """All members up to the mark of the end; raises `TarError`."""
    described: dict[str, str] = {}
    headers_left = _LARGEST_HEADERS_BYTES
    for _ in range(_MOST_MEMBERS):
        header = stream.exactly(_BLOCK_BYTES)
        if not any(header):
            return
        if _number(header[148:156]) != sum(header) - sum(header[148:156]) + 8 * 0x20:
            raise TarError("is no tar archive")
        kind, size = header[156:157], _number(header[124:136])
        if kind in _DESCRIPTIONS:
            headers_left -= size
            if size > _LARGEST_HEADER_BYTES or headers_left < 0:
                raise TarError(f"describes a member with {size} bytes")
            content = stream.exactly(size + -size % _BLOCK_BYTES)[:size]
            described |= _description(kind, content)
            continue
        if kind == b"S":
            raise TarError("has a file with holes")
        name = described.get("path") or _name(header)
        size = _decimal(described["size"]) if "size" in described else size
        size = 0 if kind in _WITHOUT_CONTENT else size
        link = _link(
            kind, name, described.get("linkpath") or header[157:257].split(b"\0", 1)[0].decode(errors="replace")
        )
        described = {}
        member = Member(name, size, kind in _FILES, stream, size, link)
        yield member
        member.leave()
    raise TarError("has far too many members")


def _name(header: bytes) -> str:
    name, prefix = header[:100].split(b"\0", 1)[0], header[345:500].split(b"\0", 1)[0]
    whole = prefix + b"/" + name if prefix and header[257:262] == b"ustar" and header[262:263] == b"\0" else name
    return whole.decode(errors="replace")


def _link(kind: bytes, name: str, target: str) -> str:
    if kind == _HARD_LINK:
        return target
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target)) if kind == _SYMBOLIC_LINK else ""


def _description(kind: bytes, content: bytes) -> dict[str, str]:
    if kind == b"L":
        return {"path": content.split(b"\0", 1)[0].decode(errors="replace")}
    if kind == b"K":
        return {"linkpath": content.split(b"\0", 1)[0].decode(errors="replace")}
    return dict(_pax_records(content)) if kind in (b"x", b"X") else {}


def _pax_records(content: bytes) -> Iterator[tuple[str, str]]:
    """Those that matter here: each is ``LENGTH KEY=VALUE`` and a line break."""
    start = 0
    while start < len(content):
        space = content.find(b" ", start, start + 20)
        length = _decimal(content[start:space].decode(errors="replace")) if space > 0 else 0
        record = content[space + 1 : start + length]
        if not space - start < length <= len(content) - start or not record.endswith(b"\n"):
            raise TarError("describes a member in a way that cannot be read")
        key, _, value = record[:-1].partition(b"=")
        if key in (b"path", b"size", b"linkpath"):
            yield key.decode(), value.decode(errors="replace")
        start += length


def _number(field: bytes) -> int:
    """Octal digits, or a binary number behind a set first bit."""
    if field[0] & 0x80:
        number = int.from_bytes(field[1:], "big") if field[0] == 0x80 else -1
    else:
        text = field.strip(b"\0 ")
        if text.translate(None, b"01234567"):
            raise TarError("is no tar archive")
        number = int(text or b"0", 8)
    if not 0 <= number < _LARGEST_NUMBER:
        raise TarError("is no tar archive")
    return number


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise TarError("describes a member in a way that cannot be read")
    return int(text)
