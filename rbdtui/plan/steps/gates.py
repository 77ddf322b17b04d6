"""Barriers and cluster-wide steps: the address is up, it leads to a ready server, the whole is proven."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.plan import vip
from rbdtui.plan.cluster import api_servers
from rbdtui.plan.kube import nodes_seen_by
from rbdtui.plan.resources.units import unit_action
from rbdtui.plan.step import Change, ChangeKind, Probe, Step, StepContext, StepError, StepKind
from rbdtui.plan.steps.keepalived import UNIT
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class VipUp(Step):
    """Exactly one gateway carries the address."""

    name: ClassVar[str] = "vip-up"
    kind: ClassVar[StepKind] = StepKind.GATE
    time_limit_s: ClassVar[float] = 120.0
    wait_s: ClassVar[float] = 60.0

    async def probe(self, context: StepContext) -> Probe:
        """Whether it is so now."""
        holders = await vip.look(context)
        return Probe(len(holders.names) == 1, str(holders))

    async def describe(self, context: StepContext) -> list[Change]:
        """A gate changes nothing."""
        return []

    async def apply(self, context: StepContext) -> None:
        """Wait for it; raises `StepError` when nobody or several carry it."""
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

    async def probe(self, context: StepContext) -> Probe:
        """Whether the only holder's own API server answers."""
        holders = await vip.look(context)
        wrong = await self._not_ready(context, holders.names)
        return Probe(len(holders.names) == 1 and not wrong, str(holders))

    async def describe(self, context: StepContext) -> list[Change]:
        """Restarting the daemon of holders that cannot serve."""
        wrong = await self._not_ready(context, (await vip.look(context)).names)
        return [
            Change(ChangeKind.SERVICE, T("plan.change.vip_away", node=name), f"{name}: systemctl restart {UNIT}")
            for name in wrong
        ]

    async def apply(self, context: StepContext) -> None:
        """Have the wrong holders give it away until a ready server has it; raises `StepError`."""
        deadline = time.monotonic() + self.wait_s
        while True:
            async with context.waiting():
                holder = await vip.wait_for_one_holder(context, limit_s=max(1.0, deadline - time.monotonic()))
            if not await self._not_ready(context, [holder]):
                return
            if time.monotonic() > deadline:
                raise StepError("vip_not_on_server", node=holder, retryable=True)
            context.report.note(T("plan.note.vip_away", node=holder))
            await unit_action(context.hosts[holder], UNIT, "restart")
            await asyncio.sleep(1.0)

    async def _not_ready(self, context: StepContext, names: list[str]) -> list[str]:
        servers = {node.name for node in api_servers(context.spec)}
        answers = [await nodes_seen_by(context.hosts[name]) if name in servers else None for name in names]
        return [name for name, answer in zip(names, answers, strict=True) if answer is None or not answer.nodes]
