"""Programs of a host's own system that the plan needs on a node, and how names of packages begin that bring them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rbdtui.rainbond.provisioner import CLIENT, CLIENT_PACKAGES, needs_client
from rbdtui.spec.model import ClusterSpec, Node

NFS_SERVER: Final = "exportfs"
"""What an NFS server is told with which directories it gives away."""
KEEPALIVED: Final = "keepalived"
HAPROXY: Final = "haproxy"
MYSQL_SERVER: Final = "mysqld"
MYSQL_DUMP: Final = "mysqldump"
RSYNC: Final = "rsync"
INOTIFY: Final = "inotifywait"
"""What tells that something in a directory has changed."""
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    KEEPALIVED: (KEEPALIVED,),
    HAPROXY: (HAPROXY,),
    CLIENT: CLIENT_PACKAGES,
    NFS_SERVER: ("nfs-kernel-server", "nfs-utils"),
    MYSQL_SERVER: ("mysql-server", "mysql-community-server"),
    MYSQL_DUMP: ("mysql-client", "mysql-community-client", "mysql-8", "mariadb-client"),
    RSYNC: ("rsync",),
    INOTIFY: ("inotify-tools",),
}
"""By program, how the name of a package begins that brings it."""


def host_programs(spec: ClusterSpec, node: Node) -> list[str]:
    """What a node needs."""
    wanted = [HAPROXY] if spec.has_balancers and node.is_balancer else []
    if spec.has_vip and node in spec.vip_nodes:
        wanted.append(KEEPALIVED)
    if needs_client(spec) and not node.is_outside:
        wanted.append(CLIENT)
    if node is spec.nfs_node:
        wanted.append(NFS_SERVER)
    if spec.nfs_copy_node is not None and node in (spec.nfs_node, spec.nfs_copy_node):
        # Either may become the other.
        wanted += [RSYNC, INOTIFY]
    if node in (spec.mysql_pair or ()):
        wanted += [MYSQL_SERVER, MYSQL_DUMP]
    return wanted
