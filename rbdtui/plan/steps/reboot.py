"""A node that is started anew: its pods are elsewhere meanwhile, and it takes part again afterwards."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.leave import ApiStep
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T

REBOOT_LIMIT_S: Final = 1200.0
"""Servers with much memory and many disks take minutes before their own system begins."""
_LOOK_EVERY_S: Final = 3.0
_ASK_LIMIT_S: Final = 20.0


async def boot_of(host: Host) -> str:
    """What tells one start of a host from another. Raises `TransportError`."""
    return (await host.must(script("host-boot"), timeout_s=_ASK_LIMIT_S)).text.strip()


@dataclass(frozen=True, slots=True)
class RebootNode(Step):
    """Start it anew, and wait until it can be logged in to again."""

    name: ClassVar[str] = "reboot"
    time_limit_s: ClassVar[float] = REBOOT_LIMIT_S + 60.0
    stall_s: ClassVar[float] = 600.0

    boot: str = field(kw_only=True)
    """Its start when the work was begun: with another one there is nothing left to do."""

    async def pending(self, context: StepContext) -> Pending[None]:
        """The command, while it is still the same start."""
        now = await boot_of(context.hosts[self.node])
        if now != self.boot:
            return Pending(evidence=f"{self.boot} -> {now}")
        return Pending((Change(ChangeKind.COMMAND, T("plan.change.reboot", node=self.node), "systemctl reboot"),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Do it; raises `StepError` when systemd refuses, or when it does not come back."""
        host = context.hosts[self.node]
        said = await host.run(script("host-reboot"), timeout_s=_ASK_LIMIT_S)
        if not said.ok:
            raise StepError("reboot_refused", node=self.node, evidence=said.error_text, retryable=True)
        last = ""
        try:
            async with asyncio.timeout(REBOOT_LIMIT_S):
                while True:
                    await asyncio.sleep(_LOOK_EVERY_S)
                    try:
                        if await boot_of(host) != self.boot:
                            return
                    except TransportError as error:  # as long as it is away
                        last = str(error.text)
        except TimeoutError:
            raise StepError("reboot_not_back", node=self.node, evidence=last, retryable=True) from None


@dataclass(frozen=True, slots=True)
class Uncordon(ApiStep):
    """Let pods come to it again."""

    name: ClassVar[str] = "uncordon"
    boot: str
    """During which boot it was closed; as long as that lasts, it will have to be opened again."""

    async def pending(self, context: StepContext) -> Pending[None]:
        """kubectl's command, while it is or will be closed to new pods; raises `StepError` when no API answers."""
        said = await self.on_a_server(context, "kube-uncordon", "look", self.leaving)
        if said.text.strip() != "yes" and await boot_of(context.hosts[self.leaving]) != self.boot:
            return Pending(evidence=said.text.strip())
        command = f"kubectl uncordon {self.leaving}"
        return Pending((Change(ChangeKind.COMMAND, T("plan.change.uncordon", node=self.leaving), command),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Let pods come to the node again, asked of a server that stays; raises `StepError`."""
        await self.on_a_server(context, "kube-uncordon", "open", self.leaving)
