"""A step of the conversion: what files held is noted on the server before, and comes back when the step fails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rbdtui.errors import StepError
from rbdtui.plan.repairs.before import Record
from rbdtui.plan.resources.base import Looked, Target, settle_all
from rbdtui.plan.step import Pending, StepContext
from rbdtui.plan.steps.base import StepOfResources
from rbdtui.transport.base import TransportError
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class ConvertStep(StepOfResources):
    """Work on one server that is whole or not begun: the site works with it and without it."""

    time_limit_s: ClassVar[float] = 900.0
    stall_s: ClassVar[float] = 300.0

    async def apply(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """Note how things are, settle, and prove it; raises what went wrong, after everything was taken back."""
        await self.ready(context)
        target = Target.of(context, self.node)
        record = Record(context.run_id, self.name)
        await record.note(target, pending.seen)
        try:
            await settle_all(target, pending)
            await self.prove(context)
        except (StepError, TransportError):
            await self._take_back(context, target, record, pending)
            raise

    async def ready(self, context: StepContext) -> None:
        """Raise `StepError`, before anything is changed, where steps that have to come before are not done."""

    async def prove(self, context: StepContext) -> None:
        """Raise `StepError` when what was done does not do what it is for."""

    async def restore(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """What has to be done once the files are as they were, e.g. to start what reads them."""

    async def _take_back(
        self, context: StepContext, target: Target, record: Record, pending: Pending[tuple[Looked, ...]]
    ) -> None:
        try:
            for before in reversed(await record.read(target.host)):
                resource = before.resource()
                left = await resource.pending(target)
                if not left.is_done:
                    await resource.settle(target, left)
            await self.restore(context, pending)
        except (StepError, TransportError) as error:
            context.report.note(T("convert.not_taken_back", node=self.node, reason=error.text))
        else:
            context.report.note(T("convert.taken_back", node=self.node))
