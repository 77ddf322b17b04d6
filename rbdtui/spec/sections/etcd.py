"""The etcd that Rainbond 5.17 keeps its own data in."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from rbdtui.spec.types import EndpointAddress, KeyPath, ModalSection, ModeKeys


class EtcdMode(StrEnum):
    """Which etcd it is."""

    BUILTIN = "builtin"
    """One pod on one node; its data is lost with that node."""
    REUSE = "reuse"
    """That of the Kubernetes cluster."""
    EXTERNAL = "external"


class Etcd(ModalSection):
    """The section ``etcd``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        EtcdMode.BUILTIN: ModeKeys(),
        EtcdMode.REUSE: ModeKeys(),
        EtcdMode.EXTERNAL: ModeKeys(needed=("endpoints", "ca", "cert", "key")),
    }

    mode: EtcdMode = EtcdMode.REUSE
    endpoints: list[EndpointAddress] = Field(max_length=9, default_factory=list)
    """``address:port`` of each member, without a scheme."""
    ca: KeyPath | None = None
    """Certificate of the authority, a file on this machine; as the two that follow."""
    cert: KeyPath | None = None
    key: KeyPath | None = None
