"""Ways to hosts: shared connections to bastions, and the limit on logins that are under way at once."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from typing import Final

from rbdtui.transport.base import (
    BastionError,
    ConnectionLostError,
    HostKeyChangedError,
    HostKeyUnknownError,
    SimulatedOnlyError,
    TransportError,
)
from rbdtui.transport.credentials import Credentials
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.gates import LoginPlaces
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.library import asyncssh
from rbdtui.transport.limits import Limits
from rbdtui.transport.login import log_in

_LOGIN_TRIES: Final = 3
"""sshd drops logins at random when too many are under way (MaxStartups), so a dropped one is tried again."""
_CLOSE_LIMIT_S: Final = 3.0


class SharedConnection:
    """A connection that is opened when first needed, by one login however many wait for it, and again when lost."""

    def __init__(self, open_connection: Callable[[], Awaitable[asyncssh.SSHClientConnection]]) -> None:
        self._open_connection = open_connection
        self._connection: asyncssh.SSHClientConnection | None = None
        self._login: asyncio.Task[asyncssh.SSHClientConnection] | None = None
        self._hung_up = False
        self.logins = 0
        """How often a login succeeded."""

    async def get(self) -> asyncssh.SSHClientConnection:
        """The open connection; raises `TransportError`, the same one for all who wait."""
        if self._connection is not None and not self._connection.is_closed():
            return self._connection
        if self._login is None:
            self._login = asyncio.create_task(self._log_in())
            self._login.add_done_callback(self._login_done)
        return await asyncio.shield(self._login)

    def drop(self, connection: asyncssh.SSHClientConnection) -> None:
        """Forget a connection that turned out to be dead."""
        if connection is self._connection:
            self._connection = None
        connection.abort()

    def hang_up(self) -> None:
        """Begin to log out for good; needs no turn of the loop, so that nobody's cancellation can prevent it."""
        self._hung_up = True
        if self._login is not None:
            self._login.cancel()
        if self._connection is not None:
            self._connection.close()

    async def close(self) -> None:
        """Log out for good."""
        self.hang_up()
        if self._login is not None:
            with contextlib.suppress(asyncio.CancelledError, TransportError):
                await self._login
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await asyncio.wait_for(connection.wait_closed(), _CLOSE_LIMIT_S)
            except TimeoutError:
                connection.abort()

    async def _log_in(self) -> asyncssh.SSHClientConnection:
        self._connection = await self._open_connection()
        self.logins += 1
        if self._hung_up:
            self._connection.abort()
        return self._connection

    def _login_done(self, login: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
        self._login = None
        if not login.cancelled():
            login.exception()


class Routes:
    """Logs in to endpoints, through the bastions in front of them where there are any."""

    def __init__(self, known_hosts: KnownHosts, credentials: Credentials, limits: Limits) -> None:
        self._known_hosts = known_hosts
        self._credentials = credentials
        self._limits = limits
        self.places = LoginPlaces(limits)
        """Shared by all that open connections to hosts."""
        self._bastions: dict[Endpoint, SharedConnection] = {}

    async def log_in(self, endpoint: Endpoint) -> asyncssh.SSHClientConnection:
        """A new connection to a host; raises `TransportError`."""
        for tries_left in reversed(range(_LOGIN_TRIES)):
            try:
                return await self._log_in_once(endpoint)
            except ConnectionLostError:
                if not tries_left:
                    raise
                await asyncio.sleep(random.uniform(0.2, 1.0))  # noqa: S311 - jitter
        raise AssertionError("unreachable")

    def hang_up(self) -> None:
        """Begin to log out of all bastions, the farthest first."""
        for endpoint in self._farthest_first():
            self._bastions[endpoint].hang_up()

    async def close(self) -> None:
        """Log out of all bastions, the farthest first."""
        for endpoint in self._farthest_first():
            await self._bastions[endpoint].close()
        self._bastions.clear()

    def _farthest_first(self) -> list[Endpoint]:
        return sorted(self._bastions, key=lambda bastion: -len(bastion.bastions))

    async def _log_in_once(self, endpoint: Endpoint) -> asyncssh.SSHClientConnection:
        tunnel = await self.tunnel_for(endpoint)
        try:
            async with self.places.opening(endpoint):
                return await log_in(
                    endpoint,
                    tunnel=tunnel,
                    known_hosts=self._known_hosts,
                    credentials=self._credentials,
                    places=self.places,
                    limits=self._limits,
                )
        except TransportError as error:
            self._credentials.take_out_of(error, endpoint)
            raise

    async def tunnel_for(self, endpoint: Endpoint) -> asyncssh.SSHClientConnection | None:
        """The connection of the last bastion before a host; None when the host is reached directly.

        What goes wrong with a bastion is told of the host behind it. Nobody connects without it, so this is where a
        demo is kept to its own servers.
        """
        self._known_hosts.refuse_strangers(endpoint.node, endpoint.address, endpoint.port)
        if endpoint.before is None:
            return None
        try:
            return await self._bastion(endpoint.before).get()
        except (HostKeyUnknownError, HostKeyChangedError, SimulatedOnlyError, BastionError) as error:
            raise error.again(endpoint.node) from None
        except TransportError as error:
            failure = BastionError(endpoint.node, bastion=error.node, reason=error.text)
            failure.retryable = error.retryable
            raise failure from None

    def _bastion(self, endpoint: Endpoint) -> SharedConnection:
        if endpoint not in self._bastions:
            self._bastions[endpoint] = SharedConnection(lambda: self.log_in(endpoint))
        return self._bastions[endpoint]
