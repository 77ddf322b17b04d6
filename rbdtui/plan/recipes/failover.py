"""The replica of the MySQL pair becomes the source, and Rainbond is led there."""

from __future__ import annotations

from typing import Final

from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.failover import (
    CloseSource,
    ExchangeRoles,
    PromoteReplica,
    StartWriters,
    StopWriters,
    SwitchAddress,
)
from rbdtui.plan.steps.mysql_pair import pair_of

SOURCE, REPLICA = "source", "replica"
"""Arguments: both as they are before, for words."""
SILENT: Final = "silent"
"""The argument: not empty when the old source does not answer, so that what it alone has is given up."""


def _build(request: Request) -> Plan:
    pair_of(request.spec)
    silent = bool(request.arguments.get(SILENT))
    steps: list[Step] = []
    for kind in (StopWriters, CloseSource, PromoteReplica, SwitchAddress, StartWriters, ExchangeRoles):
        after = tuple(step.id for step in steps[-1:])
        steps.append(kind(JUMP_LANE, silent=silent, after=after))
    return Plan(tuple(steps))


RECIPE: Final = Recipe("failover", _build, by_name=True)
