"""A snapshot of etcd, taken now and copied here."""

from __future__ import annotations

from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.recipes.recipe import Recipe, Request
from rbdtui.plan.step import Plan
from rbdtui.plan.steps.snapshot import CopySnapshot, PruneCopies, PruneSnapshots, TakeSnapshot

NODE: Final = "node"
"""The argument: on which node it is taken."""


def _build(request: Request) -> Plan:
    node = request.arguments.get(NODE, "")
    if node not in {each.name for each in etcd_nodes(request.spec)}:
        raise StepError("snapshot_no_etcd", node=node)
    take = TakeSnapshot(node)
    copy = CopySnapshot(node, after=(take.id,))
    prune = PruneSnapshots(node, after=(copy.id,))
    return Plan((take, copy, prune, PruneCopies(node, after=(prune.id,))))


RECIPE: Final = Recipe("snapshot", _build)
