"""A stream whose bytes go through an SSH channel and through no socket besides: health opens hundreds a minute."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any, Final, TypeAlias

from rbdtui.transport.library import asyncssh

Stream: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_READ_LIMIT_BYTES: Final = 64 * 1024


def channel_stream() -> tuple[ChannelSession, Stream]:
    """What a channel is opened with, and the stream that it carries once it is open."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_READ_LIMIT_BYTES, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    session = ChannelSession(protocol)
    protocol.connection_made(session.transport)
    return session, (reader, asyncio.StreamWriter(session.transport, protocol, reader, loop))


class _ChannelTransport(asyncio.Transport):
    """What asyncio writes to; TLS may be begun on it as on a socket's."""

    _start_tls_compatible = True
    """Asked for by `loop.start_tls` (CPython, Lib/asyncio/base_events.py)."""

    def __init__(self, session: ChannelSession, protocol: asyncio.BaseProtocol) -> None:
        super().__init__()
        self._session, self._protocol = session, protocol
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._closing = False

    def join(self, channel: asyncssh.SSHTCPChannel[bytes]) -> None:
        """The channel is open; of a stream that was given up meanwhile it is closed again."""
        self._channel = channel
        if self._closing:
            channel.abort()

    def over(self) -> None:
        """The channel is gone."""
        self._closing, self._channel = True, None

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._channel is not None and not self._closing:
            with contextlib.suppress(OSError):  # what is lost is told by `connection_lost`
                self._channel.write(bytes(data))

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if self._channel is not None and not self._closing:
            with contextlib.suppress(OSError):
                self._channel.write_eof()

    def get_write_buffer_size(self) -> int:
        return self._channel.get_write_buffer_size() if self._channel is not None else 0

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """Close it once what was written has gone."""
        if not self._closing and self._channel is not None:
            self._channel.close()
        self._closing = True

    def abort(self) -> None:
        """Close it at once."""
        self._closing = True
        if self._channel is not None:
            self._channel.abort()

    def _force_close(self, exc: BaseException | None) -> None:
        """How asyncio's TLS lets go of it after a handshake that failed (CPython, Lib/asyncio/sslproto.py)."""
        self.abort()

    def is_reading(self) -> bool:
        return not self._closing

    def pause_reading(self) -> None:
        if self._channel is not None and not self._closing:
            self._channel.pause_reading()

    def resume_reading(self) -> None:
        if self._channel is not None and not self._closing:
            self._channel.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default


class ChannelSession(asyncssh.SSHTCPSession[bytes]):
    """What asyncssh tells of the channel, handed on as asyncio expects it."""

    def __init__(self, protocol: asyncio.BaseProtocol) -> None:
        self.transport = _ChannelTransport(self, protocol)

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self.transport.join(chan)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        protocol = self.transport.get_protocol()
        if isinstance(protocol, asyncio.BufferedProtocol):  # TLS
            left = memoryview(data)
            while left:
                buffer = memoryview(protocol.get_buffer(len(left)))
                count = min(len(buffer), len(left))
                buffer[:count] = left[:count]
                protocol.buffer_updated(count)
                left = left[count:]
        elif isinstance(protocol, asyncio.Protocol):
            protocol.data_received(data)

    def eof_received(self) -> bool:
        asyncio.get_running_loop().call_soon(self._end)
        return True

    def _end(self) -> None:
        protocol = self.transport.get_protocol()
        assert isinstance(protocol, asyncio.Protocol | asyncio.BufferedProtocol)
        if not protocol.eof_received():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport.over()
        # In a turn of its own, as a socket's end: TLS that has just been agreed on must be with whoever began it. No
        # error goes with it, as others are told of a lost link.
        asyncio.get_running_loop().call_soon(self.transport.get_protocol().connection_lost, None)

    def pause_writing(self) -> None:
        self.transport.get_protocol().pause_writing()

    def resume_writing(self) -> None:
        self.transport.get_protocol().resume_writing()
