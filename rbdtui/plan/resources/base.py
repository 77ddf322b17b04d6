"""What steps are made of: things on a host that are as they shall be, or can be brought there.

A resource looks (`pending`) and acts (`settle`) by the same rules, and a step only composes resources; therefore what a
dry run announces, what a run does and what a second run finds cannot disagree.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, runtime_checkable

from rbdtui.plan.step import Change, Pending, Reporter, StepContext
from rbdtui.together import together
from rbdtui.transport.base import Host
from rbdtui.transport.files import FileState, file_states

STATE_DIR: Final = "/var/lib/rbdtui"
"""Where rbdtui keeps its own things on a host, root only."""


class FileLooks:
    """How files of a host are; those that resources ask for at the same moment are asked for in one script."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._paths: list[str] = []
        self._asking: asyncio.Task[dict[str, FileState | None]] | None = None

    async def states(self, paths: Iterable[str]) -> Mapping[str, FileState | None]:
        """By path, those of others among them; None for one that is not there. Raises `TransportError`."""
        self._paths += paths
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        return await self._asking

    async def _ask(self) -> dict[str, FileState | None]:
        """Begins once whoever looks at this moment has said what it wants."""
        paths, self._paths, self._asking = list(dict.fromkeys(self._paths)), [], None
        return await file_states(self._host, paths)


@dataclass(frozen=True, slots=True)
class Target:
    """A host that resources are looked at and settled on."""

    host: Host
    run_id: str
    report: Reporter
    files: FileLooks

    @property
    def backup_dir(self) -> str:
        """Where files go before this run replaces them."""
        return f"{STATE_DIR}/backup/{self.run_id}"

    @classmethod
    def of(cls, context: StepContext, node: str) -> Target:
        """The target for a node of a run."""
        host = context.hosts[node]
        return cls(host, context.run_id, context.report, FileLooks(host))


class Resource(Protocol):
    """One thing on a host that shall be in a certain state."""

    async def pending(self, target: Target) -> Pending[Any]:
        """What is still to be changed; empty when all is as it shall be. Changes nothing."""
        ...

    async def settle(self, target: Target, pending: Pending[Any]) -> None:
        """Do what was found pending a moment ago, and is not empty; safe to be cut off at any point and repeated.

        Raises `StepError`, `TransportError`.
        """
        ...


@runtime_checkable
class Reader(Protocol):
    """A resource that has to take in again what the resources before it change."""

    def after_changes(self, pending: Pending[Any]) -> Pending[Any]:
        """What is pending once a resource before it was changed."""
        ...


@dataclass(frozen=True, slots=True)
class Looked:
    """A resource and what is pending of it."""

    resource: Resource
    pending: Pending[Any]


async def look_at(target: Target, resources: Sequence[Resource]) -> Pending[tuple[Looked, ...]]:
    """What is pending of resources, in the order in which they are settled; the evidence names it."""
    found = await together(*(resource.pending(target) for resource in resources))
    looked: list[Looked] = []
    changes: list[Change] = []
    for resource, pending in zip(resources, found, strict=True):
        if changes and isinstance(resource, Reader):
            pending = resource.after_changes(pending)
        looked.append(Looked(resource, pending))
        changes += pending.changes
    return Pending(tuple(changes), "\n".join(str(change.title) for change in changes), seen=tuple(looked))


async def settle_all(target: Target, pending: Pending[tuple[Looked, ...]]) -> None:
    """Settle those of which something is pending, one after the other."""
    for looked in pending.seen:
        if not looked.pending.is_done:
            await looked.resource.settle(target, looked.pending)


@runtime_checkable
class Removable(Protocol):
    """A resource that can be taken back to what was there before rbdtui."""

    async def remove(self, target: Target) -> None:
        """Take it back; harmless when it is not there."""
        ...
