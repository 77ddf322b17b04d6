"""The link to one host: its connection, how many commands may use it at once, and patience when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from rbdtui.errors import reason_of
from rbdtui.transport.base import (
    BastionError,
    ConnectionLostError,
    ConnectRefusedError,
    ConnectTimeoutError,
    LoginShellHangsError,
    ShellUnusableError,
    StillRunningError,
    TransportError,
    UnreachableError,
)
from rbdtui.transport.endings import end_on_host
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.exchange import Exchange
from rbdtui.transport.library import asyncssh
from rbdtui.transport.limits import Limits
from rbdtui.transport.routes import Routes, SharedConnection
from rbdtui.transport.shells import shells_of
from rbdtui.words import T

LINK_ERRORS: Final = (
    BastionError,
    ConnectRefusedError,
    ConnectTimeoutError,
    ConnectionLostError,
    UnreachableError,
)
_LONGEST_PAUSE_S: Final = 5.0

_LONELY_S: Final = 8.0
"""How long sshd may refuse while no other session of ours is open: it needs a moment to bury the one before."""
_MODEST_FOR_S: Final = 60.0
"""How long after a refusal we open no more sessions than sshd allowed then."""

_LEAVING_S: Final = 1.5
"""How long a shell that was given up is waited for when we log out."""
_SURELY_HUNG_S: Final = 10.0
_LOOK_EVERY_S: Final = 0.25
_ENDINGS_LIMIT_S: Final = 25.0

Result = TypeVar("Result")


class _SessionRefusedError(Exception):
    """sshd does not open a session now."""


class Link:
    """One connection to one host, opened when first needed and again after a loss."""

    def __init__(self, endpoint: Endpoint, routes: Routes, limits: Limits) -> None:
        self.endpoint = endpoint
        self._limits = limits
        self._shared = SharedConnection(lambda: routes.log_in(endpoint))
        self._turn = asyncio.Condition()
        self._sessions = 0
        self._most_sessions = limits.sessions_per_host
        self._refused_at = 0.0
        self._hopeless_at: float | None = None
        self._shells = shells_of(endpoint)
        self._proving = asyncio.Lock()
        self._proven: asyncssh.SSHClientConnection | None = None
        self._prover: Exchange | None = None
        self._endings: set[asyncio.Task[None] | asyncio.Task[bool]] = set()
        self._leaving = 0.0

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The open connection; raises `TransportError`."""
        return await self._shared.get()

    async def persist(self, attempt: Callable[[], Awaitable[Result]]) -> Result:
        """Do something again, with pauses, while the link is lost; a host that was never reached is not waited for."""
        repeats, pause_s = 0, 0.4
        logins, lost_at = self._shared.logins, time.monotonic()
        while True:
            try:
                return await attempt()
            except LINK_ERRORS as error:
                if not (error.retryable and self._shared.logins):
                    raise
                if self._shared.logins != logins or (isinstance(error, ConnectionLostError) and not repeats):
                    repeats, pause_s = repeats + 1, 0.4
                    logins, lost_at = self._shared.logins, time.monotonic()
                if repeats > self._limits.repeats or time.monotonic() - lost_at > self._limits.reconnect_window_s:
                    raise
                await asyncio.sleep(random.uniform(pause_s / 2, pause_s))  # noqa: S311 - jitter
                pause_s = min(_LONGEST_PAUSE_S, pause_s * 2)

    @contextlib.asynccontextmanager
    async def session(self, command: str, exchange: Exchange) -> AsyncIterator[asyncssh.SSHClientChannel[bytes]]:
        """Start a command on a channel of its own, as soon as there are few enough; closes it at the end.

        The first one on a connection goes alone until its shell shows a sign, so that no pile comes to be where shells
        hang. One that is left by a `TimeoutError` is ended on the host, see `verdict`; one that is left otherwise gets
        the rest of its time to begin, and once it has begun sshd is asked to kill it. Raises `ConnectionLostError`, and
        `LoginShellHangsError` while it is too early to ask such a host again; what ends the exchange itself is for its
        `finish` to say.
        """
        await self._wait_for_proof(exchange)
        try:
            channel = await self._open(command, exchange)
        except BaseException:
            exchange.abandon()
            raise
        patience_s, too_late = self._limits.shell_start_s, False
        try:
            yield channel
        except TimeoutError:
            patience_s, too_late = 0.0, True
            raise
        finally:
            if exchange.silent:
                self._end_later(exchange, self._end(exchange, patience_s))
            elif too_late and not exchange.ended:
                self._end_later(exchange, self._end_begun(exchange))
            else:
                if not exchange.ended:
                    exchange.kill()
                if not exchange.answered:
                    self._shells.unended.add(exchange.tag)
                exchange.stop()
                await self._give_back()

    async def verdict(self, exchange: Exchange) -> TransportError | None:
        """What is to be said of a command that was given up, once all was done to end it; None where that did."""
        if exchange.ending is not None:
            await asyncio.wait({exchange.ending})
        return exchange.verdict

    async def _wait_for_proof(self, exchange: Exchange) -> None:
        """Wait until a shell of this connection has shown a sign, unless this exchange is the one to see to it."""
        self._shells.check(self.endpoint.node)
        connection = await self.connection()
        if connection is self._proven:
            return
        await self._proving.acquire()
        try:
            if connection is not self._proven:
                await self._shells.take_turn()
                self._shells.check(self.endpoint.node)
                self._prover = exchange
                exchange.on_sign(lambda: self._seen(exchange, connection))
                return
        except BaseException:
            self._stop_proving()
            raise
        self._proving.release()

    def _seen(self, exchange: Exchange, connection: asyncssh.SSHClientConnection) -> None:
        if exchange.given_up:
            # Whoever waits is to hear of it first.
            return
        self._stop_proving()
        if not exchange.answered:
            return
        self._proven = connection
        self._shells.note_sign()
        if self._shells.unended and not self._leaving:
            self._endings.add(sweep := asyncio.create_task(self._sweep(connection)))
            sweep.add_done_callback(self._ending_done)

    def _stop_proving(self) -> None:
        self._prover = None
        self._shells.give_turn()
        self._proving.release()

    async def _end(self, exchange: Exchange, patience_s: float) -> None:
        """See to it that a command which was given up before it began does not stay on the host."""
        try:
            await self._wait_for_sign(exchange, patience_s)
            if not exchange.silent:
                return
            exchange.given_up, self._proven = True, None
            self._shells.unended.add(exchange.tag)
            ended = await self._sweep(exchange.connection, exchange)
            exchange.verdict = LoginShellHangsError(
                self.endpoint.node,
                user=self.endpoint.user,
                limit_s=round(exchange.age_s),
                outcome=T("transport.ended") if ended else T("transport.not_ended", tag=exchange.tag),
                pause_s=self._shells.pause_s,
            )
            if exchange.age_s > _SURELY_HUNG_S or not patience_s:
                self._shells.note_hang(exchange.verdict)
        finally:
            exchange.stop()
            exchange.abandon()
            if exchange.given_up and self._prover is exchange:
                self._stop_proving()
            await self._give_back()

    def _end_later(self, exchange: Exchange, work: Coroutine[Any, Any, None]) -> None:
        exchange.ending = asyncio.create_task(work)
        self._endings.add(exchange.ending)
        exchange.ending.add_done_callback(self._ending_done)

    async def _end_begun(self, exchange: Exchange) -> None:
        """End a command that began, and that its own time limit on the host did not end."""
        try:
            self._shells.unended.add(exchange.tag)
            if not await self._sweep(exchange.connection, exchange):
                exchange.verdict = StillRunningError(
                    self.endpoint.node,
                    limit_s=round(exchange.age_s),
                    outcome=T("transport.not_ended", tag=exchange.tag),
                )
        finally:
            exchange.stop()
            await self._give_back()

    async def _wait_for_sign(self, exchange: Exchange, patience_s: float) -> None:
        until = time.monotonic() + patience_s - exchange.age_s
        while exchange.silent and time.monotonic() < until:
            if self._leaving:
                until = min(until, self._leaving + _LEAVING_S)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await exchange.sign()

    async def _sweep(
        self, connection: asyncssh.connection.SSHConnection | None, exchange: Exchange | None = None
    ) -> bool:
        """End all commands that may have stayed on the host; False where that cannot be proven."""
        tags = set(self._shells.unended)
        if not isinstance(connection, asyncssh.SSHClientConnection):
            return False
        by_signal = exchange if self.endpoint.user != "root" else None
        if ended := await end_on_host(connection, tags, by_signal):
            self._shells.unended -= tags
        return ended

    def _ending_done(self, ending: asyncio.Task[None] | asyncio.Task[bool]) -> None:
        self._endings.discard(ending)
        if self._leaving and not self._endings:
            self._shared.hang_up()

    async def _open(self, command: str, exchange: Exchange) -> asyncssh.SSHClientChannel[bytes]:
        while True:
            async with self._turn:
                await self._turn.wait_for(self._may_open)
                self._sessions += 1
            try:
                channel = await self._try_to_open(command, exchange)
                self._hopeless_at = None
                return channel
            except _SessionRefusedError as error:
                self._most_sessions, self._refused_at = max(1, self._sessions - 1), time.monotonic()
                if self._sessions == 1:
                    self._hopeless_at = self._hopeless_at or time.monotonic() + _LONELY_S
                await self._give_back()
                if self._hopeless_at is not None and time.monotonic() > self._hopeless_at:
                    user = self.endpoint.user
                    raise ShellUnusableError(self.endpoint.node, user=user, detail=str(error)) from None
                await asyncio.sleep(random.uniform(0.02, 0.2))  # noqa: S311 - jitter
            except BaseException:
                await self._give_back()
                raise

    def _may_open(self) -> bool:
        # sshd allows fewer sessions than we do (MaxSessions), or holds some of commands that we gave up.
        if time.monotonic() - self._refused_at > _MODEST_FOR_S:
            self._most_sessions = self._limits.sessions_per_host
        return self._sessions < self._most_sessions

    async def _try_to_open(self, command: str, exchange: Exchange) -> asyncssh.SSHClientChannel[bytes]:
        connection = await self.connection()
        try:
            channel, _ = await connection.create_session(lambda: exchange, command, encoding=None, request_pty=False)
        except asyncssh.ChannelOpenError as error:
            if is_dead(connection, error):
                self._shared.drop(connection)
                raise ConnectionLostError(self.endpoint.node, detail=error.reason[:300]) from None
            raise _SessionRefusedError(error.reason[:300]) from None
        except (asyncssh.Error, OSError) as error:
            self._shared.drop(connection)
            raise ConnectionLostError(self.endpoint.node, detail=reason_of(error)[:300]) from None
        return channel

    async def _give_back(self) -> None:
        async with self._turn:
            self._sessions -= 1
            self._turn.notify_all()

    def lost(self, connection: asyncssh.SSHClientConnection) -> None:
        """Forget a connection that turned out to be dead."""
        self._shared.drop(connection)

    def hang_up(self) -> None:
        """Begin to log out, at once unless something is still to be ended on the host; needs no turn of the loop."""
        self._leaving = self._leaving or time.monotonic()
        if not self._endings:
            self._shared.hang_up()

    async def close(self) -> None:
        """Log out, once what was given up is ended on the host."""
        self.hang_up()
        if self._endings:
            await asyncio.wait(self._endings, timeout=_ENDINGS_LIMIT_S)
        await self._shared.close()


def is_dead(connection: asyncssh.SSHClientConnection, error: asyncssh.ChannelOpenError) -> bool:
    """Whether a channel could not be opened because the whole connection is gone."""
    text = error.reason.lower()
    return connection.is_closed() or "connection closed" in text or "connection lost" in text
