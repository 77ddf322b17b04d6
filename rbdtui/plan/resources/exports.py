"""What an NFS server gives away: the directory, and the exports that are in force."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from rbdtui.plan.resources.base import Target
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.probes.nfs_state import NfsState, PathKind, read_state
from rbdtui.transport.scripts import script
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class GivenDirectory:
    """A directory that is there; what is in it is never touched, nor taken away again."""

    path: str
    site: str

    async def pending(self, target: Target) -> Pending[NfsState]:
        """Making it, unless it is there; raises `StepError` where anything but an empty directory is in the way.

        What the mark of this site calls the source is its own, too: a copy that somebody has decided for.
        """
        state = await read_state(target.host, self.path)
        if state.kind in (PathKind.LINK, PathKind.OTHER):
            raise StepError("nfs_no_directory", node=target.host.name, path=self.path, evidence=state.evidence())
        if given := state.moved_from(self.path):
            raise StepError("nfs_moved", node=target.host.name, path=self.path, given=given, evidence=state.evidence())
        if state.role == "copy":
            raise StepError(
                "nfs_is_copy", node=target.host.name, path=self.path, site=self.site, evidence=state.evidence()
            )
        is_marked = state.role == "source" and state.site == self.site
        if state.entries and not state.is_ours and not is_marked:
            raise StepError(
                "nfs_not_empty", node=target.host.name, path=self.path, count=state.entries, evidence=state.evidence()
            )
        if state.kind is PathKind.DIRECTORY:
            return Pending(seen=state)
        title = T("plan.change.directory", path=self.path)
        return Pending((Change(ChangeKind.COMMAND, title, f"mkdir -p {self.path}"),), seen=state)

    async def settle(self, target: Target, pending: Pending[NfsState]) -> None:
        """Make it; raises `StepError`."""
        done = await target.host.run(script("nfs-server"), "directory", self.path)
        if not done.ok:
            raise StepError("nfs_no_directory", node=target.host.name, path=self.path, evidence=done.error_text)


@dataclass(frozen=True, slots=True)
class InForce:
    """The tables of exports as they are read: a directory is given to these clients, and to nobody else."""

    path: str
    clients: Collection[str]

    async def pending(self, target: Target) -> Pending[NfsState]:
        """Reading the tables again, unless all of it is in force."""
        state = await read_state(target.host, self.path)
        if state.clients(self.path) == frozenset(self.clients):
            return Pending(seen=state)
        return Pending((self._change,), seen=state)

    def after_changes(self, pending: Pending[NfsState]) -> Pending[NfsState]:
        """A table that was written is read."""
        return pending if pending.changes else replace(pending, changes=(self._change,))

    @property
    def _change(self) -> Change:
        return Change(ChangeKind.COMMAND, T("plan.change.exports", path=self.path), "exportfs -ra")

    async def settle(self, target: Target, pending: Pending[NfsState]) -> None:
        """Have them read, and look whether it came about; raises `StepError`."""
        done = await target.host.run(script("nfs-server"), "serve")
        state = await read_state(target.host, self.path)
        if not done.ok or state.clients(self.path) != frozenset(self.clients):
            evidence = "\n".join(filter(None, (done.error_text, state.evidence())))
            raise StepError("nfs_not_exported", node=target.host.name, path=self.path, evidence=evidence)
