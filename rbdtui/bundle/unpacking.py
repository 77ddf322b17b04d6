"""Packed files as streams of blocks, within bounds of memory, of unpacked bytes and of frames, whatever is in them."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK_BYTES: Final = 1 << 18
_CHUNK_BYTES: Final = 1 << 16
_LARGEST_WINDOW_LOG: Final = 25
"""32 MiB, as RKE2's releases are packed; RKE2 itself refuses more (rancher/wharfie, pkg/tarfile)."""
_UNPACKED_SLACK_BYTES: Final = 256 << 20
_UNPACKED_FACTOR: Final = 30
"""Programs and images unpack to two to six times their size."""
_FRAMES_SLACK: Final = 64
_LEAST_FRAME_BYTES: Final = 1024


class UnpackError(Exception):
    """The file is broken off, is no archive, or would unpack to more than any archive of RKE2 does."""


class _Decoder(Protocol):
    eof: bool
    hungry: bool
    """Whether it can go on only with more of the file."""

    def feed(self, data: bytes) -> bytes:
        """Unpack up to `BLOCK_BYTES`; ``data`` is what follows in the file, empty while it is not hungry."""
        ...

    @property
    def rest(self) -> bytes:
        """What it was given beyond the end of its frame."""
        ...


class _Gzip:
    """One member of a gzip file; zlib compares the check sum at its end."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
        self.eof = False
        self.hungry = True

    def feed(self, data: bytes) -> bytes:
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, BLOCK_BYTES)
        self.eof = self._zlib.eof
        self.hungry = not self._zlib.unconsumed_tail and len(out) < BLOCK_BYTES
        return out

    @property
    def rest(self) -> bytes:
        return self._zlib.unused_data


class _Zstd:
    """One frame of a zstd file."""

    def __init__(self) -> None:
        options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _LARGEST_WINDOW_LOG}
        self._zstd = zstd.ZstdDecompressor(options=options)
        self.eof = False
        self.hungry = True

    def feed(self, data: bytes) -> bytes:
        out = self._zstd.decompress(data, BLOCK_BYTES)
        self.eof, self.hungry = self._zstd.eof, self._zstd.needs_input
        return out

    @property
    def rest(self) -> bytes:
        return self._zstd.unused_data


def gunzipped(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """What a gzip file holds, up to the check sum behind the last byte; raises `UnpackError`."""
    return _unpacked(file, size_bytes, _Gzip)


def unzstded(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    """What a zstd file holds, all its frames; raises `UnpackError`, also for a window that RKE2 does not take."""
    return _unpacked(file, size_bytes, _Zstd)


def plain(file: BinaryIO) -> Iterator[bytes]:
    """What an unpacked file holds."""
    while block := file.read(BLOCK_BYTES):
        yield block


def _unpacked(file: BinaryIO, size_bytes: int, new: Callable[[], _Decoder]) -> Iterator[bytes]:
    budget = _UNPACKED_SLACK_BYTES + _UNPACKED_FACTOR * size_bytes
    frames_left = _FRAMES_SLACK + size_bytes // _LEAST_FRAME_BYTES
    decoder = new()
    data = file.read(_CHUNK_BYTES)
    while True:
        try:
            block = decoder.feed(data)
        except (zlib.error, zstd.ZstdError) as error:
            raise UnpackError(str(error)) from None
        data = b""
        if block:
            budget -= len(block)
            if budget < 0:
                raise UnpackError("unpacks to far more than an archive of its size")
            yield block
        if decoder.eof:
            data = decoder.rest or file.read(_CHUNK_BYTES)
            frames_left -= 1
            if not data:
                return
            if frames_left < 0:
                raise UnpackError("is made of far too many pieces")
            decoder = new()
        elif decoder.hungry:
            data = file.read(_CHUNK_BYTES)
            if not data:
                raise UnpackError("is broken off")
