"""What is beside the way of a move: back from a half of it, and old volumes that are thrown away later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.moving.copy import remove_temporary
from rbdtui.plan.steps.moving.looking import VOLUMES, Looked, MoveStep, look_at
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.scaling import start
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.moving import BECOMES, MOVED_FROM, RECLAIM, notes_of, place_of, reclaim_of
from rbdtui.rainbond.workloads import Json, entries, name_of
from rbdtui.words import T

_GONE_S: Final = 600.0
_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class PutBack(MoveStep):
    """All is as before the move: second claims are gone, and users run with what they had."""

    name: ClassVar[str] = "move-back"
    time_limit_s: ClassVar[float] = 900.0

    async def pending(self, context: StepContext) -> Pending[Looked | None]:
        """Claims and notes that go, and users that run again; raises `StepError` once a claim was exchanged."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
        _refuse_exchanged(looked)
        begun = [each for each in looked.found.moving if each.new is not None]
        changes = [
            Change(ChangeKind.COMMAND, T("plan.change.move_dropped", claim=each.temporary), each.line) for each in begun
        ]
        changes += [each.change(each.kept or 1) for each in looked.held]
        return Pending(tuple(changes), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[Looked | None]) -> None:
        """Users first: they have waited long enough; raises `StepError`."""
        looked = pending.seen
        assert looked is not None
        async with open_api(context) as api:
            await start(api.kube, looked.held)
            for each in looked.found.moving:
                for volume in (each.old, each.new):
                    if volume is not None and RECLAIM in notes_of(volume):
                        await api.kube.patch(f"{VOLUMES}/{name_of(volume)}", _forgotten(volume))
            await remove_temporary(api.kube, looked.found.moving)


def _refuse_exchanged(looked: Looked) -> None:
    moving = {each.name for each in looked.found.moving}
    kept = [notes_of(volume)[MOVED_FROM] for volume in looked.found.kept if _is_free(volume)]
    done = [claim for claim in kept if claim not in moving]
    half = [each.name for each in looked.found.moving if each.old is None]
    if looked.held and (done or half):
        raise StepError("move_too_far", claims=", ".join([*half, *done]))


def _forgotten(volume: Json) -> dict[str, Any]:
    notes = {BECOMES: None, MOVED_FROM: None, RECLAIM: None}
    return {"metadata": {"annotations": notes}, "spec": {"persistentVolumeReclaimPolicy": reclaim_of(volume)}}


def _is_free(volume: Json) -> bool:
    return (volume.get("status") or {}).get("phase") in ("Released", "Available", "Failed")


@dataclass(frozen=True, slots=True)
class DropOld(Step):
    """Volumes that claims had before a move are thrown away, by whoever made them."""

    name: ClassVar[str] = "move-drop"
    time_limit_s: ClassVar[float] = _GONE_S + 300.0
    stall_s: ClassVar[float] = _GONE_S

    async def pending(self, context: StepContext) -> Pending[Sequence[Json]]:
        """Those that nobody has any more."""
        if not has_api(context):
            return Pending(seen=())
        async with open_api(context) as api:
            listed = entries((await api.kube.get(VOLUMES)).get("items"))
        old = [volume for volume in listed if MOVED_FROM in notes_of(volume) and _is_free(volume)]
        changes = tuple(_drop_change(each) for each in old)
        return Pending(changes, "\n".join(place_of(each) for each in old), seen=old)

    async def apply(self, context: StepContext, pending: Pending[Sequence[Json]]) -> None:
        """Have them deleted, and wait until they are; raises `StepError` with those that stay."""
        async with open_api(context) as api:
            for each in pending.seen:
                await api.kube.patch(
                    f"{VOLUMES}/{name_of(each)}", {"spec": {"persistentVolumeReclaimPolicy": "Delete"}}
                )

            async def left() -> StepError | None:
                stay = [name_of(each) for each in pending.seen if await api.kube.find(f"{VOLUMES}/{name_of(each)}")]
                return StepError("move_old_stays", volumes=", ".join(stay), retryable=True) if stay else None

            await wait_for(left, limit_s=_GONE_S, every_s=_EVERY_S)


def _drop_change(volume: Json) -> Change:
    claim = notes_of(volume)[MOVED_FROM]
    title = T("plan.change.move_drop", volume=name_of(volume), claim=claim)
    return Change(ChangeKind.COMMAND, title, place_of(volume))
