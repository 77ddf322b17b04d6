"""Where the data of Rainbond and of applications is kept."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

from pydantic import Field

from rbdtui.spec.types import Domain, FilledText, HostAddress, ModalSection, ModeKeys, RemotePath


class StorageMode(StrEnum):
    """Who keeps the data."""

    BUILTIN = "builtin"
    """Rainbond itself, on a disk of one node; it is lost with that node."""
    STORAGE_CLASS = "storage-class"
    """A StorageClass that the cluster has already (Rainbond 6.4 and later)."""
    NFS = "nfs"
    """An NFS server that is there already, with a provisioner in the cluster."""


class Storage(ModalSection):
    """The section ``storage``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        StorageMode.BUILTIN: ModeKeys(),
        StorageMode.STORAGE_CLASS: ModeKeys(needed=("storage_class",)),
        StorageMode.NFS: ModeKeys(needed=("server", "path"), optional=("storage_class", "mount_options")),
    }

    mode: StorageMode = StorageMode.BUILTIN
    storage_class: Domain | None = None
    """The class that is there, or that the provisioner makes (then the profile's usual name by default)."""
    server: HostAddress | None = None
    path: RemotePath | None = None
    """The exported directory."""
    mount_options: list[FilledText] = Field(default_factory=list)
    """For the clients, e.g. ``nfsvers=4.1``; what belongs to the server's export is refused."""
