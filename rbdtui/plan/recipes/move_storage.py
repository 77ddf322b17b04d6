"""Rainbond's own volumes moved to another StorageClass; or back from a half of it; or old ones thrown away."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import JUMP_LANE, Plan, Step
from rbdtui.plan.steps.moving.aside import DropOld, PutBack
from rbdtui.plan.steps.moving.copy import CopyBefore, CopyCompared
from rbdtui.plan.steps.moving.exchange import Exchange
from rbdtui.plan.steps.moving.finish import MoveProof, PlanTold, StartAgain, TellOperator, WellBefore
from rbdtui.plan.steps.moving.server_aside import DropOldServer

CLASS: Final = "storage_class"
"""The argument: where all is to be."""
TELLS: Final = "tells"
"""The argument: not empty when cluster.yaml does not name the class yet."""


def _class_of(request: Request) -> str:
    name = request.arguments.get(CLASS, "")
    if not name:
        raise StepError("move_no_class")
    return name


def _build(request: Request) -> Plan:
    name = _class_of(request)
    steps: list[Step] = [WellBefore(JUMP_LANE, storage_class=name)]
    for kind in (CopyBefore, CopyCompared, Exchange, TellOperator, StartAgain):
        steps.append(kind(JUMP_LANE, storage_class=name, after=tuple(step.id for step in steps[-1:])))
    steps.append(MoveProof(JUMP_LANE, after=(steps[-1].id,)))
    if request.arguments.get(TELLS):
        steps.append(PlanTold(JUMP_LANE, storage_class=name, after=(steps[-1].id,)))
    return Plan(tuple(steps))


def _build_back(request: Request) -> Plan:
    return Plan((PutBack(JUMP_LANE, storage_class=_class_of(request)),))


def _build_drop(request: Request) -> Plan:
    volumes = DropOld(JUMP_LANE)
    return Plan((volumes, DropOldServer(JUMP_LANE, after=(volumes.id,))))


RECIPE: Final = Recipe("move-storage", _build, by_name=True)
BACK: Final = Recipe("move-storage-back", _build_back, by_name=True)
DROP: Final = Recipe("drop-storage", _build_drop, by_name=True)
