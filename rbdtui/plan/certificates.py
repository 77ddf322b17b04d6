"""Certificates that RKE2 keeps on a node: until when they are good, and which of them its own command makes anew."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cryptography import x509

from rbdtui.transport.answers import UNREADABLE, age_s, parse_answer
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script

RENEWED_WITHIN_DAYS: Final = 90
"""A start of RKE2 renews what ends within so many days; newer releases do from 120 days on."""
_ROTATED: Final = frozenset(
    f"server/tls/{name}.crt"
    for name in (
        "client-admin", "client-auth-proxy", "client-controller", "client-kube-apiserver", "client-kube-proxy",
        "client-rke2-cloud-controller", "client-rke2-controller", "client-scheduler", "client-supervisor",
        "serving-kube-apiserver", "etcd/client", "etcd/peer-server-client", "etcd/server-client",
    )
) | frozenset(
    f"agent/{name}.crt" for name in ("client-kube-proxy", "client-kubelet", "client-rke2-controller", "serving-kubelet")
)  # fmt: skip
_LIST_LIMIT_S: Final = 60.0
_LIST_BYTES: Final = 4 * 1024 * 1024
_FILE: Final = re.compile(r"^file (-?\d{1,12}) (\S+)\n(.*?)^end$", re.MULTILINE | re.DOTALL)


class CertificateKind(StrEnum):
    """What a certificate is for."""

    SERVER = "server"
    """The API and what speaks to it on a server."""
    AGENT = "agent"
    """The kubelet and what else every node has."""
    ETCD = "etcd"
    AUTHORITY = "authority"
    """Signs the others; nothing renews it by itself."""


@dataclass(frozen=True, slots=True)
class NodeCertificate:
    """One certificate of a node."""

    path: str
    """Below RKE2's directory."""
    begin: float
    end: float
    """Unix time."""
    age_s: float
    """How long ago its file was written, by the node's own clock."""
    is_authority: bool

    @property
    def kind(self) -> CertificateKind:
        """What it is for."""
        if self.is_authority:
            return CertificateKind.AUTHORITY
        if self.path.startswith("server/tls/etcd/"):
            return CertificateKind.ETCD
        return CertificateKind.SERVER if self.path.startswith("server/") else CertificateKind.AGENT

    @property
    def is_rotated(self) -> bool:
        """Whether RKE2's command makes it anew."""
        return self.path in _ROTATED


async def certificates_on(host: Host) -> tuple[NodeCertificate, ...]:
    """Ask a node; raises `TransportError`."""
    answer = await host.must(script("rke2-certificates"), timeout_s=_LIST_LIMIT_S, output_limit_bytes=_LIST_BYTES)
    return parse_answer(host.name, "rke2-certificates", lambda: tuple(_read(answer.text)))


def older_than(found: Sequence[NodeCertificate], age_s: float) -> list[NodeCertificate]:
    """Those that RKE2's command makes anew, and that were written longer ago."""
    return [each for each in found if each.is_rotated and each.age_s > age_s]


def _read(text: str) -> Iterator[NodeCertificate]:
    for age, path, content in _FILE.findall(text):
        certificate = first_certificate(content)
        if certificate is not None:
            begin, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
            yield NodeCertificate(path, begin, end, age_s(age), _is_authority(certificate))


def first_certificate(content: str | bytes) -> x509.Certificate | None:
    """The first certificate of a PEM text, which is the holder's own where authorities follow; None without one."""
    try:
        data = content if isinstance(content, bytes) else content.encode()
        return x509.load_pem_x509_certificate(data)
    except (*UNREADABLE, x509.InvalidVersion):
        return None


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (*UNREADABLE, x509.ExtensionNotFound):
        return False
