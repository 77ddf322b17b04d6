"""The HAProxy of a simulated host: reads its configuration, looks what stands behind it, forwards connections.

Source: haproxy/haproxy@v2.6.12, src/cfgparse-listen.c (a word that it does not know in a section is fatal),
src/haproxy.c (``cannot bind`` is, too), src/check.c (``rise`` and ``fall``, the words of checks).
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from rbdtui.listening import listen
from rbdtui.simulator.machine import Machine
from rbdtui.simulator.units import ServiceFailed, Unit
from rbdtui.together import together

CONFIG_FILE: Final = "/etc/haproxy/haproxy.cfg"
PROGRAM: Final = "haproxy"
_SECTIONS: Final = frozenset({"global", "defaults", "listen", "frontend", "backend"})
_KEYWORDS: Final = """
    log user group maxconn chroot daemon stats mode option retries timeout balance default-server bind monitor-uri
    http-check server
"""
_WORDS: Final = frozenset(_KEYWORDS.split())
_LOOK_EVERY_S: Final = 2.0
_CHUNK_BYTES: Final = 64 * 1024


class ConfigError(Exception):
    """The configuration cannot be used; the words are HAProxy's."""


@dataclass(slots=True)
class Behind:
    """A server behind a port."""

    proxy: str
    name: str
    address: str
    port: int
    is_up: bool = True
    """HAProxy takes a server for up until its first check."""
    check: str = ""
    in_a_row: int = 0
    """How many checks in a row came out otherwise than it is."""

    def note(self, found: bool, word: str, *, needed: int) -> bool:
        """Take a check in; whether the server has changed by it."""
        first, self.check = not self.check, word
        self.in_a_row = 0 if found is self.is_up else self.in_a_row + 1
        if found is self.is_up or (self.in_a_row < needed and not first):
            return False
        self.is_up, self.in_a_row = found, 0
        return True


@dataclass(slots=True)
class Proxy:
    """A section that listens."""

    name: str
    address: str = "0.0.0.0"  # noqa: S104 - of the simulated machine
    port: int = 0
    servers: list[Behind] = field(default_factory=list)
    turn: int = 0


def parse(text: str) -> list[Proxy]:
    """Read a configuration; raises `ConfigError`."""
    proxies: list[Proxy] = []
    section = ""
    for number, raw in enumerate(text.splitlines(), start=1):
        words = raw.partition("#")[0].split()
        if not words:
            continue
        if words[0] in _SECTIONS:
            section = words[0]
            if section == "listen":
                proxies.append(Proxy(words[1]))
            continue
        if not section or words[0] not in _WORDS:
            raise ConfigError(f"[ALERT] parsing [{CONFIG_FILE}:{number}] : unknown keyword '{words[0]}' in '{section}'")
        if section == "listen":
            _read(proxies[-1], words, number)
    return proxies


def _read(proxy: Proxy, words: list[str], number: int) -> None:
    if words[0] not in ("bind", "server"):
        return
    place = re.fullmatch(r"([0-9.*]*):([0-9]{1,5})", words[1 if words[0] == "bind" else 2])
    if place is None:
        raise ConfigError(f"[ALERT] parsing [{CONFIG_FILE}:{number}] : '{words[0]}' : invalid address")
    address, port = place[1], int(place[2])
    if words[0] == "bind":
        proxy.address, proxy.port = address.replace("*", "") or proxy.address, port
    else:
        proxy.servers.append(Behind(proxy.name, words[1], address, port))


class Haproxy:
    """One start of HAProxy on a machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._network = machine.network
        self._proxies: list[Proxy] = []
        self._listening: list[asyncio.Server] = []
        self._open: set[asyncio.Task[None]] = set()

    async def __call__(self, unit: Unit) -> None:
        """Run until stopped."""
        try:
            await self._listen(unit, self._parsed(unit))
            unit.reload = lambda: self._reread(unit)
            unit.ready()
            while True:
                servers = [server for proxy in self._proxies for server in proxy.servers]
                await together(*(self._look(unit, server) for server in servers))
                await self._network.pace.sleep(_LOOK_EVERY_S)
        finally:
            self._stop_listening()
            for task in list(self._open):
                task.cancel()
            self._machine.balanced = None

    def _parsed(self, unit: Unit) -> list[Proxy]:
        try:
            return parse(self._machine.files.text(CONFIG_FILE))
        except ConfigError as error:
            unit.log(str(error))
            raise ServiceFailed(1) from None

    async def _listen(self, unit: Unit, proxies: list[Proxy]) -> None:
        self._proxies = proxies
        self._machine.balanced = [server for proxy in proxies for server in proxy.servers]
        for proxy in proxies:
            if self._machine.listener(proxy.address, proxy.port) is not None:
                unit.log(f"[ALERT] Starting proxy {proxy.name}: cannot bind socket (Address already in use)")
                raise ServiceFailed(1)
            server = await listen(partial(self._take, proxy))
            self._listening.append(server)
            host, port = server.sockets[0].getsockname()[:2]
            self._machine.listen(proxy.port, PROGRAM, address=proxy.address, backend=(host, port))
            if proxy.servers:
                self._machine.listening[proxy.address, proxy.port].leads_to = partial(self._next, proxy)

    def _reread(self, unit: Unit) -> None:
        """Take the present configuration in; connections that are open stay."""
        unit.log("Reloading HAProxy")
        try:
            proxies = parse(self._machine.files.text(CONFIG_FILE))
        except ConfigError as error:
            unit.log(str(error))
            return
        self._stop_listening()
        self._keep(asyncio.get_running_loop().create_task(self._listen(unit, proxies)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    def _stop_listening(self) -> None:
        for server in self._listening:
            server.close()
        self._listening.clear()
        for place, own in list(self._machine.listening.items()):
            if own.process == PROGRAM:
                del self._machine.listening[place]

    async def _look(self, unit: Unit, server: Behind) -> None:
        """A check: a connection is enough, as what listens on a simulated machine also answers."""
        word = "L4OK"
        try:
            await self._network.find(self._machine, server.address, server.port)
        except OSError as error:
            word = "L4TOUT" if error.errno == errno.ETIMEDOUT else "L4CON"
        if server.note(word == "L4OK", word, needed=2):
            unit.log(f"Server {server.proxy}/{server.name} is {'UP' if server.is_up else 'DOWN'}, reason: {word}")

    async def _take(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._keep(task)
        try:
            await self._forward(proxy, reader, writer)
        finally:
            writer.transport.abort()

    async def _forward(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for server in self._turns(proxy):
            with contextlib.suppress(OSError):
                _, listening = await self._network.find(self._machine, server.address, server.port)
                if listening.backend is None:
                    await reader.read()
                else:
                    await _carry(reader, writer, *await asyncio.open_connection(*listening.backend))
                return

    def _next(self, proxy: Proxy) -> tuple[str, int] | None:
        server = next(self._turns(proxy), None)
        return (server.address, server.port) if server is not None else None

    def _turns(self, proxy: Proxy) -> Iterator[Behind]:
        """Those that are up, beginning with the next."""
        proxy.turn += 1
        up = [server for server in proxy.servers if server.is_up]
        for place in range(len(up)):
            yield up[(proxy.turn + place) % len(up)]


async def _carry(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    inner_reader: asyncio.StreamReader,
    inner_writer: asyncio.StreamWriter,
) -> None:
    """Both directions, until the server has said all."""
    there = asyncio.create_task(_pump(reader, inner_writer))
    try:
        await _pump(inner_reader, writer)
        await writer.drain()
    finally:
        there.cancel()
        inner_writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
