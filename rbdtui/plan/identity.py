"""To which cluster a server belongs: its CA, by which others know that they join the right one.

RKE2's full token is ``K10<digest of the CA>::<user>:<password>``. Who has one compares the digest with the CA that the
server shows before it says the password; with the password alone any CA is believed (docs.rke2.io, security/token).
The digest is asked for over SSH, whose host keys are pinned, so nobody in between can put another one in.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from rbdtui.plan.cluster import etcd_nodes, first_server
from rbdtui.plan.step import StepContext, StepError
from rbdtui.together import together
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")
_LONGEST_CHAIN: Final = 8


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server has of its cluster."""

    has_etcd: bool
    """Whether data of a member of etcd are there."""
    is_joined: bool
    """Whether its configuration names a server to join."""
    token_ca: str = ""
    """Digest of the CA in RKE2's own token file; empty when there is none."""
    ca: str = ""
    """Digest of the CA whose certificate is there, as RKE2 makes it; empty when there is none."""


@dataclass(frozen=True, slots=True)
class Joining:
    """How a node comes to its cluster."""

    begins: bool
    """Whether the cluster begins with it, so that it joins nobody."""
    ca: str = ""
    """Digest of the cluster's CA; empty while there is no cluster yet."""


async def identity_of(host: Host) -> Identity:
    """Ask a host; raises `TransportError`."""
    answer = await host.must(script("rke2-identity"), timeout_s=30.0)
    return parse_answer(host.name, "rke2-identity", lambda: _identity(answer.text))


def _identity(text: str) -> Identity:
    head, _, certificates = text.partition("\n\n")
    value = dict(line.split("=", 1) for line in head.splitlines())
    digests = [value["token-ca"], value["ca"]]
    if not all(digest == "" or _DIGEST.fullmatch(digest) for digest in digests):
        raise ValueError(f"no digest: {digests}")
    ca = value["ca"] and ca_digest(value["ca"], certificates.encode())
    return Identity(value["etcd"] == "yes", value["joined"] == "yes", value["token-ca"], ca)


def ca_digest(file_sha256: str, certificates: bytes) -> str:
    """The digest of a CA as RKE2 makes it; raises `ValueError` for what is no certificate.

    That of the file where one certificate stands in it; of a chain that of its root, in DER (k3s-io/k3s,
    pkg/clientaccess/token.go, hashCA).
    """
    chain = x509.load_pem_x509_certificates(certificates)
    if len(chain) == 1:
        return file_sha256
    root = _root_of(chain[0], chain[1:])
    return file_sha256 if root is None else hashlib.sha256(root.public_bytes(Encoding.DER)).hexdigest()


def _root_of(certificate: x509.Certificate, others: Sequence[x509.Certificate]) -> x509.Certificate | None:
    """The certificate at the end of a chain; None when there is no whole chain."""
    for _ in range(_LONGEST_CHAIN):
        issuer = next((other for other in others if _is_issued_by(certificate, other)), None)
        if issuer is None:
            return None
        if _is_issued_by(issuer, issuer):
            return issuer
        certificate = issuer
    return None


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


async def joining_of(context: StepContext, node_name: str) -> Joining:
    """How a node comes to its cluster, as far as its hosts tell; raises `StepError` when a server's CA is not its own.

    The first server begins the cluster, unless it has no data and another one has: then the cluster is there, and a
    first server that began anew would make a second one.
    """
    first = first_server(context.spec)
    if node_name == first.name:
        own = await identity_of(context.hosts[first.name])
        others = [node.name for node in etcd_nodes(context.spec) if node is not first]
        has_cluster = own.is_joined if own.has_etcd else await _have_etcd(context, others)
        if not has_cluster:
            return Joining(begins=True)
    return Joining(begins=False, ca=await _cluster_ca(context, besides=node_name))


async def _have_etcd(context: StepContext, names: Sequence[str]) -> bool:
    answers = await together(*(_asked(context, name) for name in names))
    return any(answer is not None and answer.has_etcd for answer in answers)


async def _cluster_ca(context: StepContext, *, besides: str) -> str:
    """The digest of the cluster's CA, from the first server that has one; empty when none has."""
    names = [node.name for node in context.spec.servers]
    names.sort(key=lambda name: (not context.takes_part(name), name == besides))
    for name in names:
        identity = await _asked(context, name)
        if identity is None or not identity.token_ca or not identity.ca:
            continue
        if identity.token_ca != identity.ca:
            evidence = f"server/token: {identity.token_ca}\nserver/tls/server-ca.crt: {identity.ca}"
            raise StepError("cluster_ca_differs", node=name, evidence=evidence)
        return identity.ca
    return ""


async def _asked(context: StepContext, name: str) -> Identity | None:
    """What a server says, quarantined or not; None when it cannot be asked."""
    if name not in context.hosts:
        return None
    try:
        return await identity_of(context.hosts[name])
    except TransportError:
        return None
