"""A step that is nothing but a list of resources."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from rbdtui.plan.resources.base import Looked, Removable, Resource, Target, look_at, settle_all
from rbdtui.plan.step import Pending, Step, StepContext


@dataclass(frozen=True, slots=True)
class StepOfResources(Step):
    """Work on one node that is done when all its resources are as they shall be."""

    @abstractmethod
    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The resources, in the order in which they are settled; hosts may have to be asked for them."""

    async def pending(self, context: StepContext) -> Pending[tuple[Looked, ...]]:
        """What is pending of every resource."""
        return await look_at(Target.of(context, self.node), await self.all_resources(context))

    async def apply(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """Settle the resources that need it, one after the other."""
        await settle_all(Target.of(context, self.node), pending)

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
        """The resources, asked in a thread."""
        # The bundle may have to hash a gigabyte before it can name a file.
        return await asyncio.to_thread(self.resources, context)
