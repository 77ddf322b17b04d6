"""What a run of `repair` has changed on servers, taken back."""

from __future__ import annotations

import re
from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.recipes.repair import STEPS
from rbdtui.plan.repairs import REPAIRS
from rbdtui.plan.repairs.undo import RepairUndone
from rbdtui.plan.step import Plan, Step

OF: Final = "run"
"""The argument: the run that repaired. `STEPS` are its steps."""

_RUN_ID: Final = re.compile(r"[0-9A-Za-z-]{1,100}")


def _build(request: Request) -> Plan:
    kinds = [kind.name for kind in REPAIRS]
    known = {node.name for node in request.spec.managed_nodes}
    wanted: dict[str, set[str]] = {}
    for step_id in request.arguments.get(STEPS, "").split():
        name, _, node = step_id.partition("@")
        if name not in kinds or node not in known:
            raise StepError("repair_unknown", step=step_id)
        wanted.setdefault(node, set()).add(name)
    of = request.arguments.get(OF, "")
    if _RUN_ID.fullmatch(of) is None:  # it becomes part of a path on the servers
        raise StepError("repair_unknown", step=of)
    steps: list[Step] = []
    for node, names in wanted.items():
        before: tuple[str, ...] = ()
        for name in [name for name in reversed(kinds) if name in names]:
            steps.append(RepairUndone(node, of, name, after=before))
            before = (steps[-1].id,)
    return Plan(tuple(steps))


RECIPE: Final = Recipe("undo-repair", _build)
