"""What can be done to a site that stands, beside installing it: one file each, one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rbdtui.errors import StepError
from rbdtui.plan.recipes import (
    convert,
    failover,
    move_nfs,
    move_storage,
    reboot,
    remove,
    renew,
    repair,
    restore,
    snapshot,
    undo_repair,
)
from rbdtui.plan.recipes.recipe import Recipe as Recipe
from rbdtui.plan.recipes.recipe import Request as Request

RECIPES: Final[tuple[Recipe, ...]] = (
    repair.RECIPE, undo_repair.RECIPE, snapshot.RECIPE, restore.RECIPE, remove.RECIPE, renew.RECIPE,
    reboot.RECIPE, failover.RECIPE, convert.RECIPE,
    move_storage.RECIPE, move_storage.BACK, move_storage.DROP, move_nfs.RECIPE, move_nfs.BACK,
)  # fmt: skip


def recipe_named(name: str) -> Recipe:
    """The recipe of this name; raises `StepError` for a run that another version made."""
    known: Mapping[str, Recipe] = {recipe.name: recipe for recipe in RECIPES}
    if name not in known:
        raise StepError("unknown_recipe", name=name)
    return known[name]
