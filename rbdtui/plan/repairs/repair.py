"""What a repair is: a step that does away with findings on one node, by resources as any other step."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.facts.model import NodeFacts
from rbdtui.plan.repairs.before import Record
from rbdtui.plan.resources.base import Looked, Resource, Target
from rbdtui.plan.step import Pending, StepContext
from rbdtui.plan.steps.base import StepOfResources
from rbdtui.spec.model import ClusterSpec


@dataclass(frozen=True, slots=True)
class Repair(StepOfResources):
    """One kind of repair. How things were is noted on the server, so that it can be taken back."""

    codes: ClassVar[frozenset[str]]
    """The findings that it is offered for."""

    @abstractmethod
    def resources(self, spec: ClusterSpec, facts: NodeFacts) -> Sequence[Resource]:
        """What shall be so on a node; nothing where this repair cannot help it."""

    async def apply(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """Note on the server how everything was, then settle it."""
        await Record(context.run_id, self.name).note(Target.of(context, self.node), pending.seen)
        await StepOfResources.apply(self, context, pending)

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """Those of its own node."""
        return self.resources(context.spec, context.facts[self.node])
