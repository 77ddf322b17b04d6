"""The ports of an NFS server that the plan makes: fixed, so that a packet filter can let them through."""

from __future__ import annotations

from typing import Final

NFS: Final = 2049
RPCBIND: Final = 111
MOUNTD: Final = 20048
STATD: Final = 662
LOCKD: Final = 4045
"""Our own choice for the last two: outside of what a kernel lends to clients, and of Kubernetes' NodePorts."""
ALL: Final = (RPCBIND, STATD, NFS, LOCKD, MOUNTD)
"""What every node has to reach, with versions 3 and 4."""
