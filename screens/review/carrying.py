"""Other work that begins in Review: repairs, and the conversion of a site that stands. Shown, agreed to, begun."""

from __future__ import annotations

from collections.abc import Sequence

from rbdtui.audit.audit import Audit
from rbdtui.engine.inputs import Purpose
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import recipe_named
from rbdtui.words import T
from rbdtui.workbench import sections
from rbdtui.workbench.review import converting, repairing
from rbdtui.workbench.upkeep.starting import begin
from screens.dialogs.recipe import RecipeDialog, consent_to
from screens.dialogs.wait import looked
from screens.review.convert import GroupsDialog
from screens.shell.base import SectionScreen


async def carry_repair(screen: SectionScreen, purpose: Purpose) -> None:
    """Show what repairs would change, and begin once it is agreed to."""
    workbench = screen.workbench
    if workbench.has_vault and not await screen.program.ensure_unlocked(T("review.why_unlock_preview")):
        return
    seen = await looked(screen, repairing.look(workbench, purpose), T("repair.looking"))
    if seen is None:
        return
    if all(each.satisfied for each in seen):
        screen.tell(T("repair.gone"))
    elif await screen.program.ask(_consent(purpose, seen)) and await screen.done(repairing.begin(workbench, purpose)):
        screen.program.show_section(sections.RUN)


async def convert(screen: SectionScreen, found: Audit) -> None:
    """Carry a site that stands a group further: the groups, what one would change, and its run once agreed to."""
    workbench = screen.workbench
    workbench.look_for_run()
    if workbench.active_run is not None:
        screen.program.show_section(sections.RUN)
        return
    groups = await looked(screen, converting.look(workbench, found), T("repair.looking"))
    if groups is None:
        return
    group = await screen.program.ask(GroupsDialog(groups))
    if group is None or not await screen.program.ensure_unlocked(T("review.why_unlock")):
        return
    prepared = await looked(screen, converting.prepare(workbench, found, group.name), T("repair.looking"))
    if prepared is None:
        return
    question = consent_to(prepared, workbench.session.spec.name)
    if prepared.is_done:
        screen.tell(T("recipe.nothing"))
    elif await screen.program.ask(question) and await screen.done(begin(workbench, prepared)):
        screen.program.show_section(sections.RUN)


def _consent(purpose: Purpose, seen: Sequence[PreviewedStep]) -> RecipeDialog:
    return RecipeDialog(
        T(f"review.agree.{purpose.recipe}"),  # words: review.agree.*
        recipe_named(purpose.recipe).weighs(purpose.arguments),
        seen,
    )
