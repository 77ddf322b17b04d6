"""The cluster set back to a snapshot of etcd."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.snapshots import is_snapshot_name
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.finish import ClusterProof
from rbdtui.plan.steps.restore import (
    HaltServer,
    PlaceSnapshot,
    ResetCluster,
    RestartAgent,
    SetAside,
    StartAgain,
    Wanted,
)
from rbdtui.plan.steps.rke2_start import ApiReached
from rbdtui.spec.model import ClusterSpec, Node, Role

NAME: Final = "name"
"""The argument: the snapshot."""
DIGEST: Final = "digest"
"""The argument: its sum, so that what is restored is what was shown."""
SOURCE: Final = "source"
"""The argument: a server that has it; empty for the copy in the site."""
WITHOUT: Final = "without"
"""The argument: nodes that are gone, with blanks between them; they are left alone."""
TAKEN: Final = "taken"
"""The argument: when it was taken, in words."""


def first_restored(spec: ClusterSpec, without: frozenset[str]) -> Node:
    """The server that the restored cluster begins with; raises `StepError` when none with etcd is left.

    The first of the plan, if it is there: its configuration alone may name no server to join, and then it must not come
    second. Else one that has an API too.
    """
    left = [node for node in etcd_nodes(spec) if node.name not in without]
    if not left:
        raise StepError("restore_nobody_left")
    with_api = [node for node in left if Role.CONTROL_PLANE in node.roles]
    names = [spec.servers[0].name, *(node.name for node in with_api), left[0].name]
    return next(node for name in names for node in left if node.name == name)


def _build(request: Request) -> Plan:
    spec, chosen = request.spec, request.arguments
    wanted = Wanted(chosen.get(NAME, ""), chosen.get(DIGEST, ""), chosen.get(SOURCE, ""))
    if not is_snapshot_name(wanted.name) or not wanted.digest:
        raise StepError("snapshot_gone", name=wanted.name)
    without = frozenset(chosen.get(WITHOUT, "").split())
    first = first_restored(spec, without)
    servers = [first, *(node for node in spec.servers if node is not first and node.name not in without)]
    place = PlaceSnapshot(first.name, wanted=wanted)
    steps: list[Step] = [place, *(HaltServer(node.name, after=(place.id,)) for node in servers)]
    reset = ResetCluster(first.name, wanted=wanted, after=tuple(step.id for step in steps[1:]))
    aside = [SetAside(node.name, after=(reset.id,)) for node in servers[1:] if Role.ETCD in node.roles]
    steps += [reset, *aside]
    turn = (reset.id, *(step.id for step in aside))
    for node in servers:
        if node is not first:
            steps.append(ApiReached(node.name, after=turn))
            turn = (steps[-1].id,)
        steps.append(StartAgain(node.name, after=turn))
        turn = (steps[-1].id,)
    steps += [RestartAgent(node.name, after=turn) for node in spec.agents if node.name not in without]
    if not without:
        steps.append(
            ClusterProof(JUMP_LANE, after=(*turn, *(f"{RestartAgent.name}@{node.name}" for node in spec.agents)))
        )
    return Plan(tuple(steps))


RECIPE: Final = Recipe("restore", _build, by_name=True)
