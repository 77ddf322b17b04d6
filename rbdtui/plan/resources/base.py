"""What steps are made of: things on a host that are as they shall be, or can be brought there.

A resource looks (`pending`) and acts (`settle`) by the same rules, and a step only composes resources; therefore what a
dry run announces, what a run does and what a second run finds cannot disagree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from rbdtui.plan.step import Change, Reporter, StepContext
from rbdtui.transport.base import Host

STATE_DIR: Final = "/var/lib/rbdtui"
"""Where rbdtui keeps its own things on a host, root only."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host that resources are looked at and settled on."""

    host: Host
    run_id: str
    report: Reporter

    @property
    def backup_dir(self) -> str:
        """Where files go before this run replaces them."""
        return f"{STATE_DIR}/backup/{self.run_id}"

    @classmethod
    def of(cls, context: StepContext, node: str) -> Target:
        """The target for a node of a run."""
        return cls(context.hosts[node], context.run_id, context.report)


class Resource(Protocol):
    """One thing on a host that shall be in a certain state."""

    async def pending(self, target: Target) -> list[Change]:
        """What is still to be changed; empty when all is as it shall be. Changes nothing."""
        ...

    async def settle(self, target: Target) -> None:
        """Make it so, doing nothing where nothing is pending; safe to be repeated after being cut off at any point.

        Raises `StepError`, `TransportError`.
        """
        ...


@runtime_checkable
class Removable(Protocol):
    """A resource that can be taken back to what was there before rbdtui."""

    async def remove(self, target: Target) -> None:
        """Take it back; harmless when it is not there."""
        ...
