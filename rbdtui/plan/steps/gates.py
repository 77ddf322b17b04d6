"""What the cluster waits for once keepalived is there: the address is up, and it leads to a ready server."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.plan import vip
from rbdtui.plan.cluster import api_servers
from rbdtui.plan.kube import nodes_seen_by
from rbdtui.plan.resources.units import unit_action
from rbdtui.plan.step import Change, ChangeKind, Gate, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.keepalived import UNIT
from rbdtui.plan.waiting import wait_for
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class VipUp(Gate):
    """Exactly one node carries the address."""

    name: ClassVar[str] = "vip-up"
    time_limit_s: ClassVar[float] = 120.0
    wait_s: ClassVar[float] = 60.0
    look_every_s: ClassVar[float] = vip.LOOK_EVERY_S

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """The one holder."""
        holders = await vip.look(context)
        return None if len(holders.names) == 1 else vip.holder_error(context, holders)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait for it to hold it steadily; raises `StepError` when nobody or several carry it."""
        await asyncio.sleep(self.look_every_s)
        await vip.wait_for_one_holder(context, limit_s=self.wait_s)


@dataclass(frozen=True, slots=True)
class VipToServer(Step):
    """While nodes join through the address, its holder must be a server whose API is ready.

    Without a check of health yet, any gateway may hold it. A holder whose daemon restarts gives the address away, and
    the highest priority, which is the first server's, gets it (RFC 5798: priority 0 in the last advertisement).
    """

    name: ClassVar[str] = "vip-to-server"
    time_limit_s: ClassVar[float] = 180.0
    wait_s: ClassVar[float] = 90.0

    async def pending(self, context: StepContext) -> Pending[vip.Holders]:
        """Restarting the daemon of holders that cannot serve, and waiting while nobody or several hold it."""
        holders = await vip.look(context)
        wrong = await self._not_ready(context, holders.names)
        changes = (
            Change(ChangeKind.SERVICE, T("plan.change.vip_away", node=name), f"{name}: systemctl restart {UNIT}")
            for name in wrong
        )
        waits = None if len(holders.names) == 1 else vip.holder_error(context, holders)
        return Pending(tuple(changes), str(holders), waits, holders)

    async def apply(self, context: StepContext, pending: Pending[vip.Holders]) -> bool:
        """Have the wrong holders give it away until a ready server has it; raises `StepError`."""
        deadline = time.monotonic() + self.wait_s
        moved = False
        seen: vip.Holders | None = pending.seen

        async def held_by_a_server() -> StepError | None:
            nonlocal seen, moved
            limit_s = max(1.0, deadline - time.monotonic())
            async with context.waiting():
                holder = await vip.wait_for_one_holder(context, limit_s=limit_s, seen=seen)
            seen = None
            if not await self._not_ready(context, [holder]):
                return None
            context.report.note(T("plan.note.vip_away", node=holder))
            moved = True
            await unit_action(context.hosts[holder], UNIT, "restart")
            return StepError("vip_not_on_server", node=holder, retryable=True)

        await wait_for(held_by_a_server, limit_s=self.wait_s, every_s=1.0)
        return moved

    async def verify(self, context: StepContext) -> None:
        """The last look was the proof."""

    async def _not_ready(self, context: StepContext, names: list[str]) -> list[str]:
        servers = {node.name for node in api_servers(context.spec)}
        answers = [await nodes_seen_by(context.hosts[name]) if name in servers else None for name in names]
        return [name for name, answer in zip(names, answers, strict=True) if answer is None or not answer.nodes]
