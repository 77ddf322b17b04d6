"""The copy of the made NFS server's directory: how both servers call it, and where it is reached."""

from __future__ import annotations

from typing import Final

PORT: Final = 873
"""Of rsync's daemon (IANA)."""
MODULE: Final = "nfs"
USER: Final = "rbdtui"
"""Whom rsync's daemon lets in; no user of the system."""
SECRET: Final = "nfs-copy"  # noqa: S105 - the name of a secret
MARK: Final = ".rbdtui-nfs"
"""In the directory itself: which of the two it is. With a disk that is not mounted it is missing, too."""
PUSH_UNIT: Final = "nfs-push-rbdtui"
COPY_UNIT: Final = "nfs-copy-rbdtui"
