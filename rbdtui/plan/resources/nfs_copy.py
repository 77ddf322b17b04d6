"""The directory that takes a copy, the mark that must not be lost, and that something was copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.plan.resources.base import Target
from rbdtui.plan.step import Change, ChangeKind, Pending, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.nfs_copy_state import read_copy_state
from rbdtui.probes.nfs_state import NfsState, PathKind, read_state
from rbdtui.transport.scripts import script
from rbdtui.words import T

_FIRST_LIMIT_S: Final = 90.0
_LOOK_EVERY_S: Final = 3.0


@dataclass(frozen=True, slots=True)
class TakenDirectory:
    """A directory that may be overwritten: an empty one, or the copy of this site."""

    path: str
    site: str

    async def pending(self, target: Target) -> Pending[NfsState]:
        """Making it, unless it is there; raises `StepError` where it has anything that is no copy."""
        state, node = await read_state(target.host, self.path), target.host.name
        if state.kind in (PathKind.LINK, PathKind.OTHER):
            raise StepError("nfs_no_directory", node=node, path=self.path, evidence=state.evidence())
        if state.role == "source" or state.clients(self.path):
            raise StepError(
                "nfs_copy_is_source", node=node, path=self.path, site=self.site, evidence=state.evidence()
            )  # fmt: skip
        if state.entries and (state.role, state.site) != ("copy", self.site):
            raise StepError(
                "nfs_copy_not_empty", node=node, path=self.path, count=state.entries, evidence=state.evidence()
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
class StillMarked:
    """A directory that was copied before has its mark: without it, its disk may be missing, with all but the copy."""

    path: str

    async def pending(self, target: Target) -> Pending[None]:
        """Nothing; raises `StepError`."""
        copied = await read_copy_state(target.host)
        if copied.complete_s:
            state = await read_state(target.host, self.path)
            if state.role != "source":
                raise StepError("nfs_mark_gone", node=target.host.name, path=self.path, evidence=state.evidence())
        return Pending()

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Never pending."""


@dataclass(frozen=True, slots=True)
class CopiedOnce:
    """The first pass has come to its end, or is under way without a fault where there is much to copy."""

    copy: str

    async def pending(self, target: Target) -> Pending[None]:
        """Waiting for it, unless there was one, or one is under way."""
        state = await read_copy_state(target.host)
        if state.complete_s or (state.push == "active" and not state.failed):
            return Pending()
        return Pending((Change(ChangeKind.SERVICE, T("plan.change.nfs_copy", node=self.copy)),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Wait for it; raises `StepError` in rsync's words when it fails again and again."""

        async def behind() -> StepError | None:
            state = await read_copy_state(target.host)
            if state.complete_s:
                return None
            return StepError(
                "nfs_not_copied", node=target.host.name, copy=self.copy, evidence=state.evidence(), retryable=True
            )

        try:
            await wait_for(behind, limit_s=_FIRST_LIMIT_S, every_s=_LOOK_EVERY_S)
        except StepError:
            if (await read_copy_state(target.host)).failed:
                raise
            target.report.note(T("plan.note.nfs_copy_goes_on", node=self.copy))
