"""Repairs on the screen: what is offered for what was found, what it would change, and its start."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose, PurposeKind, RunOptions
from rbdtui.engine.inputs import purpose_of as purpose_of_run
from rbdtui.errors import NotNowError
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes import undo_repair
from rbdtui.plan.recipes.repair import RECIPE, STEPS
from rbdtui.plan.recipes.undo_repair import OF
from rbdtui.plan.repairs import repairs_for
from rbdtui.session import Session
from rbdtui.site import Site, SiteError
from rbdtui.words import T
from rbdtui.workbench.run.run_list import list_runs

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench


def offered(workbench: Workbench) -> Mapping[str, tuple[Finding, ...]]:
    """The repairs for what is known to be wrong, by the ids of their steps; none for a plan that was not saved."""
    spec = workbench.draft.spec
    if spec is None or workbench.draft.dirty:
        return {}
    return repairs_for(workbench.findings, spec, facts_now(workbench))


def facts_now(workbench: Workbench) -> Mapping[str, NodeFacts]:
    """What the servers of the plan have said: in the last check while that holds, else while they were typed."""
    seen, spec = workbench.preflight, workbench.draft.spec
    facts = workbench.live.facts if seen.outdated or not seen.facts else seen.facts
    known = {node.name for node in spec.managed_nodes} if spec is not None else set()
    return {name: of_node for name, of_node in facts.items() if name in known}


def steps_for(repairs: Mapping[str, tuple[Finding, ...]], findings: Iterable[Finding]) -> list[str]:
    """Those of the repairs that are for one of these findings."""
    wanted = {finding.identity for finding in findings}
    return [step for step, served in repairs.items() if wanted & {each.identity for each in served}]


def purpose_of(steps: Iterable[str]) -> Purpose:
    """What a run is for that carries these out."""
    return Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments={STEPS: " ".join(steps)})


def repaired_runs(site: Site) -> list[str]:
    """Runs that repaired something, the newest first."""
    return [line.run_id for line in list_runs(site) if line.purpose is not None and line.purpose.recipe == RECIPE.name]


def was_repaired(workbench: Workbench) -> bool:
    """Whether the newest run repaired something, so that it can be taken back from here."""
    run = workbench.run
    return run is not None and not run.alive and run.purpose is not None and run.purpose.recipe == RECIPE.name


def undo_purpose(session: Session, run_id: str = "", nodes: Collection[str] = ()) -> Purpose:
    """What a run is for that takes back what one has repaired, by default the newest, on all nodes or the named ones.

    Raises `NotNowError` where no run repaired anything on these, `SiteError` for one that is none of repair.
    """
    runs = repaired_runs(session.site)
    if run_id and run_id not in runs:
        kept = T("undo_repair.known", known=", ".join(runs)) if runs else T("undo_repair.none")
        raise SiteError(T("undo_repair.no_run", given=run_id, kept=kept))
    if not runs:
        raise NotNowError(T("undo_repair.none"))
    repaired = purpose_of_run(session.site.run_dir(run_id or runs[0]))
    known = {node.name for node in session.spec.managed_nodes}
    asked = known & set(nodes) if nodes else known
    steps = repaired.arguments.get(STEPS, "").split() if repaired is not None else []
    mine = [step for step in steps if step.partition("@")[2] in asked]
    if not mine:
        raise NotNowError(T("undo_repair.nothing", run=run_id or runs[0]))
    arguments = {OF: run_id or runs[0], STEPS: " ".join(mine)}
    return Purpose(PurposeKind.RECIPE, recipe=undo_repair.RECIPE.name, arguments=arguments)


def look(workbench: Workbench, purpose: Purpose) -> Future[list[PreviewedStep]]:
    """Ask what would be changed."""
    return workbench.background.submit(workbench.session.preview_recipe(purpose, facts_now(workbench)))


def begin(workbench: Workbench, purpose: Purpose) -> Future[None]:
    """Start the run and look at it; raises as `Session.start` through the future."""

    facts = facts_now(workbench)

    async def start() -> None:
        options = RunOptions(policy=FailurePolicy.ASK)
        client = await workbench.session.start_recipe(purpose, facts, options)
        workbench.open_run(client.run_id)

    return workbench.background.submit(start())
