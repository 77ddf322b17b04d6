"""Large files that lie encrypted, written and read in pieces: never whole in memory, never in the clear on the disk.

A file begins with a line of JSON: what it holds (readable without the key, authenticated with every piece), the salt
from which its own key is made, and how many bytes follow. Then come pieces of 1 MiB, each sealed by AES-256-GCM with
its number and whether it is the last: none can be changed, moved, left out or added unnoticed.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from rbdtui.atomic import sync_directory
from rbdtui.bounded_json import read_json
from rbdtui.plain_file import open_plain

FORMAT: Final = "rbdtui-sealed"
VERSION: Final = 1
PIECE_BYTES: Final = 1024 * 1024
PART_SUFFIX: Final = ".part"
"""Of a file that is being written."""
_TAG_BYTES: Final = 16
_SALT_BYTES: Final = 16
_HEADER_BYTES: Final = 16 * 1024


class SealedFileError(Exception):
    """A file is no sealed one, is not whole, or the key is another's."""


@dataclass(frozen=True, slots=True)
class SealedHeader:
    """The first line of a sealed file."""

    line: bytes
    salt: bytes
    size_bytes: int
    """Of what is sealed."""
    about: Mapping[str, object]

    @property
    def pieces(self) -> int:
        """Into how many it was cut; nothing at all is one empty piece."""
        return max(1, -(-self.size_bytes // PIECE_BYTES))

    @property
    def file_bytes(self) -> int:
        """How long the whole file is."""
        return len(self.line) + 1 + self.size_bytes + self.pieces * _TAG_BYTES


def file_size_for(size_bytes: int) -> int:
    """At most how many bytes a sealed file takes."""
    return _HEADER_BYTES + size_bytes + (size_bytes // PIECE_BYTES + 1) * _TAG_BYTES


class Sealing:
    """A sealed file that is being written beside its place, and put there by `finish`. Raises `OSError`."""

    def __init__(self, path: Path, key: bytes, size_bytes: int, about: Mapping[str, object]) -> None:
        self._path = path
        self._part = path.with_name(path.name + PART_SUFFIX)
        salt = os.urandom(_SALT_BYTES)
        fields = {
            "format": FORMAT,
            "version": VERSION,
            "cipher": "aes-256-gcm",
            "salt": base64.b64encode(salt).decode("ascii"),
            "size_bytes": size_bytes,
            "about": dict(about),
        }
        self._header = SealedHeader(json.dumps(fields).encode("ascii"), salt, size_bytes, about)
        self._cipher = _cipher(key, salt)
        self._waiting = bytearray()
        self._number = 0
        self._taken = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.fdopen(os.open(self._part, flags, 0o600), "wb")
        self._file.write(self._header.line + b"\n")

    def write(self, data: bytes) -> None:
        """Take the next bytes."""
        self._waiting += data
        self._taken += len(data)
        while len(self._waiting) >= PIECE_BYTES and self._number < self._header.pieces - 1:
            self._put(bytes(self._waiting[:PIECE_BYTES]), is_last=False)
            del self._waiting[:PIECE_BYTES]

    def finish(self) -> None:
        """Have all of it on the disk, then in its place; raises `SealedFileError` when bytes are missing."""
        if self._taken != self._header.size_bytes:
            raise SealedFileError(f"{self._taken} of {self._header.size_bytes} bytes")
        self._put(bytes(self._waiting), is_last=True)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self._path)
        sync_directory(self._path.parent)

    def close(self) -> None:
        """Let go; of a file that was not finished nothing stays."""
        if self._file.closed:
            return
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _put(self, piece: bytes, *, is_last: bool) -> None:
        self._file.write(self._cipher.encrypt(_nonce(self._number, is_last=is_last), piece, self._header.line))
        self._number += 1


def read_header(path: Path) -> SealedHeader:
    """The first line, of a file of the right length; raises `SealedFileError` or `OSError`."""
    with open_plain(path) as file:
        header = _parse(file.readline(_HEADER_BYTES))
        found = os.fstat(file.fileno()).st_size
    if found != header.file_bytes:
        raise SealedFileError(f"{found} of {header.file_bytes} bytes")
    return header


def unseal(path: Path, key: bytes) -> Iterator[bytes]:
    """What is sealed, piece by piece, each proven before it is given; raises `SealedFileError` or `OSError`."""
    header = read_header(path)
    cipher = _cipher(key, header.salt)
    with open_plain(path) as file:
        file.seek(len(header.line) + 1)
        for number in range(header.pieces):
            is_last = number == header.pieces - 1
            sealed = _exactly(file, PIECE_BYTES + _TAG_BYTES)
            try:
                yield cipher.decrypt(_nonce(number, is_last=is_last), sealed, header.line)
            except (InvalidTag, ValueError):
                raise SealedFileError(f"piece {number + 1} of {header.pieces}") from None


def _exactly(file: BinaryIO, count: int) -> bytes:
    """So many bytes, fewer only at the end: an unbuffered file may give less at a time."""
    parts = bytearray()
    while len(parts) < count and (part := file.read(count - len(parts))):
        parts += part
    return bytes(parts)


def _parse(line: bytes) -> SealedHeader:
    try:
        fields = read_json(line)
        salt = base64.b64decode(fields["salt"], validate=True)
        size, about = fields["size_bytes"], fields["about"]
        known = fields["format"] == FORMAT and fields["version"] == VERSION and fields["cipher"] == "aes-256-gcm"
    except (ValueError, TypeError, LookupError, binascii.Error, RecursionError):
        raise SealedFileError("header") from None
    if not known or len(salt) != _SALT_BYTES or not isinstance(size, int) or size < 0 or not isinstance(about, dict):
        raise SealedFileError("header")
    return SealedHeader(line.rstrip(b"\n"), salt, size, about)


def _cipher(key: bytes, salt: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=salt, info=FORMAT.encode()).derive(key))


def _nonce(number: int, *, is_last: bool) -> bytes:
    """Never used twice: every file has a key of its own."""
    return number.to_bytes(11, "big") + bytes([is_last])
