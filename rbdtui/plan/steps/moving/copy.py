"""The data goes over: copied while it is used, then once more and compared by sums while its users stand still.

Until all of it was found to be equal nothing of the old is touched; when anything goes wrong the users run again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.kube.session import KubeAbsentError, KubeConflictError, KubeError, KubeSession
from rbdtui.plan.step import Change, ChangeKind, LetGoError, Pending, RetryPolicy, StepContext, StepError
from rbdtui.plan.steps.moving import pods
from rbdtui.plan.steps.moving.looking import VOLUMES, Looked, MoveStep, look_at, refuse_strangers
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.scaling import start, stop
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.moving import BECOMES, MOVED_FROM, RECLAIM, Moving, Object, directory_of, node_of, reclaim_of
from rbdtui.rainbond.workloads import LISTS, Json, name_of
from rbdtui.sizes import size_of
from rbdtui.surely import surely
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T

CLAIMS: Final = LISTS["PersistentVolumeClaim"]
CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
_GONE_S: Final = 120.0
_EVERY_S: Final = 0.5
SPARE: Final = 1.05
"""How much more room there has to be than is used now."""


@dataclass(frozen=True, slots=True)
class CopyBefore(MoveStep):
    """Each claim has a second one of the new class, with nearly all of its data, while its users run."""

    name: ClassVar[str] = "move-copy"
    time_limit_s: ClassVar[float] = pods.TASK_S + 3600.0
    stall_s: ClassVar[float] = 3600.0

    async def pending(self, context: StepContext) -> Pending[Looked | None]:
        """A claim and a copy for each, as long as its users run; raises `StepError` for what stands against it."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            if await api.kube.find(f"{CLASSES}/{self.storage_class}") is None:
                raise StepError("storage_class_absent", name=self.storage_class)
            looked = await look_at(api.kube, self.storage_class)
        refuse_strangers(looked.found.moving)
        left = self._left(looked)
        used = await together(*(_used(context, each) for each in left))
        changes = tuple(_copy_change(*pair, self.storage_class) for pair in zip(left, used, strict=True))
        return Pending(changes, "\n".join(each.line for each in looked.found.moving), seen=looked)

    @staticmethod
    def _left(looked: Looked) -> list[Moving]:
        return [each for each in looked.found.moving if not looked.settled(each)] if looked.running else []

    async def apply(self, context: StepContext, pending: Pending[Looked | None]) -> None:
        """Make the claims, see that the data fits, and copy; raises `StepError` after its claims were taken away."""
        looked = pending.seen
        assert looked is not None
        left = self._left(looked)
        async with open_api(context) as api:
            try:
                await _make_room_sure(context, api.kube, looked, left, self.storage_class)
                for each in left:
                    said = await pods.run(context, api.kube, each, looked.seen, "live")
                    if said.all("moving"):
                        context.report.line(f"{each.name}: it changes while it is copied")
            except StepError as error:
                if error.code.startswith("move_"):  # else it is the way to the API that failed
                    await surely(_drop(context, api.kube, [each for each in left if not each.is_compared]))
                raise

    async def verify(self, context: StepContext) -> None:
        """It goes out of date at once: the next step copies the rest, and compares all."""


async def _make_room_sure(
    context: StepContext, kube: KubeSession, looked: Looked, left: Sequence[Moving], storage_class: str
) -> None:
    """Make the second claims that there are not yet, and see that what is still to be copied fits into them.

    Raises `StepError` where the new file systems have less room than that, all on one together.
    """
    rooms: dict[tuple[str, ...], _Room] = {}
    for each in left:
        with suppress(KubeConflictError):
            await kube.create(CLAIMS, _temporary(each, storage_class))
    for each in left:
        said = await pods.run(context, kube, each, looked.seen, "measure")
        volume_name = str((await kube.get(f"{CLAIMS}/{each.temporary}"))["spec"]["volumeName"])
        place = file_system(await kube.get(f"{VOLUMES}/{volume_name}"), said)
        room = rooms.setdefault(place, _Room(said.all("device")[0]))
        room.needed_kib += max(0, said.number("used_kib") - said.number("copied_kib"))
        room.free_kib = said.number("free_kib")
    for room in rooms.values():
        if room.needed_kib * SPARE > room.free_kib:
            raise StepError("move_no_room", device=room.device, needed_kib=room.needed_kib, free_kib=room.free_kib)


@dataclass(slots=True)
class _Room:
    """A file system that something is copied to."""

    device: str
    needed_kib: int = 0
    free_kib: int = 0


def file_system(volume: Json, said: pods.Said) -> tuple[str, ...]:
    """What tells the file system of a new volume from all others, by what was measured in it.

    Directories of one node share a disk, directories of one NFS server their export; every other volume is a disk of
    its own, whose name on a node another one has had before or will have next.
    """
    device, kind = said.all("device")[0], "".join(said.all("kind"))
    if kind.startswith("nfs"):
        return "nfs", device.rpartition(":")[0], str(said.number("size_kib"))
    if directory_of(volume):
        return "directory", said.node, device
    return "volume", name_of(volume)


async def _used(context: StepContext, moving: Moving) -> str:
    """How much a claim's volume holds, as far as a server of the plan can tell without anything being changed."""
    return await used_in(context, moving.old) if moving.old is not None else ""


async def used_in(context: StepContext, volume: Json) -> str:
    """How much a volume that is a directory of a node holds; empty where that cannot be told."""
    node, path = node_of(volume), directory_of(volume)
    if not path or not context.takes_part(node):
        return ""
    try:
        said = (await context.hosts[node].run(script("volume-used"), path, timeout_s=60.0)).text.strip()
    except TransportError:
        return ""
    return size_of(int(said) * 1024) if said.isdecimal() else ""


def _copy_change(moving: Moving, used: str, storage_class: str) -> Change:
    title = T("plan.change.move_copy", claim=moving.name, size=moving.asked, storage_class=storage_class)
    if used:
        title = T("plan.change.move_copy_of", claim=moving.name, used=used, storage_class=storage_class)
    return Change(ChangeKind.COMMAND, title, moving.line)


def _temporary(moving: Moving, storage_class: str) -> Object:
    wanted = moving.wanted(storage_class)
    metadata: Object = {"name": moving.temporary, "namespace": wanted["metadata"]["namespace"]}
    return wanted | {"metadata": metadata}


async def _drop(context: StepContext, kube: KubeSession, moving: Sequence[Moving]) -> None:
    """Take second claims away after something else went wrong, which is what is to be told."""
    try:
        await remove_temporary(kube, moving)
    except (StepError, KubeError) as error:
        context.report.line(f"second claims: {error}")


async def delete_claim(kube: KubeSession, claim: str) -> None:
    """Take a claim away and wait until it is gone: while a pod has it, Kubernetes keeps it. Raises `StepError`."""
    path = f"{CLAIMS}/{claim}"
    with suppress(KubeAbsentError):
        await kube.delete(path)

    async def there() -> StepError | None:
        found = await kube.find(path)
        return None if found is None else StepError("move_claim_stays", claim=claim, retryable=True)

    await wait_for(there, limit_s=_GONE_S, every_s=_EVERY_S)


async def remove_temporary(kube: KubeSession, moving: Sequence[Moving]) -> None:
    """Take second claims away, and with them their volumes; raises `StepError`, `KubeError`."""
    for each in moving:
        with suppress(KubeAbsentError):
            await kube.delete(f"{LISTS['Pod']}/{each.temporary}?gracePeriodSeconds=0")
        await delete_claim(kube, each.temporary)


@dataclass(frozen=True, slots=True)
class CopyCompared(MoveStep):
    """All users stand still, and both volumes of each claim are equal, by the sum of every file."""

    name: ClassVar[str] = "move-compare"
    retry: ClassVar[RetryPolicy] = RetryPolicy(attempts=1)
    """Each try takes Rainbond away from its users for a while: whether there is another one, somebody decides."""
    time_limit_s: ClassVar[float] = 2 * pods.TASK_S
    stall_s: ClassVar[float] = 3600.0

    async def pending(self, context: StepContext) -> Pending[Looked | None]:
        """Who is stopped, and what is compared."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
        left = [each for each in looked.found.moving if not looked.settled(each)]
        changes = [each.change(0) for each in looked.running] if left else []
        for each in left:
            title = T("plan.change.move_compare", claim=each.name)
            changes.append(Change(ChangeKind.COMMAND, title, "copy-volume copy; copy-volume compare"))
        return Pending(tuple(changes), "\n".join(each.line for each in left), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[Looked | None]) -> None:
        """Stop, copy the rest, compare, and note what was equal; what fails lets the users run again, and is raised."""
        looked = pending.seen
        assert looked is not None
        async with open_api(context) as api:
            refuse_strangers(looked.found.moving)
            try:
                was_still = not looked.running
                await stop(api.kube, looked.running, "move_pods")
                looked = await look_at(api.kube, self.storage_class)
                left = [each for each in looked.found.moving if not looked.settled(each)]
                if was_still:  # as an earlier try left them: the step before asks only while they run
                    await _make_room_sure(context, api.kube, looked, left, self.storage_class)
                for each in left:
                    await self._equal(context, api.kube, each, looked)
            except (StepError, LetGoError, KubeError):
                await surely(self._let_go(context))
                raise

    async def _equal(self, context: StepContext, kube: KubeSession, moving: Moving, looked: Looked) -> None:
        with suppress(KubeConflictError):
            await kube.create(CLAIMS, _temporary(moving, self.storage_class))
        await pods.run(context, kube, moving, looked.seen, "copy")
        said = await pods.run(context, kube, moving, looked.seen, "compare")
        if said.number("differences"):
            # Written to within the second that its time tells, while it was copied: the sums have found it.
            await pods.run(context, kube, moving, looked.seen, "repair")
            said = await pods.run(context, kube, moving, looked.seen, "compare")
        if said.number("differences"):
            evidence = "\n".join(said.all("different"))
            raise StepError("move_differs", claim=moving.name, count=said.number("differences"), evidence=evidence)
        context.report.note(T("plan.note.move_equal", claim=moving.name, count=said.number("files")))
        await self._note(kube, moving)

    async def _note(self, kube: KubeSession, moving: Moving) -> None:
        """Write on both volumes what is to become of them; from now on neither goes with its claim."""
        claim = await kube.get(f"{CLAIMS}/{moving.temporary}")
        name = str(claim["spec"]["volumeName"])
        volume = await kube.get(f"{VOLUMES}/{name}")
        assert moving.old is not None
        keep: dict[str, Any] = {"persistentVolumeReclaimPolicy": "Retain"}
        old_note = {MOVED_FROM: moving.name, RECLAIM: reclaim_of(moving.old)}
        await kube.patch(f"{VOLUMES}/{name_of(moving.old)}", {"metadata": {"annotations": old_note}, "spec": keep})
        becomes = json.dumps(moving.wanted(self.storage_class), sort_keys=True)
        note = {BECOMES: becomes, RECLAIM: reclaim_of(volume)}
        await kube.patch(f"{VOLUMES}/{name}", {"metadata": {"annotations": note}, "spec": keep})

    async def _let_go(self, context: StepContext) -> None:
        """Have those that were stopped run again, by a way of its own: the one before may be what failed."""
        try:
            async with open_api(context) as api:
                looked = await look_at(api.kube, self.storage_class)
                await start(api.kube, looked.held)
        except StepError as error:
            context.report.note(T("plan.note.move_not_started", reason=error.text))
        else:
            context.report.note(T("plan.note.move_started"))
