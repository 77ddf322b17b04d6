"""Where the data of Rainbond and of applications is kept."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Final

from pydantic import Field

from rbdtui.spec.types import Domain, FilledText, HostAddress, ModalSection, ModeKeys, Name, RemotePath, Section


class StorageMode(StrEnum):
    """Who keeps the data."""

    BUILTIN = "builtin"
    """Rainbond itself, on a disk of one node; it is lost with that node."""
    STORAGE_CLASS = "storage-class"
    """A StorageClass that the cluster has already (Rainbond 6.4 and later)."""
    NFS = "nfs"
    """An NFS server that is there already, with a provisioner in the cluster."""
    NFS_SERVER = "nfs-server"
    """An NFS server that the plan makes of a node, with the same provisioner."""
    ROOK_CEPH = "rook-ceph"
    """Ceph on disks of the nodes, three copies on three of them, run by Rook in the cluster."""


ON_NFS: Final = frozenset({StorageMode.NFS, StorageMode.NFS_SERVER})
"""Where volumes are directories on an NFS server."""


class CephDisk(Section):
    """A whole disk of a node that is given to Ceph."""

    node: Name
    device: RemotePath
    """Its name below /dev/disk/by-id, which is the same after every boot."""
    serial: FilledText | None = None
    """What the disk itself says; another disk under that name is then refused."""


class Storage(ModalSection):
    """The section ``storage``."""

    MODES: ClassVar[Mapping[str, ModeKeys]] = {
        StorageMode.BUILTIN: ModeKeys(),
        StorageMode.STORAGE_CLASS: ModeKeys(needed=("storage_class",)),
        StorageMode.NFS: ModeKeys(needed=("server", "path"), optional=("storage_class", "mount_options")),
        StorageMode.NFS_SERVER: ModeKeys(
            needed=("node", "path"), optional=("storage_class", "mount_options", "copy_node")
        ),
        StorageMode.ROOK_CEPH: ModeKeys(needed=("disks",)),
    }
    ALIKE: ClassVar[frozenset[str]] = frozenset({"path", "mount_options"})
    MADE_ON: ClassVar[Mapping[str, tuple[str, ...]]] = {StorageMode.NFS_SERVER: ("node", "copy_node")}

    mode: StorageMode = StorageMode.BUILTIN
    storage_class: Domain | None = None
    """The class that is there, or that the provisioner makes (then the profile's usual name by default)."""
    server: HostAddress | None = None
    node: Name | None = None
    """The node that is made an NFS server."""
    copy_node: Name | None = None
    """A node that gets a copy of all that is there: a backup, which nobody changes over to by itself."""
    path: RemotePath | None = None
    """The exported directory."""
    mount_options: list[FilledText] = Field(default_factory=list)
    """For the clients, e.g. ``nfsvers=4.1``; what belongs to the server's export is refused."""
    disks: list[CephDisk] = Field(default_factory=list)
    """What Ceph gets; nothing else is touched."""

    @property
    def is_on_nfs(self) -> bool:
        """Whether volumes are directories on an NFS server, whoever's it is."""
        return self.mode in ON_NFS

    @property
    def is_made(self) -> bool:
        """Whether the plan makes the class itself."""
        return self.is_on_nfs or self.mode is StorageMode.ROOK_CEPH
