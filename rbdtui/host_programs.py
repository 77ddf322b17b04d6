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
PACKAGES: Final[Mapping[str, tuple[str, ...]]] = {
    KEEPALIVED: (KEEPALIVED,),
    HAPROXY: (HAPROXY,),
    CLIENT: CLIENT_PACKAGES,
    NFS_SERVER: ("nfs-kernel-server", "nfs-utils"),
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
    return wanted
