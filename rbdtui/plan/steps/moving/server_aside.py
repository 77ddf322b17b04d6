"""What is beside the way of the NFS server's move: back from a half of it, and the old directory thrown away later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.moving import pods
from rbdtui.plan.steps.moving.server_looking import SERVER_PATH, ServerLooked, look_at_server, work_on
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.scaling import start
from rbdtui.rainbond.nfs_server import BECOMES, FROM, KEPT, SERVER, TO, takes_pods
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class PutServerBack(Step):
    """All is as before the move: the copy is gone, and users run with what they had."""

    name: ClassVar[str] = "server-back"
    time_limit_s: ClassVar[float] = 3600.0
    stall_s: ClassVar[float] = 1800.0

    async def pending(self, context: StepContext) -> Pending[ServerLooked | None]:
        """Who runs again, and the copy; raises `StepError` once the volume was taken away."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
        to = looked.notes.get(TO, "")
        if to and (looked.volume is None or looked.is_on(to)):
            raise StepError("move_too_far", claims=SERVER)
        changes = [each.change(each.kept or 1) for each in looked.held]
        if to:
            changes.append(_cleared(looked.path, to))
        return Pending(tuple(changes), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[ServerLooked | None]) -> None:
        """Users first: they have waited long enough; raises `StepError`."""
        looked = pending.seen
        assert looked is not None
        async with open_api(context) as api:
            await start(api.kube, looked.held)
            if to := looked.notes.get(TO):
                if takes_pods(looked.nodes, to):
                    work = await work_on(context, api.kube, looked, to, "new")
                    await pods.carry_out(context, api.kube, work, "clear")
                else:
                    context.report.note(T("plan.note.server_not_cleared", path=looked.path, node=to))
                notes = {TO: None, FROM: None, BECOMES: None}
                await api.kube.patch(SERVER_PATH, {"metadata": {"annotations": notes}})


@dataclass(frozen=True, slots=True)
class DropOldServer(Step):
    """The directory that the NFS server had on another node is emptied."""

    name: ClassVar[str] = "server-drop"
    time_limit_s: ClassVar[float] = 3600.0
    stall_s: ClassVar[float] = 1800.0

    async def pending(self, context: StepContext) -> Pending[ServerLooked | None]:
        """The directory, when one is kept and nothing is under way."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            if await api.kube.find(SERVER_PATH) is None:
                return Pending()
            looked = await look_at_server(api.kube)
        kept = looked.notes.get(KEPT, "")
        if not kept:
            return Pending(seen=looked)
        if looked.is_on(kept) or not looked.path:
            raise StepError("nfs_move_in_use", node=kept, path=looked.path)
        return Pending((_cleared(looked.path, kept),), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[ServerLooked | None]) -> None:
        """Throw away what it holds; raises `StepError`."""
        looked = pending.seen
        assert looked is not None
        async with open_api(context) as api:
            work = await work_on(context, api.kube, looked, looked.notes[KEPT], "new")
            await pods.carry_out(context, api.kube, work, "clear")
            await api.kube.patch(SERVER_PATH, {"metadata": {"annotations": {KEPT: None}}})


def _cleared(path: str, node: str) -> Change:
    return Change(ChangeKind.COMMAND, T("plan.change.server_cleared", path=path, node=node), f"rm -r {path}/*")
