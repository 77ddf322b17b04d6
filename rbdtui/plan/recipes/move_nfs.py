"""The NFS server that Rainbond 5.17 brings moved to another node; or back from a half of it."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.moving.finish import MoveProof
from rbdtui.plan.steps.moving.server_aside import PutServerBack
from rbdtui.plan.steps.moving.server_copy import ServerCompared, ServerCopy
from rbdtui.plan.steps.moving.server_finish import ServerExchange, ServerStart, ServerTrial, ServerWellBefore

NODE: Final = "node"
"""The argument: where the server is to be."""


def _build(request: Request) -> Plan:
    node = request.arguments.get(NODE, "")
    if not node:
        raise StepError("nfs_move_no_node")
    steps: list[Step] = [ServerWellBefore(JUMP_LANE, to=node)]
    for kind in (ServerCopy, ServerCompared, ServerExchange, ServerStart):
        steps.append(kind(JUMP_LANE, to=node, after=(steps[-1].id,)))
    steps.append(ServerTrial(JUMP_LANE, after=(steps[-1].id,)))
    steps.append(MoveProof(JUMP_LANE, after=(steps[-1].id,)))
    return Plan(tuple(steps))


def _build_back(request: Request) -> Plan:
    return Plan((PutServerBack(JUMP_LANE),))


RECIPE: Final = Recipe("move-nfs", _build, by_name=True)
BACK: Final = Recipe("move-nfs-back", _build_back, by_name=True)
