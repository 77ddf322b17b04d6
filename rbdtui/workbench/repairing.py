"""Repairs on the screen: what is offered for what was found, what it would change, and its start."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING

from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose, PurposeKind, RunOptions
from rbdtui.findings import Finding
from rbdtui.plan.preview import PreviewedStep
from rbdtui.plan.recipes.repair import RECIPE, STEPS
from rbdtui.plan.repairs import repairs_for

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench


def offered(workbench: Workbench) -> Mapping[str, tuple[Finding, ...]]:
    """The repairs for what the last check has found, by the ids of their steps; none once the plan is another."""
    seen, spec = workbench.preflight, workbench.draft.spec
    if spec is None or seen.outdated or not seen.facts:
        return {}
    known = {node.name for node in spec.managed_nodes}
    return repairs_for(seen.findings, spec, {name: facts for name, facts in seen.facts.items() if name in known})


def steps_for(repairs: Mapping[str, tuple[Finding, ...]], findings: Iterable[Finding]) -> list[str]:
    """Those of the repairs that are for one of these findings."""
    wanted = {finding.identity for finding in findings}
    return [step for step, served in repairs.items() if wanted & {each.identity for each in served}]


def purpose_of(steps: Iterable[str]) -> Purpose:
    """What a run is for that carries these out."""
    return Purpose(PurposeKind.RECIPE, recipe=RECIPE.name, arguments={STEPS: " ".join(steps)})


def look(workbench: Workbench, purpose: Purpose) -> Future[list[PreviewedStep]]:
    """Ask what would be changed."""
    return workbench.background.submit(workbench.session.preview_recipe(purpose, workbench.preflight.facts))


def begin(workbench: Workbench, purpose: Purpose) -> Future[None]:
    """Start the run and look at it; raises as `Session.start` through the future."""

    async def start() -> None:
        options = RunOptions(policy=FailurePolicy.ASK)
        client = await workbench.session.start_recipe(purpose, workbench.preflight.facts, options)
        workbench.open_run(client.run_id)

    return workbench.background.submit(start())
