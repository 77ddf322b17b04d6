"""RKE2's certificates made anew, one node at a time, with the proof of the whole between them."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.kubeconfig import WriteKubeconfig
from rbdtui.plan.steps.renew import AllWell, RenewCertificates, WholeBefore

SINCE: Final = "since"
"""The argument: when it was asked for, Unix time; certificates that were written later are left alone."""
NODES: Final = "nodes"
"""The argument: the nodes, with blanks between them; empty for all."""


def _build(request: Request) -> Plan:
    spec, wanted = request.spec, request.arguments.get(NODES, "").split()
    known = [*spec.servers, *spec.agents]  # RKE2 wants servers first
    if unknown := [name for name in wanted if name not in {node.name for node in known}]:
        raise StepError("renew_unknown", node=unknown[0])
    since = float(request.arguments.get(SINCE) or 0)
    chosen = [node for node in known if not wanted or node.name in wanted]
    steps: list[Step] = [WholeBefore(JUMP_LANE)]
    for node in chosen:
        renewed = RenewCertificates(node.name, since=since, after=(steps[-1].id,))
        steps += [renewed, AllWell(node.name, after=(renewed.id,))]
    return Plan((*steps, WriteKubeconfig(JUMP_LANE, after=(steps[-1].id,))))


RECIPE: Final = Recipe("renew", _build)
