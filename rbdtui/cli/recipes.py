"""A recipe from the terminal: what it would change and what it costs, an agreement, and the run to its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence

from rbdtui.checks.preflight import Part
from rbdtui.cli.asking import agreed, confirm_by_name
from rbdtui.cli.follow import Follower
from rbdtui.cli.options import Common
from rbdtui.cli.output import CommandError, Exit, answer, answer_json, styled
from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose, PurposeKind, RunOptions
from rbdtui.engine.lock import SiteLockedError, refuse_when_held
from rbdtui.facts.model import NodeFacts
from rbdtui.paths import as_typed
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import Consent, Recipe, recipe_named
from rbdtui.session import Session
from rbdtui.words import T, Text


def carry_out(
    session: Session,
    name: str,
    arguments: Mapping[str, str],
    *,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    common: Common,
) -> int:
    """Carry a recipe out for an operator who has seen what it does; its exit status.

    Raises `CommandError` when a run is under way, when a server that it needs is silent, or when nobody agrees.
    """
    try:
        refuse_when_held(session.site)
    except SiteLockedError as error:
        raise CommandError(error.text, remedy=T("recipe.stop_first", site=as_typed(session.site.path))) from error
    recipe = recipe_named(name)
    purpose = Purpose(PurposeKind.RECIPE, recipe=name, arguments=arguments)
    facts, seen = asyncio.run(_look(session, recipe, purpose))
    for line in () if as_json else _lines(seen, purpose):
        answer(line)
    if all(each.satisfied for each in seen) or dry_run:
        if as_json:
            answer_json({"changes": [change.to_json() for each in seen for change in each.changes]})
        else:
            answer(T("recipe.nothing") if not dry_run else T("reset.nothing_done"))
        return Exit.GOOD
    _confirm(session, recipe, yes=yes)
    policy = FailurePolicy.ASK if sys.stdin.isatty() and sys.stderr.isatty() else FailurePolicy.STOP
    client = asyncio.run(session.start_recipe(purpose, facts, RunOptions(policy=policy)))
    return Follower(client, as_json=as_json, common=common).follow()


async def _look(
    session: Session, recipe: Recipe, purpose: Purpose
) -> tuple[Mapping[str, NodeFacts], Sequence[PreviewedStep]]:
    """The facts that a recipe asks for, and what each of its steps would change; changes nothing."""
    facts: Mapping[str, NodeFacts] = {}
    if recipe.needs_facts:
        async with session.hosts() as hosts:
            facts = (await session.preflight(hosts, parts=Part.HOSTS)).facts
    return facts, await session.preview_recipe(purpose, facts)


def _lines(seen: Sequence[PreviewedStep], purpose: Purpose) -> Iterator[str]:
    """What would be changed, in the order of the steps, and what that costs."""
    yield styled(purpose.title, bold=True)
    for each in seen:
        where = f"{each.step.node}: " if each.step.node else ""
        if each.unknown is not None:
            yield f"  ? {where}{each.step.title}: {each.unknown}"
        for change in each.changes:
            yield f"  - {where}{change.title}"
    yield str(Text(f"recipe.{purpose.recipe}.weighs", dict(purpose.arguments)))  # words: recipe.*.weighs


def _confirm(session: Session, recipe: Recipe, *, yes: bool) -> None:
    if yes:
        return
    name = session.spec.name
    if recipe.consent is Consent.NAME:
        question, refusal = T("recipe.type_name", name=name), T("recipe.not_confirmed")
        confirm_by_name(name, question, instead=T("recipe.needs_yes"), refusal=refusal)
    elif not agreed(T("recipe.agree"), instead=T("recipe.needs_yes")):
        raise CommandError(T("recipe.not_confirmed"))
