"""The NFS server gets its volume on the other node, all run again, and a claim of its class is written and read."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.kube.session import KubeAbsentError, KubeConflictError, KubeSession
from rbdtui.plan.resources.units import digest_of
from rbdtui.plan.step import Change, ChangeKind, Pending, StepContext, StepError
from rbdtui.plan.steps.moving.copy import delete_claim
from rbdtui.plan.steps.moving.finish import MoveProof
from rbdtui.plan.steps.moving.looking import VOLUMES
from rbdtui.plan.steps.moving.server_looking import (
    SERVER_PATH,
    ServerLooked,
    ServerStep,
    look_at_server,
    refuse_what_is_against,
)
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.rainbond.storage_proof import StorageProof
from rbdtui.plan.steps.scaling import LOOK_EVERY_S, start
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.nfs_server import BECOMES, CLAIM, CLASS, FROM, KEPT, SERVER, TO
from rbdtui.rainbond.workloads import NAMESPACE
from rbdtui.words import T

_GONE_S: Final = 120.0
_START_S: Final = 900.0


@dataclass(frozen=True, slots=True)
class ServerWellBefore(MoveProof):
    """Nothing is begun on a Rainbond that is not well: at the end nobody could tell what the move has broken."""

    name: ClassVar[str] = "server-before"
    wait_s: ClassVar[float] = 60.0

    to: str = field(kw_only=True)
    """The node that it goes to."""

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that does not hold; of a move that was cut off nothing is asked, as it has stopped what it had to."""
        if not has_api(context):
            return None
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
        if looked.held or looked.is_on(self.to):
            return None
        return await MoveProof.waiting_for(self, context)


@dataclass(frozen=True, slots=True)
class ServerExchange(ServerStep):
    """The server's volume is on the other node; its claim comes with its pod."""

    name: ClassVar[str] = "server-exchange"
    time_limit_s: ClassVar[float] = 600.0

    async def pending(self, context: StepContext) -> Pending[None]:
        """The volume made anew, until it is there."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
        if looked.is_on(self.to):
            return Pending()
        title = T("plan.change.server_exchange", volume=SERVER, path=looked.path, node=self.to)
        lines = [
            f"kubectl -n {NAMESPACE} delete pvc/{CLAIM}",
            f"kubectl delete pv/{SERVER}",
            f"kubectl create pv/{SERVER}: {self.to}:{looked.path}",
        ]
        return Pending((Change(ChangeKind.COMMAND, title, "\n".join(lines)),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Claim and volume go, the volume comes anew; raises `StepError` when it was not compared, or is used."""
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
            refuse_what_is_against(looked, self.to)
            if not looked.is_compared:
                raise StepError("move_not_compared", claims=SERVER)
            await delete_claim(api.kube, CLAIM)
            await _delete_volume(api.kube)
            with suppress(KubeConflictError):
                await api.kube.create(VOLUMES, json.loads(looked.notes[BECOMES]))


async def _delete_volume(kube: KubeSession) -> None:
    """What it was on its node stays there: nobody deletes the directory of a volume that is kept (Retain)."""
    with suppress(KubeAbsentError):
        await kube.delete(f"{VOLUMES}/{SERVER}")

    async def there() -> StepError | None:
        found = await kube.find(f"{VOLUMES}/{SERVER}")
        return None if found is None else StepError("move_old_stays", volumes=SERVER, retryable=True)

    await wait_for(there, limit_s=_GONE_S, every_s=LOOK_EVERY_S)


@dataclass(frozen=True, slots=True)
class ServerStart(ServerStep):
    """The server runs on the other node, then its users, and the operator last."""

    name: ClassVar[str] = "server-start"
    time_limit_s: ClassVar[float] = 2 * _START_S + 60.0
    stall_s: ClassVar[float] = _START_S

    async def pending(self, context: StepContext) -> Pending[ServerLooked | None]:
        """Who runs again; while all run, those that will have been stopped."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
        if looked.is_on(self.to) and not looked.held and TO not in looked.notes:
            return Pending(seen=looked)
        again = list(looked.held) or [each for each in (looked.server, *looked.users) if each.replicas]
        title = T("plan.change.server_kept", source=looked.source, path=looked.path)
        kept = Change(ChangeKind.COMMAND, title, f"{KEPT}={looked.source}")
        return Pending((*(each.change(each.kept or each.replicas or 1) for each in again), kept), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[ServerLooked | None]) -> None:
        """Start them and wait until all are ready; the old directory is noted as kept. Raises `StepError`."""
        async with open_api(context) as api:
            looked = await look_at_server(api.kube)
            if not looked.is_on(self.to):
                raise StepError("move_not_compared", claims=SERVER)
            await start(api.kube, [each for each in looked.held if each.name == SERVER])
            async with context.waiting():
                await wait_for(lambda: _late(api.kube, server=True), limit_s=_START_S, every_s=LOOK_EVERY_S)
            await start(api.kube, [each for each in looked.held if each.name != SERVER])
            async with context.waiting():
                await wait_for(lambda: _late(api.kube), limit_s=_START_S, every_s=LOOK_EVERY_S)
            notes = {TO: None, FROM: None, BECOMES: None, KEPT: looked.source}
            await api.kube.patch(SERVER_PATH, {"metadata": {"annotations": notes}})


async def _late(kube: KubeSession, *, server: bool = False) -> StepError | None:
    looked = await look_at_server(kube)
    those = [looked.server] if server else [looked.server, *looked.users]
    late = [each.shown for each in those if not each.is_ready]
    late += [each.shown for each in looked.held if not server]
    names = ", ".join(dict.fromkeys(late))
    return StepError("move_not_up", names=names, retryable=True) if late else None


@dataclass(frozen=True, slots=True)
class ServerTrial(StorageProof):
    """A claim of the server's class is bound, written on one node and read on the others."""

    name: ClassVar[str] = "server-trial"

    def storage_class(self, context: StepContext) -> str:
        """That of the server."""
        return CLASS

    async def mark(self, context: StepContext) -> str:
        """A proof holds for the server's volume, and the nodes."""
        nodes = ", ".join(f"{node.name} {node.address}" for node in context.spec.nodes)
        uid = ""
        if has_api(context):
            async with open_api(context) as api:
                volume = await api.kube.find(f"{VOLUMES}/{SERVER}") or {}
            uid = str((volume.get("metadata") or {}).get("uid") or "")
        return digest_of([CLASS, uid, nodes])[:16]
