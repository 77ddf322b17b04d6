"""A kubeconfig, read into what a connection needs and written anew from that: nothing else of it is ever acted upon.

A kubeconfig may name programs to run, files to read and proxies to go through, so one that holds anything but inline
certificates, a key or a token is refused, whoever wrote it. Keys stay in memory and out of every repr.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import yaml
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from rbdtui.transport.answers import UNREADABLE

MOST_BYTES: Final = 64 * 1024
_MOST_EVENTS: Final = 1000
_MOST_DEPTH: Final = 8
_MOST_CERTIFICATES: Final = 10
_CLUSTER_KEYS: Final = frozenset({"server", "certificate-authority-data"})
_USER_KEYS: Final = frozenset({"client-certificate-data", "client-key-data", "token"})
_CONTEXT_KEYS: Final = frozenset({"cluster", "user", "namespace"})


class KubeconfigError(Exception):
    """The kubeconfig cannot be used; the message is raw and holds no key."""


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """Authority and credentials of the one context."""

    authority: str
    """The cluster's certificate authority, PEM."""
    certificate: bytes = field(default=b"", repr=False)
    """Client certificate, PEM; empty where a token is used."""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)
    server: str = ""
    """Where the kubeconfig says that the API is, e.g. ``https://10.0.0.11:6443``."""

    def proof(self) -> ssl.SSLContext:
        """TLS that takes only certificates of this cluster."""
        context = ssl.create_default_context(cadata=self.authority)
        # Python 3.13 is strict by default about extensions that RKE2's authorities do not carry.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context

    def identity(self) -> ssl.SSLContext:
        """As `proof`, and shows the client certificate where there is one."""
        context = self.proof()
        with in_memory(self.certificate + b"\n" + self.key if self.certificate else b"") as file:
            if file is not None:
                context.load_cert_chain(file)
        return context

    def text(self, url: str, server_name: str = "") -> bytes:
        """A kubeconfig of our own for the API at an URL: always the same for the same credentials.

        With a ``server_name`` the API's certificate must name that, whatever the URL leads through.
        """
        shown = {"client-certificate-data": self.certificate, "client-key-data": self.key}
        user = [f"    {name}: {base64.b64encode(value).decode()}" for name, value in shown.items() if value]
        user += [f"    token: {json.dumps(self.token)}"] if self.token else []
        authority = base64.b64encode(self.authority.encode()).decode()
        server = f"{url}\n    tls-server-name: {server_name}" if server_name else url
        return _OURS.format(server=server, authority=authority, user="\n".join(user)).encode()


_OURS: Final = """\
apiVersion: v1
kind: Config
clusters:
- name: default
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: default
  user:
{user}
contexts:
- name: default
  context:
    cluster: default
    user: default
current-context: default
"""


def read_kubeconfig(path: Path) -> Kubeconfig:
    """Read a kubeconfig file; raises `KubeconfigError`."""
    try:
        with path.open("rb") as file:
            return parse_kubeconfig(file.read(MOST_BYTES + 1))
    except OSError as error:
        raise KubeconfigError(error.strerror or str(error)) from None


def parse_kubeconfig(content: bytes) -> Kubeconfig:
    """Read a kubeconfig of one cluster, user and context with inline data; raises `KubeconfigError`.

    The certificate's key must be the key that is there; who signed the certificate is checked where the signer is
    there too, which is so where RKE2 appends its client authority.
    """
    if len(content) > MOST_BYTES:
        raise KubeconfigError(f"more than {MOST_BYTES // 1024} KiB")
    try:
        cluster, user = _sections(content)
        authority = _certificates(_inline(cluster, "certificate-authority-data"), "certificate-authority-data")
        certificate = _inline(user, "client-certificate-data")
        key = _inline(user, "client-key-data")
        token = user.get("token", "")
        if not certificate and not token:
            raise KubeconfigError("no client-certificate-data and no token")
        if not all(_is_authority(each) for each in authority):
            raise KubeconfigError("certificate-authority-data: not a certificate authority")
        if certificate:
            certificate, key = _pair(certificate, key)
        server = cluster.get("server")
        config = Kubeconfig(
            _pem(authority).decode("ascii"), certificate, key, _token(token), server if isinstance(server, str) else ""
        )
        config.identity()
    except KubeconfigError:
        raise
    except (*UNREADABLE, yaml.YAMLError, ssl.SSLError, x509.InvalidVersion, OSError) as error:
        raise KubeconfigError(type(error).__name__) from None
    return config


def _sections(content: bytes) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The one cluster and the one user, with no other keys in them than those that are taken."""
    text = content.decode("utf-8")
    depth = 0
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if number > _MOST_EVENTS or depth > _MOST_DEPTH or isinstance(event, yaml.AliasEvent):
            raise KubeconfigError("not the shape of a kubeconfig")
    data = yaml.safe_load(text)
    context_name, context = _only(data, "contexts", "context", _CONTEXT_KEYS)
    cluster_name, cluster = _only(data, "clusters", "cluster", _CLUSTER_KEYS)
    user_name, user = _only(data, "users", "user", _USER_KEYS)
    if (data["current-context"], context["cluster"], context["user"]) != (context_name, cluster_name, user_name):
        raise KubeconfigError("the context names something else than the one cluster and the one user")
    return cluster, user


def _only(
    data: Mapping[str, list[Mapping[str, Mapping[str, object]]]], kind: str, section: str, allowed: frozenset[str]
) -> tuple[object, Mapping[str, object]]:
    if len(data[kind]) != 1:
        raise KubeconfigError(f"{kind}: {len(data[kind])}")
    (entry,) = data[kind]
    found = entry[section]
    if not isinstance(found, dict):
        raise KubeconfigError(f"{section}: not a mapping")
    if others := sorted(str(key)[:40] for key in found if key not in allowed):
        raise KubeconfigError(f"{section}: {', '.join(others[:5])}")
    return entry["name"], found


def _inline(section: Mapping[str, object], key: str) -> bytes:
    value = section.get(key, "")
    if not isinstance(value, str):
        raise KubeconfigError(f"{key}: not a text")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        raise KubeconfigError(f"{key}: not base64") from None


def _token(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or not value.isascii() or " " in value:
        raise KubeconfigError("token: not a token")
    return value


def _certificates(pem: bytes, name: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except (*UNREADABLE, x509.InvalidVersion):
        raise KubeconfigError(f"{name}: not a certificate") from None
    if len(found) > _MOST_CERTIFICATES:
        raise KubeconfigError(f"{name}: {len(found)} certificates")
    return found


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _pair(certificate: bytes, key: bytes) -> tuple[bytes, bytes]:
    """Certificate and key as we write them; refused when they do not belong together."""
    chain = _certificates(certificate, "client-certificate-data")
    try:
        private = serialization.load_pem_private_key(key, password=None)
    except UNREADABLE:
        raise KubeconfigError("client-key-data: not a private key") from None
    if not isinstance(private, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise KubeconfigError("client-key-data: neither an EC nor an RSA key")
    if private.public_key() != chain[0].public_key():
        raise KubeconfigError("client-key-data: not the key of client-certificate-data")
    # Clients have an authority of their own, which RKE2 appends; where it is not there, only using them can tell.
    signers = [each for each in chain[1:] if each.subject == chain[0].issuer]
    if signers and not any(_signed(chain[0], signer) for signer in signers):
        raise KubeconfigError("client-certificate-data: not signed by the authority behind it")
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return _pem(chain), private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _signed(certificate: x509.Certificate, signer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(signer)
    except (InvalidSignature, *UNREADABLE):
        return False
    return True


def _pem(certificates: list[x509.Certificate]) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


@contextmanager
def in_memory(content: bytes) -> Iterator[str | None]:
    """A path under which a library that wants a file can read bytes that never touch a disk; None for no bytes."""
    if not content:
        yield None
        return
    descriptor = os.memfd_create("rbdtui", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
