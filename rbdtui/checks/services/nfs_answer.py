"""What is asked about an NFS server, and what one place tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services import nfs_wire
from rbdtui.checks.services.nfs_mount import Mounts
from rbdtui.checks.services.nfs_wire import Export, PathState, Written
from rbdtui.transport.base import ReachResult

SHOWN: Final = 12
"""So many exports or clients are named at most."""


@dataclass(frozen=True, slots=True)
class NfsQuestion:
    """The directory, and the versions of NFS that its mount options insist on."""

    server: str
    path: str
    options: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """The version that the mount options name, e.g. ``4.1``; empty when they leave it to the client."""
        for option in ",".join(self.options).split(","):
            key, _, value = option.strip().partition("=")
            if key in ("nfsvers", "vers"):
                return value
        return ""


@dataclass(frozen=True, slots=True)
class Version3:
    """What a host learns of version 3, which needs the port mapper and mountd beside the server itself."""

    mapper: ReachResult | None = None
    """Port 111, where it was tried."""
    mountd: ReachResult | None = None
    mountd_port: int = 0
    """0: the port mapper knows no mountd."""
    exports: tuple[Export, ...] | None = None
    path: PathState = PathState.UNKNOWN
    free_bytes: int | None = None
    written: Written | None = None
    trouble: str = ""
    denied: bool = False
    """Whether the server, asked for the directory's handle by mountd's leave, does not take our word."""
    locks: ReachResult | None = None
    locks_port: int = 0
    """0: the port mapper knows no lock manager."""


@dataclass(frozen=True, slots=True)
class NfsAnswer:
    """What the server looks like from one place."""

    reach: ReachResult
    trouble: str = ""
    """What came instead of NFS."""
    minors: tuple[int, ...] = ()
    """Of version 4."""
    path_4: PathState = PathState.UNKNOWN
    v3: Version3 | None = None
    """None when the server does not have version 3."""
    mounts: Mounts | None = None
    """None where nothing was mounted: from this machine, or when there was nothing to mount."""

    @property
    def evidence(self) -> str:
        """All of it in a few lines."""
        lines = [f"TCP {nfs_wire.NFS_PORT}: {self.reach.reach} {self.reach.detail}".strip()]
        if self.trouble:
            return "\n".join((*lines, self.trouble))
        versions = [*(["3"] if self.v3 else []), *(f"4.{minor}" for minor in self.minors)]
        lines.append(f"NFS {', '.join(versions) or '-'}; v4 path: {self.path_4}")
        if self.v3 is not None:
            lines.append(f"v3 path: {self.v3.path}; mountd: {self.v3.mountd_port or '-'} {self.v3.trouble}".strip())
            for export in (self.v3.exports or ())[:SHOWN]:
                lines.append(f"export {export.path} {' '.join(export.clients) or '*'}")
            lines += [str(self.v3.written)] if self.v3.written else []
        lines += [self.mounts.evidence] if self.mounts is not None else []
        return "\n".join(lines)
