"""The certificate authority of a simulated cluster: real certificates, so that real TLS clients can judge them."""

from __future__ import annotations

import datetime as dt
import hashlib
import ssl
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS: Final = 3650
LEAF_DAYS: Final = 365
"""As RKE2 issues them."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key, both PEM."""

    certificate: str
    key: str = field(repr=False)


class Authority:
    """A CA whose keys follow from a seed, so that two fleets with one seed agree; its certificates last as RKE2's."""

    def __init__(
        self, seed: str, name: str, born_at: float, *, ca_days: int = CA_DAYS, leaf_days: int = LEAF_DAYS
    ) -> None:
        self._seed, self._name, self._leaf_days = seed, name, leaf_days
        self._born = dt.datetime.fromtimestamp(born_at, dt.UTC).replace(minute=0, second=0, microsecond=0)
        self._key = _key(f"{seed} {name}")
        self.certificate = _pem(self._build(name, self._key, ca_days, is_ca=True, addresses=(), names=(), usage=None))

    @property
    def digest(self) -> str:
        """SHA-256 of the certificate file, as it stands in RKE2's full tokens."""
        return hashlib.sha256(self.certificate.encode()).hexdigest()

    def server(
        self, name: str, addresses: Iterable[IPv4Address], names: Iterable[str], *, group: str = "", made_on: str = ""
    ) -> Pair:
        """A certificate that a server shows; on each machine that it is ``made_on`` with another key and serial."""
        return self._issue(name, tuple(addresses), tuple(names), ExtendedKeyUsageOID.SERVER_AUTH, group, made_on)

    def client(self, name: str, group: str = "") -> Pair:
        """A certificate that a client shows; the group becomes the organization."""
        return self._issue(name, (), (), ExtendedKeyUsageOID.CLIENT_AUTH, group)

    def _issue(
        self,
        name: str,
        addresses: tuple[IPv4Address, ...],
        names: tuple[str, ...],
        usage: x509.ObjectIdentifier,
        group: str = "",
        made_on: str = "",
    ) -> Pair:
        key = _key(f"{self._seed} {self._name} {name} {made_on}".rstrip())
        certificate = self._build(
            name, key, self._leaf_days, is_ca=False, addresses=addresses, names=names, usage=usage, group=group,
            made_on=made_on,
        )  # fmt: skip
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return Pair(_pem(certificate), private.decode())

    def _build(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        days: int,
        *,
        is_ca: bool,
        addresses: tuple[IPv4Address, ...],
        names: tuple[str, ...],
        usage: x509.ObjectIdentifier | None,
        group: str = "",
        made_on: str = "",
    ) -> x509.Certificate:
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        if group:
            subject.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, group))
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self._name)]))
            .public_key(key.public_key())
            .serial_number(_serial(f"{self._seed} {self._name} {name} {made_on}".rstrip()))
            .not_valid_before(self._born - dt.timedelta(hours=1))
            .not_valid_after(self._born + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(_key_usage(is_ca), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        alternatives = [*map(x509.DNSName, names), *map(x509.IPAddress, addresses)]
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def is_same(certificate: str, other: str) -> bool:
    """Whether two certificates, PEM, say the same of the same key; no certificate says nothing."""
    try:
        said = [x509.load_pem_x509_certificate(each.encode()).tbs_certificate_bytes for each in (certificate, other)]
    except ValueError:
        return False
    return said[0] == said[1]


def _key(seed: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest(), "big") >> 1
    return ec.derive_private_key(number or 1, ec.SECP256R1())


def _serial(seed: str) -> int:
    return int(hashlib.sha256(seed.encode()).hexdigest()[:16], 16) or 1


def _key_usage(is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_encipherment=not is_ca, key_cert_sign=is_ca, crl_sign=is_ca,
        content_commitment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
        decipher_only=False,
    )  # fmt: skip


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def server_context(pair: Pair, client_ca: str) -> ssl.SSLContext:
    """TLS for a server that takes clients with a certificate of the CA, and clients without one."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_verify_locations(cadata=client_ca)
    show(context, pair)
    return context


def show(context: ssl.SSLContext, pair: Pair) -> None:
    """Have a server show another certificate from now on."""
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        # The module reads chains from files only; the directory entry is gone with the block.
        file.write(pair.key + pair.certificate)
        file.flush()
        context.load_cert_chain(file.name)
