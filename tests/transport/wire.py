"""A cable between us and a server on loopback that can be cut, frozen and narrowed."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from types import TracebackType
from typing import Self

from rbdtui.listening import listen
from rbdtui.transport.hostkeys import KnownHosts
from tests.transport.openssh import RealSshd

_BLOCK_BYTES = 16 * 1024


class Wire:
    """Listens on a port of its own and passes everything on to another one."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.port = 0
        self.bytes_to_host = 0
        self.cut_after_bytes: int | None = None
        self.bytes_per_s: float | None = None
        self.connections = 0

    async def __aenter__(self) -> Self:
        await self.mend()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.break_connections()

    def break_connections(self) -> None:
        """Break every connection; new ones are taken."""
        for writer in self._writers:
            writer.transport.abort()
        for pump in self._pumps:
            pump.cancel()

    async def mend(self) -> None:
        """Take connections again, on the same port."""
        self._flowing.set()
        if self._server is None:
            self._server = await listen(self._serve, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        """Let nothing through any more, without a word to either side."""
        self._flowing.clear()

    def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        pump = asyncio.create_task(self._connect(reader, writer))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._writers.add(far_writer)
            for one in (writer, far_writer):
                sock: socket.socket = one.get_extra_info("socket")
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.gather(
                self._pump(reader, far_writer, to_host=True), self._pump(far_reader, writer, to_host=False)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in (writer, *([far_writer] if "far_writer" in locals() else [])):
                one.transport.abort()
                self._writers.discard(one)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_host: bool) -> None:
        while block := await reader.read(_BLOCK_BYTES):
            await self._flowing.wait()
            if to_host:
                self.bytes_to_host += len(block)
                if self.cut_after_bytes is not None and self.bytes_to_host >= self.cut_after_bytes:
                    self.cut_after_bytes = None
                    self.break_connections()
                    return
            if self.bytes_per_s is not None:
                await asyncio.sleep(len(block) / self.bytes_per_s)
            writer.write(block)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()


def known_by(wire: Wire, sshd: RealSshd) -> KnownHosts:
    """Host keys of a server pinned for the near end of a wire."""
    path = sshd.directory / "known_hosts_wire"
    path.write_text("".join(line.replace(f":{sshd.port}", f":{wire.port}") + "\n" for line in sshd.known_hosts_lines))
    return KnownHosts(path)
