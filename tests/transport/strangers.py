"""Whoever answers in a host's place: says raw SSH on ports of its own, from threads, so that it never waits for us."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Say = Callable[[socket.socket], None]

IGNORE, KEX_INIT, KEX_REPLY = 2, 20, 31


def string(data: bytes) -> bytes:
    """A string as SSH has it (RFC 4251)."""
    return struct.pack(">I", len(data)) + data


def packet(payload: bytes) -> bytes:
    """A packet before keys are exchanged (RFC 4253, 6)."""
    padding = 8 - (len(payload) + 5) % 8
    padding += 8 if padding < 4 else 0
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


def kex_init(exchange: bytes = b"curve25519-sha256") -> bytes:
    """What a server says that knows one key exchange, without the strict one of OpenSSH 9.6."""
    names = (exchange, b"rsa-sha2-512", b"aes128-ctr", b"aes128-ctr", b"hmac-sha2-256", b"hmac-sha2-256")
    lists = b"".join(map(string, (*names, b"none", b"none", b"", b"")))
    return packet(bytes([KEX_INIT]) + bytes(16) + lists + bytes(5))


@contextmanager
def stranger(say: Say) -> Iterator[int]:
    """The port of one that says its first line, hears ours, and goes on as told; its connections end with the block."""
    taken: list[socket.socket] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
            connection.recv(65536)
            say(connection)

    def listen() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                taken.append(connection)
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for one in (listener, *taken):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
