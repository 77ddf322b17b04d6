"""The plan of a reset: agents first, then servers, those beside Kubernetes, and the NFS server last."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rbdtui.plan.removal.steps import ForgetCluster, ForgetHost, Removal, RemoveKubernetes, RestoreFiles, StopAll
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.spec.model import ClusterSpec, Node

_LANE: Final[tuple[type[Removal], ...]] = (StopAll, RemoveKubernetes, RestoreFiles, ForgetHost)


def build_reset(spec: ClusterSpec, nodes: Collection[str], *, whole: bool, after: tuple[str, ...] = ()) -> Plan:
    """The steps for these nodes; ``whole`` when no other host of the cluster remains; ``after`` comes before all."""
    steps: list[Step] = []
    # Whoever has volumes of an NFS server hangs in them once it is gone.
    meant = [node for node in spec.nodes if node.name in nodes and node is not spec.nfs_node]
    agents = [_lane(steps, node, after) for node in spec.agents if node in meant]
    lasts = [*agents, *(_lane(steps, node, (*after, *agents)) for node in spec.servers if node in meant)]
    lasts += [_lane(steps, node, (*after, *lasts)) for node in spec.outside_nodes if node in meant]
    if spec.nfs_node is not None and spec.nfs_node.name in nodes:
        lasts.append(_lane(steps, spec.nfs_node, (*after, *lasts)))
    if whole:
        steps.append(ForgetCluster(JUMP_LANE, after=tuple(lasts)))
    return Plan(tuple(steps))


def _lane(steps: list[Step], node: Node, after: tuple[str, ...]) -> str:
    """Append a node's steps; the id of the last."""
    for kind in _LANE:
        steps.append(kind(node.name, after=after))
        after = (steps[-1].id,)
    return after[0]
