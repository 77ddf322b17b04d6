"""Hosts that answer with hostile words: before any key is exchanged, from a script, and on standard error."""

from __future__ import annotations

import os
import re
import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from rbdtui.simulator.call import Call, Verb
from rbdtui.simulator.verbs import VERBS

DISCONNECT = 1
"""SSH_MSG_DISCONNECT; by RFC 4253 it may come before a key was exchanged, with any text."""


def disconnects(words: bytes) -> bytes:
    """What a server sends that takes leave with these words."""
    payload = struct.pack(">BII", DISCONNECT, 2, len(words)) + words + struct.pack(">I", 0)
    padding = 8 - ((len(payload) + 5) % 8)
    padding += 8 if padding < 4 else 0
    head = struct.pack(">IB", len(payload) + padding + 1, padding)
    return b"SSH-2.0-OpenSSH_9.9\r\n" + head + payload + os.urandom(padding)


def greets(words: bytes) -> bytes:
    """What a server sends whose version is made of these words."""
    return b"SSH-2.0-" + words.replace(b"\r", b"").replace(b"\n", b"")[:200] + b"\r\n"


def is_no_ssh(words: bytes) -> bytes:
    """What something else sends."""
    return words + b"\r\n" + words + b"\r\n"


@contextmanager
def answering(answers: Mapping[str, bytes]) -> Iterator[int]:
    """A port on which each of these addresses sends its answer to whoever comes, and hangs up."""
    with ExitStack() as ending:
        first = ending.enter_context(socket.create_server((next(iter(answers)), 0)))
        port: int = first.getsockname()[1]
        over = threading.Event()
        ending.callback(over.set)
        for address, answer in answers.items():
            server = first if server_address(first) == address else socket.create_server((address, port))
            ending.enter_context(server)
            server.settimeout(0.2)
            thread = threading.Thread(target=_serve, args=(server, answer, over))
            thread.start()
            ending.callback(thread.join, 5.0)
            ending.callback(over.set)
        yield port


def server_address(server: socket.socket) -> str:
    """Where it listens."""
    return str(server.getsockname()[0])


def _serve(server: socket.socket, answer: bytes, over: threading.Event) -> None:
    while not over.is_set():
        with suppress(TimeoutError, OSError):
            connection, _ = server.accept()
            with connection:
                connection.settimeout(1.0)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                with suppress(TimeoutError, OSError):
                    while connection.recv(4096):
                        pass


Evil = Callable[[Call, Verb], Awaitable[int]]


def on(node: str, verb: str, evil: Evil) -> Mapping[str, Verb]:
    """The scripts of simulated hosts, one of them on one node replaced; it is given the real one."""
    return on_all({(node, verb): evil})


def on_all(evils: Mapping[tuple[str, str], Evil]) -> Mapping[str, Verb]:
    """As `on`, for several."""
    verbs = dict(VERBS)
    for (node, verb), evil in evils.items():
        verbs[verb] = _wrapped(node, verbs[verb], evil)
    return verbs


def _wrapped(node: str, real: Verb, evil: Evil) -> Verb:
    async def verb(call: Call) -> int:
        return await (evil(call, real) if call.machine.name == node else real(call))

    return verb


def fails_with(words: bytes) -> Evil:
    """A script that fails with these words on standard error."""

    async def evil(call: Call, _: Verb) -> int:
        call.write_error(b"first line\n" + words + b" cannot do it\n")
        return 1

    return evil


def says(words: bytes) -> Evil:
    """A script that answers with nothing but these words."""

    async def evil(call: Call, _: Verb) -> int:
        call.out(words + b"\n")
        return 0

    return evil


def adds(words: bytes, *, to_lines: str = r"[^@\n].*") -> Evil:
    """A script that adds these words to every line of its real answer that is of such a form."""
    pattern = re.compile(f"^{to_lines}$".encode(), re.MULTILINE)

    async def evil(call: Call, real: Verb) -> int:
        said: list[bytes] = []
        status = await real(replace(call, write_out=said.append))
        call.out(pattern.sub(lambda line: line[0] + words, b"".join(said)))
        return status

    return evil


def addresses(count: int) -> Sequence[str]:
    """So many addresses of loopback that no other test uses."""
    return [f"127.77.33.{number}" for number in range(1, count + 1)]
