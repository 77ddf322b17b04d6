"""The plan of a reset: agents first, then servers, those beside Kubernetes last; hosts of one kind side by side."""

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
    agents = [_lane(steps, node, after) for node in spec.agents if node.name in nodes]
    lasts = [*agents, *(_lane(steps, node, (*after, *agents)) for node in spec.servers if node.name in nodes)]
    lasts += [_lane(steps, node, (*after, *lasts)) for node in spec.outside_nodes if node.name in nodes]
    if whole:
        steps.append(ForgetCluster(JUMP_LANE, after=tuple(lasts)))
    return Plan(tuple(steps))


def _lane(steps: list[Step], node: Node, after: tuple[str, ...]) -> str:
    """Append a node's steps; the id of the last."""
    for kind in _LANE:
        steps.append(kind(node.name, after=after))
        after = (steps[-1].id,)
    return after[0]
