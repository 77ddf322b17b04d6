"""Gates before logins: a host that has not said its first line of SSH waits outside, and takes nobody's place.

Our own first line goes out at once, as a port that is shared between protocols may wait for it. What the host says is
held back until its line is whole and there is a place; only then do keys and passwords cost anything. All that it says
is taken in small portions, so that one that talks without end leaves the others their turns.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final, cast

from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.library import asyncssh
from rbdtui.transport.limits import Limits

_FIRST_LINE: Final = re.compile(rb"(?:\A|\n)SSH-[^\n]*\n")
_MOST_HELD_BYTES: Final = 64 * 1024
"""Whatever says more than this before a first line of SSH will not say one."""
_LONGEST_HOLD_S: Final = 2.0
"""After this a login costs us no more than patience, so its place goes to another one."""
_PORTION_BYTES: Final = 8 * 1024
"""Read at once of one connection. asyncssh works off all packets of a portion in one go, in a time that grows with the
square of its length: of 256 KiB of the smallest packets in more than a second."""


class LoginPlaces:
    """How many connections may be opening at once, and how many of them may be logging in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._openings = asyncio.Semaphore(limits.openings)
        self._logins = asyncio.Semaphore(limits.logins)
        # sshd itself drops connections when too many have not logged in yet (MaxStartups).
        self._at: dict[tuple[str, int, Endpoint | None], asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.logins)
        )
        self._through: dict[Endpoint, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(limits.logins_per_bastion)
        )

    @contextlib.asynccontextmanager
    async def opening(self, endpoint: Endpoint) -> AsyncIterator[None]:
        """Wait until one more connection may be opened, over all hosts and to this one."""
        async with self._at[endpoint.address, endpoint.port, endpoint.before], self._openings:
            yield

    @contextlib.asynccontextmanager
    async def gate(self, endpoint: Endpoint, tunnel: asyncssh.SSHClientConnection | None) -> AsyncIterator[Gate]:
        """A way to a host, for asyncssh to take as its tunnel; ``tunnel`` is the connection of the bastion before it.

        A place is given back at the end, and before that when a login takes long. Raises `TimeoutError` when the host
        is silent, or not done, for too long; the wait for a place does not count. Whatever a host's words make asyncssh
        raise in the block becomes an `asyncssh.ProtocolError`, as it is about that host alone.
        """
        through = [self._through[endpoint.before]] if endpoint.before else []
        place = _Place([*through, self._logins])
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(self._limits.connect_timeout_s) as limit:

            async def enter() -> None:
                if limit.expired():
                    return
                limit.reschedule(None)
                await place.take()
                limit.reschedule(loop.time() + min(self._limits.connect_timeout_s, self._limits.login_timeout_s))

            gate = Gate(tunnel, enter)
            try:
                yield gate
            except (OSError, asyncssh.Error, ValueError):
                raise
            except Exception as error:
                raise asyncssh.ProtocolError(f"{type(error).__name__}: {error}") from error
            finally:
                gate.shut()
                place.give_back()


class _Place:
    """A place for one login."""

    def __init__(self, semaphores: list[asyncio.Semaphore]) -> None:
        self._wanted = semaphores
        self._taken: list[asyncio.Semaphore] = []
        self._giving_back: asyncio.TimerHandle | None = None

    async def take(self) -> None:
        """Wait for it; kept for `_LONGEST_HOLD_S` at most."""
        for semaphore in self._wanted:
            await semaphore.acquire()
            self._taken.append(semaphore)
        self._giving_back = asyncio.get_running_loop().call_later(_LONGEST_HOLD_S, self.give_back)

    def give_back(self) -> None:
        """Let another one have it, if it is still held."""
        if self._giving_back is not None:
            self._giving_back.cancel()
        while self._taken:
            self._taken.pop().release()


class Gate:
    """Opens one connection whose first line has to be there before ``enter`` is called and the login goes on."""

    def __init__(self, tunnel: asyncssh.SSHClientConnection | None, enter: Callable[[], Awaitable[None]]) -> None:
        self._tunnel = tunnel
        self._enter = enter
        self._guard: _Guard | None = None

    async def create_connection(
        self, session_factory: Callable[[], asyncssh.SSHTCPSession[bytes]], remote_host: str, remote_port: int
    ) -> tuple[object, asyncssh.SSHTCPSession[bytes]]:
        """What asyncssh asks of a tunnel: a connection to a host, with a session of its own on it."""
        guard = self._guard = _Guard(session_factory, self._enter, gathers=self._tunnel is None)
        if self._tunnel is None:
            loop = asyncio.get_running_loop()
            way: object = (await loop.create_connection(lambda: guard, remote_host, remote_port))[0]
        else:
            way = (await self._tunnel.create_connection(lambda: cast(Any, guard), remote_host, remote_port))[0]
        assert guard.session is not None
        return way, guard.session

    def shut(self) -> None:
        """Let nobody in any more."""
        if self._guard is not None:
            self._guard.shut()


class Gathering:
    """A TCP transport that sends what is written in one turn of the loop at once.

    asyncssh writes each packet by itself, and before each an empty one; every write would be a system call here and
    there, and a segment in between.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._written = bytearray()

    def write(self, data: bytes) -> None:
        """Send with whatever else is written in this turn."""
        if not self._written:
            asyncio.get_running_loop().call_soon(self._flush)
        self._written += data

    def close(self) -> None:
        """Send what there is, and close."""
        self._flush()
        self._transport.close()

    def write_eof(self) -> None:
        """Send what there is, and its end."""
        self._flush()
        self._transport.write_eof()

    def get_write_buffer_size(self) -> int:
        """Bytes that have not gone out yet."""
        return len(self._written) + self._transport.get_write_buffer_size()

    def _flush(self) -> None:
        written, self._written = self._written, bytearray()
        if written:
            self._transport.write(written)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


class _Guard(asyncio.BufferedProtocol):
    """Stands before a session, on a TCP connection or on a channel, and holds back what comes until it may go on."""

    def __init__(
        self, session_factory: Callable[[], Any], enter: Callable[[], Awaitable[None]], *, gathers: bool
    ) -> None:
        self.session: Any = None
        self._gathers = gathers
        self._session_factory = session_factory
        self._enter = enter
        self._way: Any = None
        self._held: bytearray | None = bytearray()
        self._entering: asyncio.Task[None] | None = None
        self._shut = False
        self._portion = bytearray(_PORTION_BYTES)

    def shut(self) -> None:
        """Wait for no place any more; a connection that only comes now is closed again."""
        self._shut = True
        if self._entering is not None:
            self._entering.cancel()

    def connection_made(self, transport: Any) -> None:
        self._way = transport
        self.session = self._session_factory()
        self.session.connection_made(Gathering(transport) if self._gathers else transport)
        if self._shut:
            transport.abort()

    def session_started(self) -> None:
        self.session.session_started()

    def get_buffer(self, sizehint: int) -> bytearray:
        return self._portion

    def buffer_updated(self, nbytes: int) -> None:
        self.data_received(bytes(self._portion[:nbytes]))

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._held is None:
            self.session.data_received(data, datatype)
            return
        self._held += data
        if self._entering is None and (len(self._held) > _MOST_HELD_BYTES or _FIRST_LINE.search(self._held)):
            self._way.pause_reading()
            self._entering = asyncio.create_task(self._go_in())

    def eof_received(self) -> bool | None:
        self._let_through()
        return cast("bool | None", self.session.eof_received())

    def connection_lost(self, exc: Exception | None) -> None:
        self._let_through()
        self.session.connection_lost(exc)

    def pause_writing(self) -> None:
        self.session.pause_writing()

    def resume_writing(self) -> None:
        self.session.resume_writing()

    async def _go_in(self) -> None:
        await self._enter()
        self._let_through()
        self._way.resume_reading()

    def _let_through(self) -> None:
        held, self._held = self._held, None
        if held and not self._shut:
            self.session.data_received(bytes(held))
