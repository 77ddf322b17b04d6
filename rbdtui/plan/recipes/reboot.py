"""Servers started anew, one at a time, with the proof of the whole between them."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.cluster import api_servers
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.leave import DrainNode
from rbdtui.plan.steps.reboot import RebootNode, Uncordon
from rbdtui.plan.steps.renew import AllWell, WholeBefore

BOOTS: Final = "boots"
"""The argument: ``NODE=BOOT`` with blanks between them, in the order in which they are started anew."""
CLOSED: Final = "closed"
"""The argument: nodes that took no new pods before, and shall not afterwards."""


def _build(request: Request) -> Plan:
    spec = request.spec
    known = {node.name for node in spec.managed_nodes}
    closed = set(request.arguments.get(CLOSED, "").split())
    steps: list[Step] = [WholeBefore(JUMP_LANE)]

    def after() -> tuple[str, ...]:
        return (steps[-1].id,)

    for pair in request.arguments.get(BOOTS, "").split():
        name, _, boot = pair.partition("=")
        if name not in known or not boot:
            raise StepError("leave_unknown", node=name)
        others = any(node.name != name for node in api_servers(spec))
        moves = others and not spec.node(name).is_outside
        if moves:
            steps.append(DrainNode(JUMP_LANE, leaving=name, after=after()))
        steps.append(RebootNode(name, boot=boot, after=after()))
        if moves and name not in closed:
            steps.append(Uncordon(JUMP_LANE, leaving=name, boot=boot, after=after()))
        steps.append(AllWell(name, after=after()))
    return Plan(tuple(steps))


RECIPE: Final = Recipe("reboot", _build)
