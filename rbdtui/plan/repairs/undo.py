"""What a run has repaired on a node, as it was before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.plan.repairs.before import Record
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.base import StepOfResources
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class RepairUndone(StepOfResources):
    """Make things as the record of one repair says; a file that others have changed since stays, and is named."""

    name: ClassVar[str] = "undo-repair"
    skippable: ClassVar[bool] = True

    of: str
    """The run that repaired."""
    repair: str
    """Name of the repair."""

    @property
    def id(self) -> str:
        """One for each repair of a node."""
        return f"undo-{self.repair}@{self.node}"

    @property
    def title(self) -> Text:
        """Which repair is taken back."""
        return T("step.undo-repair.title", what=T(f"step.{self.repair}.title"))  # words: step.repair-*.title

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The last that was done is taken back first."""
        noted = await Record(self.of, self.repair).read(context.hosts[self.node])
        return [each.resource() for each in reversed(noted)]
