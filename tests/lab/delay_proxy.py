"""A TCP proxy that holds every piece of data back for a fixed time: the kernel of the lab has no `netem`.

    delay_proxy.py ADDRESS PORT ONE_WAY_MS MARK

It listens on a free port of 127.0.0.1 and prints that port. Only the time is added: data in flight is not slowed down.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from dataclasses import dataclass

CHUNK_BYTES = 65536
HELD_CHUNKS = 512


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect, how late to be, and the mark that keeps our own packets off the detour."""

    address: str
    port: int
    one_way_s: float
    mark: int

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a marked connection to the target."""
        link = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        link.setblocking(False)
        link.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, self.mark)
        await asyncio.get_running_loop().sock_connect(link, (self.address, self.port))
        return await asyncio.open_connection(sock=link)


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, one_way_s: float) -> None:
    """Pass on what is read, each piece `one_way_s` after it came, and the end of it too."""
    loop = asyncio.get_running_loop()
    held: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(HELD_CHUNKS)

    async def take() -> None:
        chunk = b"first"
        while chunk:
            try:
                chunk = await reader.read(CHUNK_BYTES)
            except OSError:
                chunk = b""
            await held.put((loop.time() + one_way_s, chunk))

    taking = asyncio.create_task(take())
    try:
        while True:
            due, chunk = await held.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()
    finally:
        taking.cancel()


async def serve(target: Target) -> None:
    """Accept for ever."""

    async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(2 * target.one_way_s)  # the handshake of TCP is a round trip, too
            far_reader, far_writer = await target.connect()
        except OSError:
            writer.transport.abort()
            return
        both = carry(reader, far_writer, target.one_way_s), carry(far_reader, writer, target.one_way_s)
        await asyncio.gather(*both, return_exceptions=True)
        for end in (writer, far_writer):
            end.close()

    server = await asyncio.start_server(accepted, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    address, port, one_way_ms, mark = sys.argv[1:5]
    asyncio.run(serve(Target(address, int(port), float(one_way_ms) / 1000, int(mark))))
