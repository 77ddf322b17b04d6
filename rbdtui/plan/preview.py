"""A plan looked at without being carried out: what each step would change if it ran now."""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.plan.step import Change, Plan, Step, StepContext, StepError
from rbdtui.together import together
from rbdtui.transport.base import TransportError, UploadProgress, unexpected
from rbdtui.words import Text


@dataclass(frozen=True, slots=True)
class PreviewedStep:
    """A step with what it would change."""

    step: Step
    satisfied: bool
    changes: tuple[Change, ...] = ()
    unknown: Text | None = None
    """Why nothing can be said yet, e.g. because an earlier step makes what this one looks at."""


class SilentReporter:
    """Takes what steps tell, and drops it."""

    def line(self, text: str) -> None:
        """Drop a line."""

    def note(self, text: Text) -> None:
        """Drop a sentence."""

    def progress(self, progress: UploadProgress) -> None:
        """Drop a figure."""


async def preview(plan: Plan, context: StepContext) -> list[PreviewedStep]:
    """Ask every step what is pending, nodes in parallel; changes nothing anywhere."""
    lanes: dict[str, list[Step]] = {}
    for step in plan.steps:
        lanes.setdefault(step.node, []).append(step)

    async def walk(steps: list[Step]) -> dict[str, PreviewedStep]:
        return {step.id: await _preview_step(step, context) for step in steps}

    seen: dict[str, PreviewedStep] = {}
    for lane in await together(*(walk(steps) for steps in lanes.values())):
        seen |= lane
    return [seen[step.id] for step in plan.steps]


async def _preview_step(step: Step, context: StepContext) -> PreviewedStep:
    try:
        pending = await step.pending(context)
        return PreviewedStep(step, satisfied=pending.is_done, changes=pending.changes)
    except (StepError, TransportError) as error:
        return PreviewedStep(step, satisfied=False, unknown=error.text)
    except Exception as error:  # one server's odd answer must not take the other servers' plan with it
        return PreviewedStep(step, satisfied=False, unknown=unexpected(step.node or step.id, error))
