"""A cluster set back to a snapshot, by the steps of RKE2's documentation (rke2-docs, docs/datastore/backup_restore.md).

All servers stop; one becomes etcd's only member with the snapshot's data; the others' data are set aside, and they join
it one after the other as if they were new. Nothing of it is gone on with: asked for again, it begins anew.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from rbdtui.plan.resources.units import Started, unit_action, unit_change
from rbdtui.plan.snapshots import (
    KEY_SECRET,
    PART_BYTES,
    PART_LIMIT_S,
    Snapshot,
    copies_in,
    copy_file,
    parts_of,
    snapshots_on,
)
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepClass, StepContext, StepError
from rbdtui.plan.steps.rke2_start import StartAgent, StartRke2, StartServer
from rbdtui.plan.steps.rke2_words import Progress
from rbdtui.sealed_file import SealedFileError, unseal
from rbdtui.sizes import size_of
from rbdtui.spec.model import Role
from rbdtui.spec.snapshot_schedule import snapshot_directory
from rbdtui.transport.jobs import run_job
from rbdtui.transport.meter import Meter
from rbdtui.transport.scripts import script
from rbdtui.words import T

RESET_LIMIT_S: Final = 1800.0
"""RKE2 reads its image archives first, as at every start."""
HALT_LIMIT_S: Final = 240.0
_DONE: Final = "restart without --cluster-reset flag now"
"""What RKE2 says at the end, in all versions (k3s-io/k3s, pkg/etcd/etcd.go Reset)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which snapshot, known by its sum, and where it lies."""

    name: str
    digest: str
    source: str = ""
    """A server that has it; empty for the copy in the site."""


@dataclass(frozen=True, slots=True)
class PlaceSnapshot(Step):
    """Bring the snapshot to the server that is restored first."""

    name: ClassVar[str] = "restore-snapshot"
    step_class: ClassVar[StepClass] = StepClass.UPLOAD
    time_limit_s: ClassVar[float] = 24 * 3600.0
    stall_s: ClassVar[float] = 300.0

    wanted: Wanted = field(kw_only=True)

    async def pending(self, context: StepContext) -> Pending[Snapshot | None]:
        """The file, unless it is there whole; raises `StepError` when it is nowhere, or there is no room."""
        directory = snapshot_directory(context.spec)
        there = await snapshots_on(context.hosts[self.node], directory, self.wanted.name)
        if self._of(there.found) is not None:
            return Pending(evidence=self.wanted.name)
        source = await self._source(context)
        if there.available_bytes < source.size_bytes:
            raise StepError(
                "snapshot_no_room", node=self.node, path=directory,
                available=size_of(there.available_bytes), needed=size_of(source.size_bytes),
            )  # fmt: skip
        path = f"{directory}/{self.wanted.name}"
        return Pending((Change(ChangeKind.UPLOAD, T("plan.change.snapshot_placed", path=path)),), seen=source)

    async def apply(self, context: StepContext, pending: Pending[Snapshot | None]) -> None:
        """Send it part by part; raises `StepError` when the copy here cannot be opened."""
        assert pending.seen is not None
        host, size = context.hosts[self.node], pending.seen.size_bytes
        path = f"{snapshot_directory(context.spec)}/{self.wanted.name}"
        meter = Meter(size, context.report.progress)
        meter.start(0)
        try:
            async for part in self._parts(context, size):
                await host.must(
                    script("snapshot-receive"), path, str(meter.sent_bytes), str(size),
                    payload=part, timeout_s=PART_LIMIT_S,
                )  # fmt: skip
                meter.add(len(part))
            meter.finish()
        except (SealedFileError, ValueError, OSError) as error:
            raise StepError("snapshot_not_opened", name=self.wanted.name, reason=str(error)) from error

    async def _source(self, context: StepContext) -> Snapshot:
        found = copies_in(context.site_dir)
        if self.wanted.source:
            directory = snapshot_directory(context.spec)
            found = list((await snapshots_on(context.hosts[self.wanted.source], directory, self.wanted.name)).found)
        source = self._of(tuple(found))
        if source is None:
            raise StepError("snapshot_gone", name=self.wanted.name)
        return source

    def _of(self, found: tuple[Snapshot, ...]) -> Snapshot | None:
        return next(
            (each for each in found if (each.name, each.digest) == (self.wanted.name, self.wanted.digest)), None
        )

    async def _parts(self, context: StepContext, size: int) -> AsyncIterator[bytes]:
        if self.wanted.source:
            path = f"{snapshot_directory(context.spec)}/{self.wanted.name}"
            async for part in parts_of(context.hosts[self.wanted.source], path, size):
                yield part
            return
        key, waiting = bytes.fromhex(context.secret(KEY_SECRET)), bytearray()
        for piece in unseal(copy_file(context.site_dir, self.wanted.name), key):
            waiting += piece
            if len(waiting) >= PART_BYTES:
                yield bytes(waiting)
                waiting.clear()
        if waiting:
            yield bytes(waiting)


@dataclass(frozen=True, slots=True)
class _Once(Step):
    """What is done in every such run, whatever is found; its own last look is its proof."""

    async def verify(self, context: StepContext) -> None:
        """Nothing is asked once more: the last look of `apply` was the proof."""


@dataclass(frozen=True, slots=True)
class HaltServer(_Once):
    """Stop RKE2 on a server, with etcd and the API server, which outlive its unit."""

    name: ClassVar[str] = "restore-halt"
    time_limit_s: ClassVar[float] = HALT_LIMIT_S + 60.0
    stall_s: ClassVar[float] = HALT_LIMIT_S

    async def pending(self, context: StepContext) -> Pending[None]:
        """The unit, and what lives on."""
        stop = unit_change("disable", StartServer.unit)
        return Pending((stop, Change(ChangeKind.SERVICE, T("plan.change.control_plane_ended"))))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Stop it, and have it not start at boot with the old data; raises `StepError` when something goes on."""
        done = await context.hosts[self.node].run(script("rke2-halt"), timeout_s=HALT_LIMIT_S)
        if not done.ok:
            raise StepError("restore_not_halted", node=self.node, evidence=done.error_text, retryable=True)


@dataclass(frozen=True, slots=True)
class ResetCluster(_Once):
    """Have RKE2 restore the snapshot on one server, as the only member of etcd."""

    name: ClassVar[str] = "restore-reset"
    time_limit_s: ClassVar[float] = RESET_LIMIT_S + 120.0
    stall_s: ClassVar[float] = 300.0

    wanted: Wanted = field(kw_only=True)

    async def pending(self, context: StepContext) -> Pending[None]:
        """RKE2's own command."""
        path = f"{snapshot_directory(context.spec)}/{self.wanted.name}"
        command = f"rke2 server --cluster-reset --cluster-reset-restore-path={path}"
        return Pending((Change(ChangeKind.COMMAND, T("plan.change.cluster_reset", name=self.wanted.name), command),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Run it to its end; raises `StepError` with RKE2's words unless it says that it was done."""
        path = f"{snapshot_directory(context.spec)}/{self.wanted.name}"
        to_s3 = str(context.spec.kubernetes.settings.get("etcd-s3", "")).lower() == "true"
        said = await run_job(
            context.hosts[self.node], f"{context.run_id}-restore", script("rke2-restore"), path,
            *(["--etcd-s3=false"] if to_s3 else []), timeout_s=RESET_LIMIT_S, on_line=context.report.line,
        )  # fmt: skip
        if not said.ok or not any(_DONE in line for line in said.tail):
            raise StepError("restore_refused", node=self.node, name=self.wanted.name, evidence="\n".join(said.tail))


@dataclass(frozen=True, slots=True)
class SetAside(_Once):
    """Put a server's data of etcd aside: they are of the time before, and would keep it from joining."""

    name: ClassVar[str] = "restore-set-aside"

    async def pending(self, context: StepContext) -> Pending[None]:
        """The directory."""
        return Pending((Change(ChangeKind.FILE, T("plan.change.etcd_set_aside")),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Move it; raises `StepError` while etcd runs."""
        done = await context.hosts[self.node].run(script("etcd-set-aside"), timeout_s=60.0)
        if not done.ok:
            raise StepError("restore_not_halted", node=self.node, evidence=done.error_text, retryable=True)
        context.report.line(done.text)


@dataclass(frozen=True, slots=True)
class StartAgain(StartRke2):
    """Start a server with the configuration that it had, and see it through."""

    name: ClassVar[str] = "restore-start"

    async def pending(self, context: StepContext) -> Pending[Any]:
        """Starting it, also where it has not been stopped yet."""
        pending = await StartRke2.pending(self, context)
        return replace(pending, changes=(unit_change("start", self.unit),)) if pending.is_done else pending

    async def _inputs(self, context: StepContext) -> str:
        """Nothing of it was changed, so the note stays what it was."""
        return await Started(self.unit).read(context.hosts[self.node]) or ""

    async def _why_not_ready(self, context: StepContext, seen: Progress) -> str:
        """A server without API server has done its part once its member votes; its node is awaited at the end."""
        roles = context.spec.node(self.node).roles
        if Role.ETCD in roles and Role.CONTROL_PLANE not in roles:
            return await self._why_not_in_etcd(context)
        return await StartRke2._why_not_ready(self, context, seen)


@dataclass(frozen=True, slots=True)
class RestartAgent(_Once):
    """Start an agent anew: its node may be unknown to the cluster of the snapshot."""

    name: ClassVar[str] = "restore-agent"

    async def pending(self, context: StepContext) -> Pending[None]:
        """Always that the agent's unit is restarted."""
        return Pending((unit_change("restart", StartAgent.unit),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Stop it and start it without waiting: the proof of the whole waits for its node."""
        await unit_action(context.hosts[self.node], StartAgent.unit, "stop", "start-no-wait", timeout_s=180.0)
