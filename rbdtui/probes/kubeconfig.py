"""The operator's kubeconfig, read into what a connection needs; keys stay in memory and out of every repr."""

from __future__ import annotations

import base64
import binascii
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml


class KubeconfigError(Exception):
    """The kubeconfig cannot be used; the message is raw and holds no key."""


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """Authority and credentials of the current context."""

    authority: str
    """The cluster's certificate authority, PEM."""
    certificate: bytes = field(default=b"", repr=False)
    """Client certificate, PEM; empty where a token is used."""
    key: bytes = field(default=b"", repr=False)
    token: str = field(default="", repr=False)

    def proof(self) -> ssl.SSLContext:
        """TLS that takes only certificates of this cluster."""
        context = ssl.create_default_context(cadata=self.authority)
        # Python 3.13 is strict by default about extensions that RKE2's authorities do not carry.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def read_kubeconfig(path: Path) -> Kubeconfig:
    """Read the current context of a kubeconfig with inline data, as RKE2 writes it; raises `KubeconfigError`."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        context = _named(data, "contexts", data["current-context"])["context"]
        cluster = _named(data, "clusters", context["cluster"])["cluster"]
        user = _named(data, "users", context["user"])["user"]
        config = Kubeconfig(
            authority=_inline(cluster, "certificate-authority-data").decode("ascii"),
            certificate=_inline(user, "client-certificate-data"),
            key=_inline(user, "client-key-data"),
            token=str(user.get("token", "")),
        )
        config.proof()
    except OSError as error:
        raise KubeconfigError(error.strerror or str(error)) from None
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError, ssl.SSLError) as error:
        raise KubeconfigError(type(error).__name__) from None
    return config


def _named(
    data: Mapping[str, list[Mapping[str, Mapping[str, str]]]], kind: str, name: str
) -> Mapping[str, Mapping[str, str]]:
    for entry in data[kind]:
        if str(entry["name"]) == name:
            return entry
    raise KeyError(kind)


def _inline(section: Mapping[str, str], key: str) -> bytes:
    try:
        return base64.b64decode(section.get(key, ""), validate=True)
    except binascii.Error as error:
        raise ValueError(key) from error
