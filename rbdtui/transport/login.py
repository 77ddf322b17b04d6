"""Logging in to one host, directly or through a bastion's connection, and what can go wrong on the way."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Any, Final, cast

from rbdtui.terminal_text import clean_line
from rbdtui.transport.base import (
    BastionError,
    ConnectionLostError,
    ConnectRefusedError,
    ConnectTimeoutError,
    HostKeyChangedError,
    HostKeyUnknownError,
    LoginRefusedError,
    NotSshError,
    SecondFactorError,
    TransportError,
    UnreachableError,
)
from rbdtui.transport.credentials import Credentials
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.gates import LoginPlaces
from rbdtui.transport.hostkeys import KnownHosts, fingerprint, signature_algorithms
from rbdtui.transport.library import asyncssh
from rbdtui.transport.limits import Limits
from rbdtui.words import T

CIPHERS: Final = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes128-ctr",
    "aes192-ctr",
    "aes256-ctr",
)
"""Best first: GCM is the fastest here, the last ones are for old servers."""
KEY_EXCHANGES: Final = "-diffie-hellman-group-exchange-*,rsa2048-sha256,gss-*"
"""All of asyncssh's but those in which the host chooses numbers for us to calculate with: to look whether a large prime
that nobody knows is one takes OpenSSL more than a minute, before any key of the host has been seen."""
COMPRESSION: Final = ("none",)
"""A few bytes of a compressed packet may stand for any number of them."""
_HUNG_UP: Final = (asyncssh.ConnectionLost, asyncssh.KeyExchangeFailed, ConnectionResetError)
"""What it looks like from here when sshd ends a connection before it has shown a key."""
LONGEST_QUESTION: Final = 80
_AUTH_METHODS: Final = ("publickey", "password", "keyboard-interactive")


class _Client(asyncssh.SSHClient):
    """Answers sshd during one login, and notes what it was asked and shown."""

    def __init__(self, keys: list[asyncssh.SSHKeyPair], password: str | None) -> None:
        self._keys = list(keys)
        self._password = password
        self._connection: asyncssh.SSHClientConnection | None = None
        self.tried: list[str] = []
        self.offered: list[str] = []
        """The methods by which the host says it takes logins of this user, as far as we know them (RFC 4252, 5.1)."""
        self.unanswered = ""
        """The question that is none for the password."""
        self.shown_key: asyncssh.SSHKey | None = None

    @property
    def password_was_shown(self) -> bool:
        """Whether the password has been tried."""
        return "password" in self.tried or "keyboard-interactive" in self.tried

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._connection = conn

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown_key = key
        return False

    def public_key_auth_requested(self) -> asyncssh.SSHKeyPair | None:
        self._note_offer()
        if not self._keys:
            return None
        self._note("publickey")
        return self._keys.pop(0)

    def password_auth_requested(self) -> str | None:
        self._note_offer()
        if self._password is not None:
            self._note("password")
        return self._take_password()

    def password_change_requested(
        self, prompt: str, lang: str
    ) -> asyncssh.misc.MaybeAwait[asyncssh.auth.PasswordChangeResponse]:
        self._note("password-change")
        return super().password_change_requested(prompt, lang)

    def kbdint_auth_requested(self) -> str | None:
        self._note_offer()
        return None if self._password is None else ""

    def kbdint_challenge_received(
        self, name: str, instructions: str, lang: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str] | None:
        if not prompts:
            return []
        # The one hidden question is the password, in whatever language it is asked.
        if len(prompts) != 1 or prompts[0][1] or self._password is None:
            self.unanswered = clean_line(prompts[-1][0], LONGEST_QUESTION).strip() or "?"
            return None
        self._note("keyboard-interactive")
        return [self._take_password() or ""]

    def failure(self, endpoint: Endpoint, trusted: Sequence[asyncssh.SSHKey]) -> TransportError | None:
        """The error for a host key that is not pinned; None when that was not the trouble."""
        if self.shown_key is None:
            return None
        if trusted:
            return _changed(endpoint, self.shown_key, trusted)
        return HostKeyUnknownError(
            endpoint.node,
            address=endpoint.address,
            port=endpoint.port,
            algorithm=self.shown_key.get_algorithm(),
            fingerprint=fingerprint(self.shown_key),
        )

    def _take_password(self) -> str | None:
        # Shown once per login: every further try would count towards locking the account.
        password, self._password = self._password, None
        return password

    def _note_offer(self) -> None:
        """Keep what the host offers before anything has been tried: asyncssh crosses out what failed."""
        if not self.offered and self._connection is not None:
            self.offered = list(self._connection.get_server_auth_methods())

    def _note(self, method: str) -> None:
        if method not in self.tried:
            self.tried.append(method)


async def log_in(
    endpoint: Endpoint,
    *,
    tunnel: asyncssh.SSHClientConnection | None,
    known_hosts: KnownHosts,
    credentials: Credentials,
    places: LoginPlaces,
    limits: Limits,
) -> asyncssh.SSHClientConnection:
    """Log in to a host; ``tunnel`` is the connection of the bastion in front of it. Raises `TransportError`."""
    trusted = known_hosts.pinned_keys(endpoint.address, endpoint.port)
    revoked = known_hosts.revoked_keys(endpoint.address, endpoint.port)
    password = credentials.password(endpoint)
    agent = await credentials.agent(endpoint)
    client = _Client([], password)
    try:
        client = _Client(await credentials.keys(endpoint, agent), password)
        return await _connect(endpoint, tunnel, client, (trusted, revoked), places, limits)
    except (OSError, asyncssh.Error, ValueError) as error:
        failure = client.failure(endpoint, trusted) or await _other_key(endpoint, tunnel, error, trusted, places)
        failure = failure or explain(endpoint, error, client.tried, client.offered)
        if isinstance(failure, LoginRefusedError):
            if client.unanswered:
                raise SecondFactorError(endpoint.node, **_where(endpoint), question=client.unanswered) from None
            if client.password_was_shown:
                credentials.note_refusal(endpoint, endpoint.password, failure)
        raise failure from None
    finally:
        if agent is not None:
            agent.close()


async def _connect(
    endpoint: Endpoint,
    tunnel: asyncssh.SSHClientConnection | None,
    client: _Client,
    keys: tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey]],
    places: LoginPlaces,
    limits: Limits,
) -> asyncssh.SSHClientConnection:
    """Connect with nothing but what is said here: no configuration file, no default key, no other trust."""
    trusted, revoked = keys
    async with places.gate(endpoint, tunnel) as gate:
        return await asyncssh.connect(
            endpoint.address,
            endpoint.port,
            username=endpoint.user,
            tunnel=cast(Any, gate),
            config=None,
            known_hosts=(trusted, [], revoked),
            server_host_key_algs=signature_algorithms(trusted),
            client_factory=lambda: client,
            client_keys=None,
            agent_path=None,
            gss_host=None,
            preferred_auth=_AUTH_METHODS,
            kex_algs=KEY_EXCHANGES,
            encryption_algs=CIPHERS,
            compression_algs=COMPRESSION,
            connect_timeout=None,
            login_timeout=0,
            keepalive_interval=limits.keepalive_interval_s,
            keepalive_count_max=limits.keepalive_count,
        )


async def shown_key(
    endpoint: Endpoint,
    tunnel: asyncssh.SSHClientConnection | None,
    algorithms: Sequence[str],
    places: LoginPlaces,
) -> asyncssh.SSHKey | None:
    """The key that a host shows when asked for these algorithms, without logging in.

    Raises `asyncssh.Error` or `OSError`; a host that has no such key just hangs up (`asyncssh.ConnectionLost`).
    """
    async with places.gate(endpoint, tunnel) as gate:
        return await asyncssh.get_server_host_key(
            endpoint.address,
            endpoint.port,
            tunnel=cast(Any, gate),
            kex_algs=KEY_EXCHANGES,
            server_host_key_algs=algorithms,
            config=None,
        )


async def _other_key(
    endpoint: Endpoint,
    tunnel: asyncssh.SSHClientConnection | None,
    error: Exception,
    trusted: list[asyncssh.SSHKey],
    places: LoginPlaces,
) -> TransportError | None:
    """The error for a host that no longer has a key of any pinned type: it hangs up before it shows one."""
    if not (trusted and isinstance(error, _HUNG_UP)):
        return None
    try:
        key = await shown_key(endpoint, tunnel, signature_algorithms([]), places)
    except (OSError, asyncssh.Error, ValueError):
        return None
    if key is None or key.get_algorithm() in {pinned.get_algorithm() for pinned in trusted}:
        return None
    return _changed(endpoint, key, trusted)


def explain(
    endpoint: Endpoint, error: Exception, tried: Sequence[str] = (), offered: Sequence[str] = ()
) -> TransportError:
    """The error for what happened on the way to a host or during the login."""
    if isinstance(error, asyncssh.PermissionDenied) or "authentication failures" in str(error).lower():
        methods = {"tried": ", ".join(tried) or "-", "offered": ", ".join(offered) or "-"}
        return LoginRefusedError(endpoint.node, **_where(endpoint), **methods)
    if isinstance(error, asyncssh.ChannelOpenError):
        return _explain_tunnel(endpoint, error)
    return _explain_network(endpoint, error)


def _where(endpoint: Endpoint) -> dict[str, str | int]:
    return {"address": endpoint.address, "port": endpoint.port, "user": endpoint.user}


def _changed(endpoint: Endpoint, shown: asyncssh.SSHKey, trusted: Sequence[asyncssh.SSHKey]) -> HostKeyChangedError:
    algorithm = shown.get_algorithm()
    same_type = [key for key in trusted if key.get_algorithm() == algorithm] or list(trusted)
    return HostKeyChangedError(
        endpoint.node,
        address=endpoint.address,
        port=endpoint.port,
        algorithm=algorithm,
        fingerprint=fingerprint(shown),
        pinned=fingerprint(same_type[0]),
    )


def _explain_network(endpoint: Endpoint, error: Exception) -> TransportError:
    where: dict[str, str | int] = {"address": endpoint.address, "port": endpoint.port}
    if isinstance(error, ConnectionRefusedError):
        return ConnectRefusedError(endpoint.node, **where)
    if isinstance(error, TimeoutError):
        return ConnectTimeoutError(endpoint.node, **where)
    if isinstance(error, asyncssh.ConnectionLost):
        if "timeout" in str(error).lower():
            return ConnectTimeoutError(endpoint.node, **where)
        return ConnectionLostError(endpoint.node, detail=str(error)[:300])
    if isinstance(error, asyncssh.Error):
        return NotSshError(endpoint.node, **where, detail=str(error)[:300])
    if isinstance(error, socket.gaierror) or getattr(error, "errno", None) in {errno.EHOSTUNREACH, errno.ENETUNREACH}:
        return UnreachableError(endpoint.node, **where, detail=_reason(error))
    if isinstance(error, OSError):
        return ConnectionLostError(endpoint.node, detail=_reason(error))
    return NotSshError(endpoint.node, **where, detail=str(error)[:300])


def _explain_tunnel(endpoint: Endpoint, error: asyncssh.ChannelOpenError) -> TransportError:
    """What the bastion's sshd says when it cannot reach the host (its words are those of the C library)."""
    where: dict[str, str | int] = {"address": endpoint.address, "port": endpoint.port}
    text = error.reason.lower()
    if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
        assert endpoint.before is not None
        return BastionError(endpoint.node, bastion=endpoint.before.node, reason=T("transport.no_forwarding"))
    if "refused" in text:
        return ConnectRefusedError(endpoint.node, **where)
    if "timed out" in text:
        return ConnectTimeoutError(endpoint.node, **where)
    if "closed" in text or "lost" in text:
        return ConnectionLostError(endpoint.node, detail=error.reason[:300])
    return UnreachableError(endpoint.node, **where, detail=error.reason[:300])


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
