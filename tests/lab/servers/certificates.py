"""Certificate authorities of tests, with whatever can be wrong about a certificate."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
BOTH = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def cert_pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key_bytes()

    def key_bytes(self, encoding: serialization.Encoding = PEM, passphrase: bytes = b"") -> bytes:
        """The key, as PKCS#8."""
        how: serialization.KeySerializationEncryption = serialization.NoEncryption()
        if passphrase:
            how = serialization.BestAvailableEncryption(passphrase)
        return self.key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, how)


class CertificateAuthority:
    """Signs whatever it is asked for."""

    def __init__(self, name: str = "lab authority", above: CertificateAuthority | None = None) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        by_name, by_key = (above._name, above._key) if above else (self._name, self._key)
        builder = _builder(self._name, by_name, self._key, (-1, 3650)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = builder.sign(by_key, hashes.SHA256())

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    def issue(
        self,
        *names: str,
        days: tuple[float, float] = (-1, 365),
        usages: Sequence[x509.ObjectIdentifier] = BOTH,
    ) -> Pair:
        """A certificate for names and addresses, valid from and to so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "somebody")])
        builder = _builder(subject, self._name, key, days).add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return Pair(builder.sign(self._key, hashes.SHA256()), key)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: tuple[float, float]
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    first, last = (now + datetime.timedelta(days=each) for each in days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )
