"""The link to one host: its connection, how many commands may use it at once, and patience when it is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final, TypeVar

import asyncssh

from rbdtui.transport.base import (
    BastionError,
    ConnectionLostError,
    ConnectRefusedError,
    ConnectTimeoutError,
    ShellUnusableError,
    UnreachableError,
)
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.exchange import Exchange
from rbdtui.transport.limits import Limits
from rbdtui.transport.routes import Routes, SharedConnection

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

        Raises `ConnectionLostError`; what ends the exchange itself is for its `finish` to say.
        """
        channel = await self._open(command, exchange)
        try:
            yield channel
        finally:
            exchange.stop()
            await self._give_back()

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
            raise ConnectionLostError(self.endpoint.node, detail=str(error)[:300]) from None
        return channel

    async def _give_back(self) -> None:
        async with self._turn:
            self._sessions -= 1
            self._turn.notify_all()

    def lost(self, connection: asyncssh.SSHClientConnection) -> None:
        """Forget a connection that turned out to be dead."""
        self._shared.drop(connection)

    def hang_up(self) -> None:
        """Begin to log out; needs no turn of the loop."""
        self._shared.hang_up()

    async def close(self) -> None:
        """Log out."""
        await self._shared.close()


def is_dead(connection: asyncssh.SSHClientConnection, error: asyncssh.ChannelOpenError) -> bool:
    """Whether a channel could not be opened because the whole connection is gone."""
    text = error.reason.lower()
    return connection.is_closed() or "connection closed" in text or "connection lost" in text
