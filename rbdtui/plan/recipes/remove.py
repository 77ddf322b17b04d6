"""A node that leaves for good, dead or alive, and what keeps it from leaving."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.removal.builder import build_reset
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.leave import DrainNode, ForgetNode, LeavePlan, NodeGone
from rbdtui.spec.model import ApiMode, ClusterSpec, Role

NODE: Final = "node"
"""The argument: who leaves."""
HOST: Final = "host"
"""The argument: not empty when its server answers, and is to be as it was before the installation."""


def refuse_needed(spec: ClusterSpec, name: str, well: Collection[str]) -> None:
    """Raise `StepError` when the cluster cannot do without a node; ``well``: nodes whose member of etcd is well now."""
    node = spec.node(name)
    for maker in spec.makers:
        if maker.node == name:
            raise StepError("leave_service", node=name, field=maker.field)
    for role in Role:
        if role in node.roles and len(spec.nodes_with(role)) == 1:
            raise StepError("leave_last_of_role", node=name, role=role.value)
    if spec.kubernetes.api.mode is ApiMode.FIRST_SERVER and node.name == spec.servers[0].name:
        raise StepError("leave_api_address", node=name, address=str(spec.api_address))
    if Role.ETCD not in node.roles:
        return
    members = [each.name for each in etcd_nodes(spec)]
    left = sum(each in well for each in members if each != name)
    needed = len(members) // 2 + 1
    if left < needed:
        raise StepError("leave_quorum", node=name, members=len(members), left=left, needed=needed)


def _build(request: Request) -> Plan:
    name, spec = request.arguments.get(NODE, ""), request.spec
    if name not in {node.name for node in spec.managed_nodes}:
        raise StepError("leave_unknown", node=name)
    if spec.node(name).is_outside:  # of which Kubernetes knows nothing
        lane = build_reset(spec, (name,), whole=False).steps if request.arguments.get(HOST) else ()
        return Plan((*lane, LeavePlan(JUMP_LANE, leaving=name, after=tuple(step.id for step in lane[-1:]))))
    drain = DrainNode(JUMP_LANE, leaving=name)
    steps: list[Step] = [drain]
    before = drain.id
    if request.arguments.get(HOST):
        lane = build_reset(spec, (name,), whole=False, after=(drain.id,)).steps
        steps += lane
        before = lane[0].id
    forget = ForgetNode(JUMP_LANE, leaving=name, after=(before,))
    gone = NodeGone(JUMP_LANE, leaving=name, after=(forget.id,))
    return Plan((*steps, forget, gone, LeavePlan(JUMP_LANE, leaving=name, after=(gone.id,))))


RECIPE: Final = Recipe("remove", _build, by_name=True)
