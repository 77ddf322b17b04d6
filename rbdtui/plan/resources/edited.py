"""A text file of somebody else in which some lines are put right; every other byte stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rbdtui.plan.content import diff, plain
from rbdtui.plan.resources.base import Target
from rbdtui.plan.step import Change, ChangeKind, Pending
from rbdtui.transport.files import file_states, read_file, write_file
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class EditedFile:
    """A file as an edit leaves it; one that is not there needs none."""

    path: str
    edit: Callable[[str], str]
    """From all of the text to all of the text; edited once more it stays the same."""

    async def pending(self, target: Target) -> Pending[bytes]:
        """The lines that would change."""
        before = await read_file(target.host, self.path)
        if before is None:
            return Pending(seen=b"")
        # Bytes that are no UTF-8 come back as they were.
        after = self.edit(before.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if after == before:
            return Pending(seen=after)
        title = T("plan.change.lines", path=self.path)
        changed = diff(self.path, before, plain(after.decode("utf-8", "replace")))
        return Pending((Change(ChangeKind.FILE, title, changed),), seen=after)

    async def settle(self, target: Target, pending: Pending[bytes]) -> None:
        """Write the file; the old one is kept."""
        state = (await file_states(target.host, [self.path]))[self.path]
        mode, owner = (state.mode, state.owner) if state is not None else (0o644, "root:root")
        await write_file(target.host, self.path, pending.seen, mode=mode, owner=owner, backup_dir=target.backup_dir)
