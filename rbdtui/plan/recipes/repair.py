"""Findings done away with, on the nodes and by the repairs that the operator has chosen."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.repairs import REPAIRS, SITE_REPAIRS
from rbdtui.plan.step import JUMP_LANE, Plan, Step

STEPS: Final = "steps"
"""The argument: ids of steps, with blanks between them."""


def _build(request: Request) -> Plan:
    kinds = {kind.name: kind for kind in REPAIRS}
    of_site = {kind.name: kind for kind in SITE_REPAIRS}
    steps: list[Step] = []
    wanted: dict[str, set[str]] = {}
    for step_id in request.arguments.get(STEPS, "").split():
        name, _, node = step_id.partition("@")
        if step_id in of_site:
            steps.append(of_site[step_id](JUMP_LANE))
            continue
        if name not in kinds or node not in request.facts:
            raise StepError("repair_unknown", step=step_id)
        wanted.setdefault(node, set()).add(name)
    for node, names in wanted.items():
        before: tuple[str, ...] = ()
        for name in [name for name in kinds if name in names]:
            steps.append(kinds[name](node, after=before))
            before = (steps[-1].id,)
    return Plan(tuple(steps))


RECIPE: Final = Recipe("repair", _build)
