"""A recipe from the terminal: what it would change and what it costs, an agreement, and the run to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence

from rbdtui.cli.asking import agreed, confirm_by_name
from rbdtui.cli.follow import Follower
from rbdtui.cli.options import Common
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, styled
from rbdtui.cli.plan_page import plan_json, row_lines
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose, RunOptions
from rbdtui.engine.lock import SiteLockedError, refuse_when_held
from rbdtui.facts.model import NodeFacts
from rbdtui.paths import as_typed
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import recipe_named
from rbdtui.plan.step import Plan
from rbdtui.session import Session
from rbdtui.words import T
from rbdtui.workbench.review.plan_rows import plan_rows


def refuse_when_busy(session: Session) -> None:
    """Raise `CommandError` when a run of this site is under way."""
    try:
        refuse_when_held(session.site)
    except SiteLockedError as error:
        raise CommandError(error.text, remedy=T("recipe.stop_first", site=as_typed(session.site.path))) from error


def carry_out(
    session: Session,
    purpose: Purpose,
    facts: Mapping[str, NodeFacts],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    common: Common,
) -> int:
    """Show every command and file of a recipe, have it agreed to, and carry it out to its end; its exit status.

    Raises `CommandError` when nobody agrees, and as `Session.preview_recipe` and `Session.start_recipe`.
    """
    seen = asyncio.run(session.preview_recipe(purpose, facts))
    if dry_run and as_json:
        answer_json(plan_json(seen))
        return Exit.GOOD
    for line in () if as_json else _lines(seen, purpose):
        answer(line)
    if dry_run:
        answer(T("reset.nothing_done"))
        return Exit.GOOD
    if all(each.satisfied for each in seen):
        if as_json:
            answer_json(plan_json(seen))
        else:
            answer(T("recipe.nothing"))
        return Exit.GOOD
    if not yes:
        _confirm(session.spec.name, by_name=recipe_named(purpose.recipe).by_name)
    policy = FailurePolicy.ASK if sys.stdin.isatty() and sys.stderr.isatty() else FailurePolicy.STOP
    client = asyncio.run(session.start_recipe(purpose, facts, RunOptions(policy=policy)))
    return Follower(client, as_json=as_json, common=common).follow()


def _confirm(name: str, *, by_name: bool) -> None:
    """Have it agreed to; raises `CommandError`."""
    if by_name:
        question, refusal = T("recipe.type_name", name=name), T("recipe.not_confirmed")
        confirm_by_name(name, question, instead=T("recipe.needs_yes"), refusal=refusal)
    elif not agreed(T("recipe.agree"), instead=T("recipe.needs_yes")):
        raise CommandError(T("recipe.not_confirmed"))


def _lines(seen: Sequence[PreviewedStep], purpose: Purpose) -> Iterator[str]:
    """What would be changed, in the order of the steps, and what that costs."""
    yield styled(purpose.title, bold=True)
    yield from row_lines(plan_rows(Plan(tuple(each.step for each in seen)), seen), with_diff=True)
    yield from map(str, recipe_named(purpose.recipe).weighs(purpose.arguments))
