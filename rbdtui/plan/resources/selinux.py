"""Booleans of SELinux that a host's policy must have on."""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.plan.resources.base import Target
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.transport.scripts import script
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class SelinuxBoolean:
    """A boolean that is on, where the host has SELinux and its policy such a boolean."""

    name: str

    async def pending(self, target: Target) -> Pending[None]:
        """Switching it on, while it is off."""
        said = await target.host.must(script("selinux-boolean"), "state", self.name)
        if said.text.strip() != "off":
            return Pending()
        title = T("plan.change.selinux_boolean", name=self.name)
        return Pending((Change(ChangeKind.COMMAND, title, f"setsebool -P {self.name} on"),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Switch it on for good; raises `StepError`. It is noted on the host, so that a reset takes it back."""
        done = await target.host.run(script("selinux-boolean"), "on", self.name, timeout_s=120.0)
        if not done.ok:
            raise StepError("selinux_boolean", node=target.host.name, name=self.name, evidence=done.error_text)
