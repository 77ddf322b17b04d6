"""A snapshot of etcd now: taken by RKE2, proven on the server, copied here encrypted, old ones of ours removed."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.errors import reason_of
from rbdtui.plan.snapshots import (
    KEPT_PER_SERVER,
    KEY_SECRET,
    OURS,
    TRAILER_BYTES,
    Snapshot,
    SnapshotState,
    copies_directory,
    copies_in,
    copies_kept,
    copy_file,
    delete_copy,
    is_snapshot_name,
    parts_of,
    snapshots_on,
    surplus_copies,
)
from rbdtui.plan.step import NO_RUN_YET, Change, ChangeKind, Pending, Step, StepClass, StepContext, StepError
from rbdtui.sealed_file import SealedFileError, Sealing, file_size_for
from rbdtui.sizes import size_of
from rbdtui.spec.snapshot_schedule import snapshot_directory
from rbdtui.transport.jobs import run_job
from rbdtui.transport.meter import Meter
from rbdtui.transport.scripts import script
from rbdtui.words import T

SAVE_LIMIT_S: Final = 420.0
"""RKE2 itself gives up after two minutes, and after some more where it sends a copy to S3."""
ROOM_TO_SPARE_BYTES: Final = 64 * 1024 * 1024
"""That must stay free, on the server and here."""


def snapshot_name(context: StepContext) -> str:
    """What RKE2 is given; it adds ``-NODE-SECONDS``. A run that is taken up finds its own by it."""
    return f"{OURS}{context.run_id}"


async def _own(context: StepContext, node: str) -> tuple[Snapshot, ...]:
    """The snapshots that this run has made on a node, whatever they are worth; the newest first."""
    there = await snapshots_on(
        context.hosts[node], snapshot_directory(context.spec), f"{snapshot_name(context)}-"
    )  # fmt: skip
    return tuple(each for each in there.found if is_snapshot_name(each.name))


@dataclass(frozen=True, slots=True)
class TakeSnapshot(Step):
    """Have RKE2 save a snapshot, and prove that it is whole."""

    name: ClassVar[str] = "snapshot-take"
    time_limit_s: ClassVar[float] = SAVE_LIMIT_S + 300.0
    stall_s: ClassVar[float] = 180.0

    async def pending(self, context: StepContext) -> Pending[None]:
        """The command, unless this run has made one; raises `StepError` where the server has no room for it."""
        directory = snapshot_directory(context.spec)
        there = await snapshots_on(context.hosts[self.node], directory, f"{snapshot_name(context)}-")
        if any(each.state is SnapshotState.WHOLE for each in there.found):
            return Pending(evidence="\n".join(each.name for each in there.found))
        needed = there.database_bytes + ROOM_TO_SPARE_BYTES
        if there.available_bytes < needed:
            raise StepError(
                "snapshot_no_room", node=self.node, path=directory,
                available=size_of(there.available_bytes), needed=size_of(needed),
            )  # fmt: skip
        command = " ".join(("rke2 etcd-snapshot save --name", snapshot_name(context), *_options(context)))
        title = T("plan.change.snapshot", path=directory)
        if context.run_id == NO_RUN_YET:
            title = T("plan.change.snapshot_to_be", path=directory, run=NO_RUN_YET)
        return Pending((Change(ChangeKind.COMMAND, title, command),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Save it; raises `StepError` with RKE2's words when there is no whole one afterwards."""
        said = await run_job(
            context.hosts[self.node], f"{context.run_id}-snapshot", script("rke2-snapshot"),
            "save", snapshot_name(context), *_options(context), timeout_s=SAVE_LIMIT_S, on_line=context.report.line,
        )  # fmt: skip
        made = await _own(context, self.node)
        if any(each.state is SnapshotState.WHOLE for each in made):
            return
        evidence = "\n".join((*said.tail, *(f"{each.name}: {each.state.value}" for each in made)))
        if made:
            raise StepError("snapshot_cut_off", node=self.node, name=made[0].name, evidence=evidence, retryable=True)
        raise StepError("snapshot_not_taken", node=self.node, evidence=evidence, retryable=True)

    async def verify(self, context: StepContext) -> None:
        """The look at the file was the proof."""


def _options(context: StepContext) -> tuple[str, ...]:
    """A compressed one could not be proven on the server. Its name as RKE2 has it in the configuration: of two forms of
    one option RKE2 takes neither."""
    compresses = str(context.spec.kubernetes.settings.get("etcd-snapshot-compress", "")).lower() == "true"
    return ("--etcd-snapshot-compress=false",) if compresses else ()


@dataclass(frozen=True, slots=True)
class CopySnapshot(Step):
    """Bring this run's snapshot into the site, encrypted on the way to the disk."""

    name: ClassVar[str] = "snapshot-copy"
    step_class: ClassVar[StepClass] = StepClass.UPLOAD
    time_limit_s: ClassVar[float] = 24 * 3600.0
    stall_s: ClassVar[float] = 300.0

    async def pending(self, context: StepContext) -> Pending[Snapshot | None]:
        """The file, unless there is a whole copy; raises `StepError` where this machine has no room for it."""
        directory = copies_directory(context.site_dir)
        change = Change(ChangeKind.FILE, T("plan.change.snapshot_copy", path=str(directory)))
        own = [each for each in await _own(context, self.node) if each.state is SnapshotState.WHOLE]
        if not own:
            return Pending((change,))
        copied = {(each.name, each.digest) for each in copies_in(context.site_dir) if each.is_good}
        if (own[0].name, own[0].digest) in copied:
            return Pending(evidence=own[0].name)
        needed = file_size_for(own[0].size_bytes) + ROOM_TO_SPARE_BYTES
        available = shutil.disk_usage(context.site_dir).free
        if available < needed:
            raise StepError(
                "snapshot_no_room_here", path=str(directory), available=size_of(available), needed=size_of(needed)
            )
        return Pending((change,), seen=own[0])

    async def apply(self, context: StepContext, pending: Pending[Snapshot | None]) -> None:
        """Copy it; raises `StepError` when what arrives is not what lies there."""
        snapshot = pending.seen
        if snapshot is None:
            raise StepError("snapshot_not_taken", node=self.node, retryable=True)
        directory = copies_directory(context.site_dir)
        path = copy_file(context.site_dir, snapshot.name)
        about = {"taken_at": snapshot.taken_at, "digest": snapshot.digest, "node": self.node, "name": snapshot.name}
        try:
            directory.mkdir(mode=0o700, exist_ok=True)
            key = bytes.fromhex(context.secret(KEY_SECRET))
            sealing = Sealing(path, key, snapshot.size_bytes, about)
            try:
                await self._fill(context, snapshot, sealing)
            finally:
                sealing.close()
        except (OSError, SealedFileError, ValueError) as error:
            raise StepError("snapshot_not_copied", path=str(path), reason=str(error), retryable=True) from error

    async def _fill(self, context: StepContext, snapshot: Snapshot, sealing: Sealing) -> None:
        """Fetch part after part; what the whole amounts to is proven before the copy gets its name."""
        place = f"{snapshot_directory(context.spec)}/{snapshot.name}"
        digest, last = hashlib.sha256(), b""
        meter = Meter(snapshot.size_bytes, context.report.progress)
        meter.start(0)
        async for part in parts_of(context.hosts[self.node], place, snapshot.size_bytes):
            held = last + part
            digest.update(held[:-TRAILER_BYTES])
            last = held[-TRAILER_BYTES:]
            await asyncio.to_thread(sealing.write, part)
            meter.add(len(part))
        if digest.hexdigest() != snapshot.digest or last.hex() != snapshot.digest:
            raise StepError("snapshot_changed", node=self.node, name=snapshot.name, retryable=True)
        await asyncio.to_thread(sealing.finish)
        meter.finish()

    async def verify(self, context: StepContext) -> None:
        """What was written was hashed on the way and held against the snapshot's own sum."""


@dataclass(frozen=True, slots=True)
class PruneSnapshots(Step):
    """Have RKE2 delete the oldest of the snapshots that rbdtui has made on a server: it never does so by itself."""

    name: ClassVar[str] = "snapshot-prune"

    async def pending(self, context: StepContext) -> Pending[tuple[str, ...]]:
        """Those beyond the newest whole ones, and older ones that were cut off."""
        there = await snapshots_on(context.hosts[self.node], snapshot_directory(context.spec), OURS)
        ours = [each for each in there.found if is_snapshot_name(each.name)]
        kept = {each.name for each in [each for each in ours if each.is_good][:KEPT_PER_SERVER]}
        oldest_kept = min((each.taken_at for each in ours if each.name in kept), default=0.0)
        old = tuple(each.name for each in ours if each.name not in kept and each.taken_at < oldest_kept)
        changes = tuple(
            Change(
                ChangeKind.COMMAND, T("plan.change.snapshot_deleted", name=name), f"rke2 etcd-snapshot delete {name}"
            )
            for name in old
        )
        return Pending(changes, seen=old)

    async def apply(self, context: StepContext, pending: Pending[tuple[str, ...]]) -> None:
        """Delete them; what stays is said, and the run goes on."""
        done = await context.hosts[self.node].run(
            script("rke2-snapshot"), "delete", *pending.seen, timeout_s=SAVE_LIMIT_S
        )  # fmt: skip
        for line in (*done.text.splitlines(), *done.error_text.splitlines()):
            context.report.line(line)
        if not done.ok:
            context.report.note(T("plan.note.snapshots_stay", node=self.node))

    async def verify(self, context: StepContext) -> None:
        """What could not be deleted is no reason to fail."""


@dataclass(frozen=True, slots=True)
class PruneCopies(Step):
    """Delete the oldest copies in the site, once the new one was proven: the last good one never goes."""

    name: ClassVar[str] = "snapshot-prune-copies"

    async def pending(self, context: StepContext) -> Pending[tuple[str, ...]]:
        """Those beyond what RKE2 keeps of its own; none while this run's own copy is not there."""
        own = [each.name for each in await _own(context, self.node) if each.state is SnapshotState.WHOLE]
        copies = await asyncio.to_thread(copies_in, context.site_dir)
        old = surplus_copies(copies, copies_kept(context.spec), own[0]) if own else ()
        directory = copies_directory(context.site_dir)
        changes = tuple(
            Change(ChangeKind.FILE, T("plan.change.copy_deleted", name=each.name, path=str(directory))) for each in old
        )
        return Pending(changes, seen=tuple(each.name for each in old))

    async def apply(self, context: StepContext, pending: Pending[tuple[str, ...]]) -> None:
        """Delete them; what stays is said, and the run goes on."""
        try:
            for name in pending.seen:
                await asyncio.to_thread(delete_copy, context.site_dir, name)
        except OSError as error:
            context.report.note(T("plan.note.copies_stay", reason=reason_of(error)))

    async def verify(self, context: StepContext) -> None:
        """What could not be deleted only takes room."""
