"""Host keys: pinned per site in a known_hosts file of OpenSSH's form, shown by fingerprint, never taken unseen."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from rbdtui.atomic import write_atomic
from rbdtui.transport.base import HostKeyFileError, SimulatedOnlyError, TransportError
from rbdtui.transport.library import asyncssh

ALGORITHMS_BY_KEY_TYPE: Final = {
    "ssh-ed25519": ("ssh-ed25519",),
    "ecdsa-sha2-nistp256": ("ecdsa-sha2-nistp256",),
    "ecdsa-sha2-nistp384": ("ecdsa-sha2-nistp384",),
    "ecdsa-sha2-nistp521": ("ecdsa-sha2-nistp521",),
    "ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"),
}
"""Signature algorithms by type of host key, best first; SHA-1 stands last, for servers that know nothing else."""


class KeyState(StrEnum):
    """How a host key that was shown compares with the pinned ones."""

    NEW = "new"
    PINNED = "pinned"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class SeenHostKey:
    """A key that a host showed, or why it showed none."""

    node: str
    """The node's name, for a bastion its address."""
    address: str
    port: int
    algorithm: str = ""
    """Type of the key, e.g. ``ssh-ed25519``; empty when none was shown."""
    fingerprint: str = ""
    """``SHA256:…``"""
    public_key: str = ""
    """Type and base64, as it stands in known_hosts."""
    state: KeyState = KeyState.NEW
    pinned_fingerprint: str = ""
    """Of the key that is pinned in its place, when it changed."""
    error: TransportError | None = None
    """Why the host showed no key."""


class KnownHosts:
    """The pinned host keys of a site; the file is read again whenever it changed.

    ``only`` holds address and port of the simulated servers of a demo's site: nothing else is a host there.
    """

    def __init__(self, path: Path, *, only: frozenset[tuple[str, int]] | None = None) -> None:
        self._path = path
        self._only = only
        self._read_as: tuple[int, int, int] | None = None
        self._entries = asyncssh.import_known_hosts("")

    @property
    def only_simulated(self) -> bool:
        """Whether the site is a demo's, from which this machine connects to nothing but its servers."""
        return self._only is not None

    def refuse_strangers(self, node: str, address: str, port: int) -> None:
        """Raise `SimulatedOnlyError` for what is none of a demo's servers: no connection is made to it."""
        if self._only is not None and (address, port) not in self._only:
            raise SimulatedOnlyError(node, address=address, port=port)

    def pinned_keys(self, address: str, port: int) -> list[asyncssh.SSHKey]:
        """Keys pinned for a host, of every type; raises `HostKeyFileError` when the file cannot be used."""
        self._refresh()
        keys = list(self._entries.match(_pattern(address, port), "", None)[0])
        order = list(ALGORITHMS_BY_KEY_TYPE)
        return sorted(keys, key=lambda key: order.index(name) if (name := key.get_algorithm()) in order else len(order))

    def revoked_keys(self, address: str, port: int) -> list[asyncssh.SSHKey]:
        """Keys marked ``@revoked`` for a host."""
        self._refresh()
        return list(self._entries.match(_pattern(address, port), "", None)[2])

    def pin(self, keys: Iterable[SeenHostKey]) -> None:
        """Pin keys as the operator confirmed them; each host named forgets all that was pinned for it before.

        As with ``ssh-keygen -R`` a line that speaks for such a host goes as a whole, in whatever form it names it (in
        a list, hashed, by a pattern): what else it spoke for is to be confirmed again. Lines with a mark, as
        ``@revoked``, stay. Raises `HostKeyFileError` when a line cannot be understood.
        """
        confirmed = [key for key in keys if key.public_key]
        patterns = {_pattern(key.address, key.port) for key in confirmed}
        lines = self._lines_without(patterns)
        for key in confirmed:
            line = f"{_pattern(key.address, key.port)} {key.public_key}"
            if line not in lines:
                lines.append(line)
        self._write(lines)

    def forget(self, address: str, port: int) -> bool:
        """Unpin a host, as `pin` does before it pins; False when nothing was pinned."""
        kept = self._lines_without({_pattern(address, port)})
        if kept == self._lines():
            return False
        self._write(kept)
        return True

    def _lines_without(self, patterns: set[str]) -> list[str]:
        """The lines that trust no key of these hosts; judged by what `pinned_keys` judges by."""
        kept = []
        for number, line in enumerate(self._lines(), 1):
            try:
                entry = asyncssh.import_known_hosts(line)
            except ValueError as error:
                detail = f"{self._path.name}:{number}: {_reason(error)}"
                raise HostKeyFileError("", path=str(self._path), detail=detail) from error
            if not any(entry.match(pattern, "", None)[0] for pattern in patterns):
                kept.append(line)
        return kept

    def _lines(self) -> list[str]:
        try:
            return self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise HostKeyFileError("", path=str(self._path), detail=_reason(error)) from error

    def _write(self, lines: list[str]) -> None:
        try:
            write_atomic(self._path, "".join(line + "\n" for line in lines).encode())
        except OSError as error:
            raise HostKeyFileError("", path=str(self._path), detail=_reason(error)) from error

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            self._read_as, self._entries = None, asyncssh.import_known_hosts("")
            return
        version = (status.st_mtime_ns, status.st_size, status.st_ino)
        if version == self._read_as:
            return
        try:
            self._entries = asyncssh.import_known_hosts("\n".join(self._lines()))
        except ValueError as error:
            raise HostKeyFileError("", path=str(self._path), detail=_reason(error)) from error
        self._read_as = version


def fingerprint(key: asyncssh.SSHKey) -> str:
    """The key's fingerprint as OpenSSH shows it, ``SHA256:…``."""
    return key.get_fingerprint("sha256")


def public_text(key: asyncssh.SSHKey) -> str:
    """Type and base64 of a key, without comment."""
    return " ".join(key.export_public_key("openssh").decode("ascii").split()[:2])


def signature_algorithms(keys: Iterable[asyncssh.SSHKey]) -> list[str]:
    """What to offer so that the host shows a key of a type that is pinned; of every type when none is."""
    types = [key.get_algorithm() for key in keys] or list(ALGORITHMS_BY_KEY_TYPE)
    return list(dict.fromkeys(name for kind in types for name in ALGORITHMS_BY_KEY_TYPE.get(kind, (kind,))))


def _pattern(address: str, port: int) -> str:
    return address if port == 22 else f"[{address}]:{port}"


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
