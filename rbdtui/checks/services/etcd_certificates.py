"""Certificate of an authority, a client's certificate and its key: whether they are what they should be and fit."""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID

from rbdtui.findings import Severity

LIMIT_BYTES: Final = 1 << 20
_SOON: Final = datetime.timedelta(days=30)
_BLOCK: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_ENCRYPTED: Final = (b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED")


@dataclass(frozen=True, slots=True)
class Flaw:
    """Something wrong with one of the three."""

    code: str
    severity: Severity
    role: str
    """``ca``, ``cert`` or ``key``."""
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Material:
    """The three as bytes; an empty key where only its owner may look at it."""

    ca: bytes
    cert: bytes
    key: bytes = field(default=b"", repr=False)


def read_material(ca: str, cert: str, key: str) -> Material | None:
    """Read the files of this machine; None when one of them cannot be read, which the check of local files tells."""
    try:
        return Material(*(_read(path) for path in (ca, cert, key)))
    except (OSError, RuntimeError):
        return None


def last_day(material: Material) -> datetime.datetime | None:
    """Until when the client's certificate holds; None when it cannot be read."""
    read = _certificates("cert", material.cert)
    return None if isinstance(read, Flaw) else read[0].not_valid_after_utc


def described(certificate: bytes) -> str:
    """A certificate in one line: whose it is, until when it holds, and its digest."""
    read = _certificates("", certificate)
    if isinstance(read, Flaw):
        return f"? {hashlib.sha256(certificate).hexdigest()[:16]}"
    first = read[0]
    digest = first.fingerprint(hashes.SHA256()).hex()[:16]
    return f"{first.subject.rfc4514_string()}, until {first.not_valid_after_utc:%Y-%m-%d}, sha256 {digest}"


def _read(written: str) -> bytes:
    path = Path(written).expanduser()
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(f"{path} is no file")
        return file.read(LIMIT_BYTES)


def flaws(material: Material, now: datetime.datetime | None = None) -> tuple[Flaw, ...]:
    """All that is wrong, the worst of each kind first."""
    return tuple(_flaws(material, now or datetime.datetime.now(datetime.UTC)))


def _flaws(material: Material, now: datetime.datetime) -> Iterator[Flaw]:
    found: dict[str, Sequence[x509.Certificate]] = {}
    for role, data in (("ca", material.ca), ("cert", material.cert)):
        read = _certificates(role, data)
        if isinstance(read, Flaw):
            yield read
        else:
            found[role] = read
            yield from _times(role, read[0], now)
    key = _public_key(material.key) if material.key else None
    if isinstance(key, Flaw):
        yield key
        key = None
    if "cert" in found:
        yield from _client(found["cert"], key)
        if "ca" in found and not _is_signed(found["cert"], found["ca"]):
            issuer = found["cert"][0].issuer.rfc4514_string()
            yield Flaw("RBD-ETCD-125", Severity.ERROR, "cert", issuer)


def _certificates(role: str, data: bytes) -> Sequence[x509.Certificate] | Flaw:
    """The certificates of a file, or why there are none."""
    try:
        if blocks := _BLOCK.findall(data):
            return [x509.load_pem_x509_certificate(block) for block in blocks]
    except ValueError as error:
        return Flaw("RBD-ETCD-122", Severity.ERROR, role, str(error)[:200])
    try:
        x509.load_der_x509_certificate(data)
    except ValueError:
        kind = data[:40].split(b"\n")[0].decode("ascii", "replace") if data.startswith(b"-----") else ""
        return Flaw("RBD-ETCD-122", Severity.ERROR, role, kind)
    return Flaw("RBD-ETCD-121", Severity.ERROR, role)


def _public_key(data: bytes) -> PublicKeyTypes | Flaw:
    if any(mark in data for mark in _ENCRYPTED):
        return Flaw("RBD-ETCD-123", Severity.ERROR, "key")
    try:
        return load_pem_private_key(data, None).public_key()
    except TypeError:
        return Flaw("RBD-ETCD-123", Severity.ERROR, "key")
    except ValueError:
        pass
    try:
        load_der_private_key(data, None)
    except TypeError:
        return Flaw("RBD-ETCD-123", Severity.ERROR, "key")
    except ValueError:
        return Flaw("RBD-ETCD-122", Severity.ERROR, "key")
    return Flaw("RBD-ETCD-121", Severity.ERROR, "key")


def _times(role: str, certificate: x509.Certificate, now: datetime.datetime) -> Iterator[Flaw]:
    first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now < first:
        yield Flaw("RBD-ETCD-127", Severity.ERROR, role, f"{first:%Y-%m-%d %H:%M} UTC")
    elif now > last:
        yield Flaw("RBD-ETCD-126", Severity.ERROR, role, f"{last:%Y-%m-%d %H:%M} UTC")
    elif now + _SOON > last:
        yield Flaw("RBD-ETCD-128", Severity.WARNING, role, f"{last:%Y-%m-%d %H:%M} UTC")


def _client(chain: Sequence[x509.Certificate], key: PublicKeyTypes | None) -> Iterator[Flaw]:
    """The client's own certificate stands first, is for clients, and is that of the key."""
    if key is not None and not _same(chain[0].public_key(), key):
        later = any(_same(each.public_key(), key) for each in chain[1:])
        yield Flaw("RBD-ETCD-129" if later else "RBD-ETCD-124", Severity.ERROR, "cert" if later else "key")
    try:
        usage = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return
    if not {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & set(usage):
        yield Flaw("RBD-ETCD-130", Severity.ERROR, "cert")


def _same(one: PublicKeyTypes, other: PublicKeyTypes) -> bool:
    return _raw(one) == _raw(other)


def _raw(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _is_signed(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]) -> bool:
    """Whether the first certificate leads to one of the authorities, by way of the others of its file."""
    current = chain[0]
    for _ in range(len(chain) + 1):
        if any(current == authority or _issued(current, authority) for authority in authorities):
            return True
        above = next((each for each in chain[1:] if each != current and _issued(current, each)), None)
        if above is None:
            return False
        current = above
    return False


def _issued(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
