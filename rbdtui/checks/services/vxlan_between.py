"""Whether VXLAN passes between the nodes: UDP, by which pods of one node reach those of another.

Where it does not pass, all nodes become ready, and then half of what runs on them finds neither DNS nor each other.
"""

from __future__ import annotations

from typing import ClassVar, Final

from rbdtui.checks.hosts.ports import vxlan_port
from rbdtui.checks.services.between import BetweenCheck, BetweenQuestion, able
from rbdtui.checks.view import ClusterView


class VxlanBetweenCheck(BetweenCheck):
    """Each node of the cluster hears each other one."""

    name = "vxlan-between"
    field = "nodes"
    limit_s = 60.0
    shut_code: ClassVar[str] = "RBD-NET-115"
    untried_code: ClassVar[str] = "RBD-NET-116"

    def question(self, view: ClusterView) -> BetweenQuestion | None:
        """Those that have answered, by the addresses that Kubernetes gives them; None for fewer than two."""
        spec = view.spec
        port = vxlan_port(spec)
        addresses = able(view, {node.name: node.cluster_address for node in spec.managed_cluster_nodes})
        return BetweenQuestion(addresses, str(port)) if port and len(addresses) > 1 else None


CHECK: Final = VxlanBetweenCheck()
