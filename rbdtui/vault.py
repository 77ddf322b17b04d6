"""Secrets of a site in one encrypted file: scrypt makes the key from a passphrase, AES-256-GCM seals them together.

The file has three lines: a header in JSON (parameters and salt, authenticated along with the secrets), nonce and
ciphertext in base64, and a SHA-256 of the first two lines. The last is no protection; it tells a damaged file from a
wrong passphrase.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import string
import time
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from rbdtui.atomic import write_atomic
from rbdtui.errors import SentenceError
from rbdtui.locking import try_lock
from rbdtui.spec.values import SECRET_NAME_PATTERN
from rbdtui.words import T

FORMAT: Final = "rbdtui-vault"
VERSION: Final = 1
MAX_FILE_BYTES: Final = 1024 * 1024
MAX_VALUE_BYTES: Final = 64 * 1024
DEFAULT_WORK: Final = 2**17
"""scrypt's n; with r=8 one guess costs 128 MiB."""

_WORK_RANGE: Final = (2**14, 2**17)
"""Lower is not worth the name; higher would let a hostile file take all memory."""
_BLOCK: Final = 8
_PARALLEL: Final = 1
_SALT_BYTES: Final = 16
_NONCE_BYTES: Final = 12
_LOCK_TIMEOUT_S: Final = 10.0
_NAME: Final = re.compile(SECRET_NAME_PATTERN)
_VRRP_PASSWORD_LENGTH: Final = 8
"""keepalived reads no more of auth_pass (keepalived.conf(5))."""


LEAST_PASSPHRASE_CHARS: Final = 8
"""What front ends take for a new vault; one that is there opens with whatever it was made with."""


class VaultError(SentenceError):
    """The vault cannot do what was asked; the sentence is ``vault.<kind>``."""

    def __init__(self, kind: str, **params: str | int) -> None:
        super().__init__(T(f"vault.{kind}", **params))  # words: vault.*
        self.kind = kind


@dataclass(frozen=True, slots=True)
class _Header:
    """What must be known before the passphrase is of use."""

    line: bytes
    """As it stands in the file: authenticated as it is."""
    salt: bytes
    work: int


class Vault:
    """An open vault: reading is from memory, every change goes to the file at once.

    Several processes may have the same vault open; each change is made to what the file holds at that moment.
    """

    def __init__(self, path: Path, header: _Header, key: bytes, values: Mapping[str, str]) -> None:
        self._path = path
        self._header = header
        self._key = key
        self._values = dict(values)

    def __repr__(self) -> str:
        return f"Vault({str(self._path)!r}, {len(self._values)} secrets)"

    @classmethod
    def create(cls, path: Path, passphrase: str, *, work: int = DEFAULT_WORK) -> Vault:
        """Make an empty vault; raises `VaultError` when there is a file already or it cannot be written."""
        if not passphrase:
            raise VaultError("no_passphrase")
        header = _new_header(work)
        vault = cls(path, header, _derive_key(header, passphrase), {})
        with _locked(path):
            if path.exists() or path.is_symlink():
                raise VaultError("exists", path=str(path))
            vault._write({})
        return vault

    @classmethod
    def open(cls, path: Path, passphrase: str) -> Vault:
        """Unlock an existing vault; raises `VaultError` whose kind tells why not."""
        header, sealed = _split(_read(path))
        key = _derive_key(header, passphrase)
        return cls(path, header, key, _unseal(key, header, sealed))

    def get(self, name: str) -> str:
        """The value of a secret; raises `VaultError` (``missing``)."""
        try:
            return self._values[name]
        except KeyError:
            raise VaultError("missing", name=_shown(name)) from None

    def names(self) -> list[str]:
        """The names of all secrets, sorted."""
        return sorted(self._values)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def set(self, name: str, value: str) -> None:
        """Keep a value, replacing an earlier one; raises `VaultError` on a bad name or an empty or huge value."""
        if not is_secret_name(name):
            raise VaultError("bad_name", name=_shown(name))
        if not value:
            raise VaultError("empty_value", name=name)
        if len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE_BYTES:
            raise VaultError("huge_value", name=name, limit_kib=MAX_VALUE_BYTES // 1024)
        with _locked(self._path):
            self._write({**self._reread(), name: value})

    def forget(self, name: str) -> None:
        """Remove a secret; raises `VaultError` (``missing``)."""
        with _locked(self._path):
            values = self._reread()
            if name not in values:
                raise VaultError("missing", name=_shown(name))
            del values[name]
            self._write(values)

    def _reread(self) -> dict[str, str]:
        """What the file holds now; another process may have written since."""
        header, sealed = _split(_read(self._path))
        if header.line != self._header.line:
            raise VaultError("replaced", path=str(self._path))
        return _unseal(self._key, header, sealed)

    def _write(self, values: dict[str, str]) -> None:
        plain = json.dumps({"secrets": values}).encode("ascii")
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + AESGCM(self._key).encrypt(nonce, plain, self._header.line)
        body = self._header.line + b"\n" + base64.b64encode(sealed) + b"\n"
        content = body + hashlib.sha256(body).hexdigest().encode("ascii") + b"\n"
        if len(content) > MAX_FILE_BYTES:
            raise VaultError("full", limit_kib=MAX_FILE_BYTES // 1024)
        try:
            write_atomic(self._path, content)
        except OSError as error:
            raise VaultError("cannot_write", path=str(self._path), reason=error.strerror or "") from error
        self._values = values


def is_secret_name(name: str) -> bool:
    """Whether a secret may have this name."""
    return _NAME.fullmatch(name) is not None


def generate_token() -> str:
    """A fresh shared token of a cluster: 256 random bits as hexadecimal digits."""
    return secrets.token_hex(32)


def generate_vrrp_password() -> str:
    """A fresh password of keepalived's instances: 8 letters and digits, all that keepalived reads."""
    letters = string.ascii_letters + string.digits
    return "".join(secrets.choice(letters) for _ in range(_VRRP_PASSWORD_LENGTH))


def generate_replication_password() -> str:
    """A fresh password of an account that MySQL servers use among themselves: they take 32 characters at most."""
    return secrets.token_hex(15)


def _new_header(work: int) -> _Header:
    salt = os.urandom(_SALT_BYTES)
    fields = {
        "format": FORMAT,
        "version": VERSION,
        "kdf": "scrypt",
        "n": work,
        "r": _BLOCK,
        "p": _PARALLEL,
        "salt": base64.b64encode(salt).decode("ascii"),
        "cipher": "aes-256-gcm",
    }
    return _Header(json.dumps(fields).encode("ascii"), salt, work)


def _read(path: Path) -> bytes:
    """The whole file; raises `VaultError` when it is absent, no file, too large or unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise VaultError("not_a_vault", path=str(path))
            with open(descriptor, "rb", closefd=False) as file:
                content = file.read(MAX_FILE_BYTES + 1)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        raise VaultError("absent", path=str(path)) from None
    except OSError as error:
        raise VaultError("cannot_read", path=str(path), reason=error.strerror or "") from error
    if len(content) > MAX_FILE_BYTES:
        raise VaultError("not_a_vault", path=str(path))
    if not content:
        raise VaultError("damaged", path=str(path))
    return content


def _split(content: bytes) -> tuple[_Header, bytes]:
    """Header and sealed part of a file's content; raises `VaultError`."""
    lines = content.split(b"\n")
    header = _parse_header(lines[0])
    if len(lines) != 4 or lines[3] != b"":
        raise VaultError("damaged")
    body = lines[0] + b"\n" + lines[1] + b"\n"
    if hashlib.sha256(body).hexdigest().encode("ascii") != lines[2]:
        raise VaultError("damaged")
    try:
        sealed = base64.b64decode(lines[1], validate=True)
    except binascii.Error:
        raise VaultError("damaged") from None
    return header, sealed


def _parse_header(line: bytes) -> _Header:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        raise VaultError("damaged") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise VaultError("damaged")
    version = fields.get("version")
    if isinstance(version, int) and version > VERSION:
        raise VaultError("newer", version=version)
    known = {"version": VERSION, "kdf": "scrypt", "r": _BLOCK, "p": _PARALLEL, "cipher": "aes-256-gcm"}
    work, salt = fields.get("n"), fields.get("salt")
    if any(fields.get(name) != value for name, value in known.items()):
        raise VaultError("unknown_parameters")
    if not isinstance(work, int) or not _WORK_RANGE[0] <= work <= _WORK_RANGE[1] or work & (work - 1):
        raise VaultError("unknown_parameters")
    try:
        salt_bytes = base64.b64decode(salt, validate=True) if isinstance(salt, str) else b""
    except (binascii.Error, ValueError):
        raise VaultError("damaged") from None
    if len(salt_bytes) != _SALT_BYTES:
        raise VaultError("unknown_parameters")
    return _Header(line, salt_bytes, work)


def _derive_key(header: _Header, passphrase: str) -> bytes:
    """The key; the same passphrase typed on another keyboard must give the same bytes, hence NFC."""
    material = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    kdf = Scrypt(salt=header.salt, length=32, n=header.work, r=_BLOCK, p=_PARALLEL)
    return kdf.derive(material)


def _unseal(key: bytes, header: _Header, sealed: bytes) -> dict[str, str]:
    nonce, ciphertext = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        plain = AESGCM(key).decrypt(nonce, ciphertext, header.line)
    except (InvalidTag, ValueError):
        raise VaultError("wrong_passphrase") from None
    try:
        values = json.loads(plain)["secrets"]
    except (ValueError, KeyError, TypeError):
        raise VaultError("damaged") from None
    if not isinstance(values, dict) or not all(isinstance(value, str) for value in values.values()):
        raise VaultError("damaged")
    return values


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the vault's lock file, so that two writers do not lose each other's change."""
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise VaultError("cannot_write", path=str(path), reason=error.strerror or "") from error
    try:
        deadline = time.monotonic() + _LOCK_TIMEOUT_S
        while not _lock(path, descriptor):
            if time.monotonic() > deadline:
                raise VaultError("busy", path=str(path))
            time.sleep(0.02)
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, descriptor: int) -> bool:
    try:
        return try_lock(descriptor)
    except OSError as error:
        raise VaultError("cannot_write", path=str(path), reason=error.strerror or "") from error


def _shown(name: str) -> str:
    """A name as it may be shown: somebody may have typed the secret in its place."""
    return name if is_secret_name(name) else "…"
