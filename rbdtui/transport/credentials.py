"""What we may show a host to be let in: key files, the agent's keys, a password; read once, kept in memory only."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from rbdtui.plain_file import NotPlainError, read_named
from rbdtui.redact import Redactor
from rbdtui.transport.base import (
    CredentialError,
    LoginRefusedError,
    RemoteScriptError,
    SudoPasswordWrongError,
    TransportError,
)
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.library import asyncssh
from rbdtui.words import T

MOST_KEYS: Final = 4
"""Keys shown per login: sshd counts each refused one and hangs up after six failures (MaxAuthTries)."""
_MOST_KEY_BYTES: Final = 256 * 1024
_OUR_WORDS: Final = frozenset({"node", "user", "address", "bastion"})
"""Members of an error that say what cluster.yaml says, even where a password is the same word."""
_DEFAULT_KEY_FILES: Final = ("id_ed25519", "id_ecdsa", "id_rsa")


class Credentials:
    """Keys and passwords of all endpoints; a key file is opened once, however many hosts use it."""

    def __init__(
        self, secret: Callable[[str], str], *, home: Path | None = None, agent_path: str | None = None
    ) -> None:
        self._secret = secret
        self._home = home
        self._agent_path = agent_path
        self._opened: dict[tuple[Path, str], asyncssh.SSHKey] = {}
        self._lock = asyncio.Lock()
        self._refused: dict[tuple[Endpoint, type[TransportError]], tuple[str, TransportError]] = {}
        self._told: dict[Endpoint, set[str]] = {}

    def __repr__(self) -> str:
        return "Credentials(…)"

    def password(self, endpoint: Endpoint) -> str | None:
        """The password of the login, None when the spec names none; raises `LoginRefusedError` once it was refused."""
        return self._checked(endpoint, endpoint.password, LoginRefusedError)

    def sudo_password(self, endpoint: Endpoint) -> str | None:
        """The password for sudo, None when the spec names none; raises `SudoPasswordWrongError` once it was refused."""
        return self._checked(endpoint, endpoint.sudo_password, SudoPasswordWrongError)

    def note_refusal(self, endpoint: Endpoint, name: str, error: TransportError) -> None:
        """Do not show this secret to this endpoint again: every try counts towards locking the account."""
        self._refused[endpoint, type(error)] = (self._secret(name), error)

    def _checked(self, endpoint: Endpoint, name: str, kind: type[TransportError]) -> str | None:
        if not name:
            return None
        password = self._secret(name)
        refused, error = self._refused.get((endpoint, kind), (None, None))
        if error is not None and refused == password:
            raise error.again()
        self._told.setdefault(endpoint, set()).add(password)
        return password

    def take_out_of(self, error: TransportError, endpoint: Endpoint) -> None:
        """Take the passwords that a host, or a bastion before it, has been told out of what it said of them.

        A login shell that repeats its input is enough for that, and an error is shown and sent on as it is.
        """
        told = {password for stop in (*endpoint.bastions, endpoint) for password in self._told.get(stop, ())}
        if not told:
            return
        redactor = Redactor(told)
        ours = {name: value for name, value in error.params.items() if name in _OUR_WORDS}
        error.params = {**redactor.words(error.text).params, **ours}
        error.args = (error.node, error.params)
        if isinstance(error, RemoteScriptError):
            result = error.result
            error.result = replace(
                result, stdout=_bytes_without(redactor, result.stdout), stderr=_bytes_without(redactor, result.stderr)
            )

    async def keys(self, endpoint: Endpoint, agent: asyncssh.SSHAgentClient | None) -> list[asyncssh.SSHKeyPair]:
        """Keys to show, the named one first, then the agent's; raises `CredentialError`.

        An encrypted key file without a named passphrase is left to the agent. When neither a key nor a password is
        named, the usual files of ``~/.ssh`` count as well.
        """
        keys: list[asyncssh.SSHKeyPair] = []
        agent_keys = await _agent_keys(agent) if agent else []
        if endpoint.key is not None:
            try:
                keys.append(await self._open(endpoint, endpoint.key))
            except asyncssh.KeyImportError as error:
                if endpoint.passphrase or not agent_keys or not _lacks_passphrase(error):
                    raise _unusable(endpoint, endpoint.key, error) from None
        elif not endpoint.password:
            keys.extend(await self._default_keys(endpoint))
        known = {key.public_data for key in keys}
        keys.extend(key for key in agent_keys if key.public_data not in known)
        return keys[:MOST_KEYS]

    async def agent(self, endpoint: Endpoint) -> asyncssh.SSHAgentClient | None:
        """A connection to the SSH agent of this machine; None when there is none or it may not be asked."""
        path = os.environ.get("SSH_AUTH_SOCK", "") if self._agent_path is None else self._agent_path
        if not (endpoint.agent and path):
            return None
        try:
            return await asyncssh.connect_agent(path)
        except OSError:
            return None

    async def _default_keys(self, endpoint: Endpoint) -> list[asyncssh.SSHKeyPair]:
        keys = []
        for name in _DEFAULT_KEY_FILES:
            path = (self._home or Path.home()) / ".ssh" / name
            if path.is_file():
                try:
                    keys.append(await self._open(endpoint, path))
                except (CredentialError, asyncssh.KeyImportError):
                    continue
        return keys

    async def _open(self, endpoint: Endpoint, path: Path) -> asyncssh.SSHKeyPair:
        async with self._lock:
            place = (path, endpoint.passphrase)
            if place not in self._opened:
                passphrase = self._secret(endpoint.passphrase) if endpoint.passphrase else None
                try:
                    self._opened[place] = await asyncio.to_thread(_read_key, path, passphrase)
                except NotPlainError:
                    raise CredentialError(endpoint.node, key=str(path), reason=T("transport.not_a_key")) from None
                except OSError as error:
                    reason = error.strerror or type(error).__name__
                    raise CredentialError(endpoint.node, key=str(path), reason=reason) from None
                except asyncssh.KeyEncryptionError:
                    reason_text = T("transport.passphrase_wrong")
                    raise CredentialError(endpoint.node, key=str(path), reason=reason_text) from None
            # A pair of its own for each login: asyncssh notes in it which signature the server at hand takes.
            return asyncssh.load_keypairs([self._opened[place]])[0]


def _bytes_without(redactor: Redactor, data: bytes) -> bytes:
    return redactor.text(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def _read_key(path: Path, passphrase: str | None) -> asyncssh.SSHKey:
    """A private key; who wrote cluster.yaml may have named anything. Raises `OSError` or `asyncssh.KeyImportError`."""
    content = read_named(path, _MOST_KEY_BYTES)
    if len(content) > _MOST_KEY_BYTES:
        raise asyncssh.KeyImportError("too long for a private key")
    return asyncssh.import_private_key(content, passphrase)


async def _agent_keys(agent: asyncssh.SSHAgentClient) -> list[asyncssh.SSHKeyPair]:
    try:
        return list(await agent.get_keys())
    except (OSError, ValueError):
        return []


def _lacks_passphrase(error: asyncssh.KeyImportError) -> bool:
    return "passphrase must be specified" in str(error).lower()


def _unusable(endpoint: Endpoint, path: Path, error: asyncssh.KeyImportError) -> CredentialError:
    reason = T("transport.passphrase_missing") if _lacks_passphrase(error) else T("transport.not_a_key")
    return CredentialError(endpoint.node, key=str(path), reason=reason)
