"""Whether a run may go on without a node: never without the first server, a quorum of etcd, or any gateway,
or whoever carries the VIP."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from rbdtui.spec.model import ClusterSpec, Role


def may_quarantine(spec: ClusterSpec, node: str, quarantined: AbstractSet[str]) -> bool:
    """Whether the cluster stays safe when this node is left out beside those that are left out already."""
    if not any(known.name == node for known in spec.nodes):
        return False
    if spec.servers and spec.servers[0].name == node:
        return False
    left_out = {*quarantined, node}
    members = {member.name for member in spec.nodes_with(Role.ETCD)}
    if node in members and 2 * len(members - left_out) <= len(members):
        return False
    needed = [spec.gateways, *([spec.vip_nodes] if spec.has_vip else [])]
    groups = [{member.name for member in group} for group in needed]
    return not any(node in group and group <= left_out for group in groups)
