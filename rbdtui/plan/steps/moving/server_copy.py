"""The NFS server's directory goes to another node: copied while it is used, then compared while all stand still.

All that have a volume of it stand still for that, applications too, and so does the server itself: it keeps its own
state in the directory. When anything goes wrong before both are equal all run again with what they had.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.kube.session import KubeError, KubeSession
from rbdtui.plan.step import Change, ChangeKind, LetGoError, Pending, RetryPolicy, StepContext, StepError
from rbdtui.plan.steps.moving import pods
from rbdtui.plan.steps.moving.copy import SPARE, used_in
from rbdtui.plan.steps.moving.server_looking import (
    SERVER_PATH,
    ServerLooked,
    ServerStep,
    both_ends,
    look_at_server,
    refuse_what_is_against,
)
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.scaling import start, stop
from rbdtui.rainbond.nfs_server import BECOMES, FROM, SERVER, TO, host_label, volume_on
from rbdtui.surely import surely
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class ServerCopy(ServerStep):
    """The other node has nearly all of the data, while its users run."""

    name: ClassVar[str] = "server-copy"
    time_limit_s: ClassVar[float] = pods.TASK_S + 3600.0
    stall_s: ClassVar[float] = 3600.0

    async def pending(self, context: StepContext) -> Pending[ServerLooked | None]:
        """The copy, as long as anybody uses the server; raises `StepError` for what stands against it."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
        if looked.is_on(self.to):
            return Pending(evidence=f"{SERVER}: {self.to}", seen=looked)
        refuse_what_is_against(looked, self.to)
        users = "\n".join(f"{each.kind.lower()}/{each.shown}" for each in looked.users)
        if not looked.running or looked.volume is None:
            return Pending(evidence=users, seen=looked)
        used = await used_in(context, looked.volume) or "?"
        title = T("plan.change.server_copy", path=looked.path, used=used, source=looked.source, node=self.to)
        return Pending((Change(ChangeKind.COMMAND, title, "copy-volume live"),), users, seen=looked)

    async def apply(self, context: StepContext, pending: Pending[ServerLooked | None]) -> None:
        """See that the directory there is free and has room, note that it is ours, and copy; raises `StepError`."""
        looked = pending.seen
        assert looked is not None
        async with open_api(context) as api, both_ends(context, api.kube, looked, self.to) as work:
            said = await pods.carry_out(context, api.kube, work, "measure")
            if said.number("entries") and TO not in looked.notes:
                raise StepError("nfs_move_not_empty", node=self.to, path=looked.path, count=said.number("entries"))
            needed = round(max(0, said.number("used_kib") - said.number("copied_kib")) * SPARE)
            if needed > said.number("free_kib"):
                raise StepError(
                    "move_no_room", device=said.all("device")[0], needed_kib=needed, free_kib=said.number("free_kib")
                )
            await api.kube.patch(SERVER_PATH, {"metadata": {"annotations": {TO: self.to, FROM: looked.source}}})
            if (await pods.carry_out(context, api.kube, work, "live")).all("moving"):
                context.report.line(f"{SERVER}: it changes while it is copied")

    async def verify(self, context: StepContext) -> None:
        """It goes out of date at once: the next step copies the rest, and compares all."""


@dataclass(frozen=True, slots=True)
class ServerCompared(ServerStep):
    """All users and the server stand still, and both directories are equal, by the sum of every file."""

    name: ClassVar[str] = "server-compare"
    retry: ClassVar[RetryPolicy] = RetryPolicy(attempts=1)
    """Each try takes all shared storage away for a while: whether there is another one, somebody decides."""
    time_limit_s: ClassVar[float] = 2 * pods.TASK_S
    stall_s: ClassVar[float] = 3600.0

    async def pending(self, context: StepContext) -> Pending[ServerLooked | None]:
        """Who is stopped, and what is compared."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
        if looked.is_on(self.to) or looked.is_compared:
            return Pending(seen=looked)
        changes = [each.change(0) for each in looked.running]
        title = T("plan.change.server_compare", path=looked.path, source=looked.source, node=self.to)
        changes.append(Change(ChangeKind.COMMAND, title, "copy-volume copy; copy-volume compare"))
        return Pending(tuple(changes), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[ServerLooked | None]) -> None:
        """Stop, copy the rest, compare, and note it; what fails lets all run again, and is raised."""
        looked = pending.seen
        assert looked is not None
        async with open_api(context) as api:
            refuse_what_is_against(looked, self.to)
            if TO not in looked.notes:
                raise StepError("move_not_compared", claims=SERVER)
            try:
                # The server is there until nobody has a volume of it mounted.
                await stop(api.kube, [each for each in looked.running if each.name != SERVER], "move_pods")
                await stop(api.kube, [each for each in looked.running if each.name == SERVER], "move_pods")
                looked = await look_at_server(api.kube)
                refuse_what_is_against(looked, self.to)
                if looked.running:
                    names = ", ".join(each.shown for each in looked.running)
                    raise StepError("nfs_move_strangers", names=names)
                await self._equal(context, api.kube, looked)
            except (StepError, LetGoError, KubeError):
                await surely(let_go(context))
                raise

    async def _equal(self, context: StepContext, kube: KubeSession, looked: ServerLooked) -> None:
        async with both_ends(context, kube, looked, self.to) as work:
            await pods.carry_out(context, kube, work, "copy")
            said = await pods.carry_out(context, kube, work, "compare")
            if said.number("differences"):
                # Written to within the second that its time tells, while it was copied: the sums have found it.
                await pods.carry_out(context, kube, work, "repair")
                said = await pods.carry_out(context, kube, work, "compare")
        if said.number("differences"):
            evidence = "\n".join(said.all("different"))
            raise StepError("move_differs", claim=SERVER, count=said.number("differences"), evidence=evidence)
        assert looked.volume is not None
        becomes = volume_on(looked.volume, host_label(looked.nodes, self.to))
        note = {BECOMES: json.dumps(becomes, sort_keys=True)}
        await kube.patch(SERVER_PATH, {"metadata": {"annotations": note}})
        context.report.note(T("plan.note.move_equal", claim=SERVER, count=said.number("files")))


async def let_go(context: StepContext) -> None:
    """Have those that were stopped run again, by a way of its own: the one before may be what failed."""
    try:
        async with open_api(context) as api:
            await start(api.kube, (await look_at_server(api.kube)).held)
    except StepError as error:
        context.report.note(T("plan.note.move_not_started", reason=error.text))
    else:
        context.report.note(T("plan.note.move_started"))
