"""A step that is nothing but a list of resources."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from rbdtui.plan.resources.base import Removable, Resource, Target
from rbdtui.plan.step import Change, Probe, Step, StepContext


@dataclass(frozen=True, slots=True)
class StepOfResources(Step):
    """Work on one node that is done when all its resources are as they shall be."""

    @abstractmethod
    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The resources, in the order in which they are settled; hosts may have to be asked for them."""

    async def probe(self, context: StepContext) -> Probe:
        """Done when nothing is pending; the evidence names what is."""
        changes = await self.describe(context)
        return Probe(not changes, "\n".join(str(change.title) for change in changes))

    async def describe(self, context: StepContext) -> list[Change]:
        """What is pending of every resource."""
        target = Target.of(context, self.node)
        looks = [resource.pending(target) for resource in await self.all_resources(context)]
        return [change for changes in await asyncio.gather(*looks) for change in changes]

    async def apply(self, context: StepContext) -> None:
        """Settle the resources, one after the other."""
        target = Target.of(context, self.node)
        for resource in await self.all_resources(context):
            await resource.settle(target)

    async def undo(self, context: StepContext) -> None:
        """Take the resources back, the last first."""
        target = Target.of(context, self.node)
        for resource in reversed(await self.all_resources(context)):
            if isinstance(resource, Removable):
                await resource.remove(target)


@dataclass(frozen=True, slots=True)
class ResourceStep(StepOfResources):
    """The same for resources that follow from the spec, the facts and the bundle."""

    @abstractmethod
    def resources(self, context: StepContext) -> Sequence[Resource]:
        """The resources, in the order in which they are settled."""

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The same."""
        # The bundle may have to hash a gigabyte before it can name a file.
        return await asyncio.to_thread(self.resources, context)
