"""Each claim is made anew with the volume that was compared; what it had before stays, without a claim.

Kubernetes never changes the volume of a claim: the old claim goes, its volume is kept (Retain), the new volume is
freed of the second claim and reserved for a claim of the old name, which is then made (kubernetes.io, Persistent
Volumes, Reserving a PersistentVolume). All that is needed to go on stands on the volumes.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.kube.session import KubeConflictError, KubeSession
from rbdtui.plan.step import Change, ChangeKind, Pending, StepContext, StepError
from rbdtui.plan.steps.moving.copy import CLAIMS, delete_claim
from rbdtui.plan.steps.moving.looking import VOLUMES, MoveStep, look_at
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.moving import BECOMES, RECLAIM, Moving, notes_of, reclaim_of
from rbdtui.rainbond.workloads import NAMESPACE, name_of
from rbdtui.words import T

_BOUND_S: Final = 120.0
_EVERY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Exchange(MoveStep):
    """Claims have their new volumes."""

    name: ClassVar[str] = "move-exchange"
    time_limit_s: ClassVar[float] = 1800.0
    stall_s: ClassVar[float] = 300.0

    async def pending(self, context: StepContext) -> Pending[Sequence[Moving]]:
        """Those that were compared; while nothing is, those that will be."""
        if not has_api(context):
            return Pending(seen=())
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
        changes = tuple(self._change(each) for each in looked.found.moving)
        late = [each.name for each in looked.found.moving if not looked.settled(each)]
        return Pending(changes, "\n".join(late), seen=looked.found.moving)

    def _change(self, moving: Moving) -> Change:
        new = name_of(moving.new) if moving.new is not None else "…"
        lines = [
            f"kubectl -n {NAMESPACE} delete pvc/{moving.name} pvc/{moving.temporary}",
            f"kubectl patch pv/{new}: claimRef {NAMESPACE}/{moving.name}",
            f"kubectl -n {NAMESPACE} create pvc/{moving.name}: {self.storage_class}, {new}",
        ]
        title = T("plan.change.move_exchange", claim=moving.name, storage_class=self.storage_class)
        return Change(ChangeKind.COMMAND, title, "\n".join(lines))

    async def apply(self, context: StepContext, pending: Pending[Sequence[Moving]]) -> None:
        """One after the other; raises `StepError` at once when any was not compared, or somebody runs again."""
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
            if late := [each.name for each in looked.found.moving if not looked.settled(each)]:
                raise StepError("move_not_compared", claims=", ".join(late))
            for each in looked.found.moving:
                await self._exchange(api.kube, each)

    async def _exchange(self, kube: KubeSession, moving: Moving) -> None:
        new = moving.new
        assert new is not None
        name = name_of(new)
        if ((moving.claim or {}).get("spec") or {}).get("volumeName") != name:
            for claim in (moving.name, moving.temporary):
                await delete_claim(kube, claim)
            await self._reserve(kube, name, moving.name)
            body = json.loads(notes_of(new)[BECOMES])
            body["spec"]["volumeName"] = name
            with suppress(KubeConflictError):
                await kube.create(CLAIMS, body)
        await wait_for(lambda: _unbound(kube, moving.name, name), limit_s=_BOUND_S, every_s=_EVERY_S)
        done: dict[str, Any] = {"metadata": {"annotations": {BECOMES: None, RECLAIM: None}}}
        done["spec"] = {"persistentVolumeReclaimPolicy": reclaim_of(new)}
        await kube.patch(f"{VOLUMES}/{name}", done)

    @staticmethod
    async def _reserve(kube: KubeSession, volume: str, claim: str) -> None:
        """A volume that was a claim's is free for one of another name, whose uid nobody knows yet."""
        reference = {
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": NAMESPACE, "name": claim,
            "uid": None, "resourceVersion": None,
        }  # fmt: skip
        await kube.patch(f"{VOLUMES}/{volume}", {"spec": {"claimRef": reference}})


async def _unbound(kube: KubeSession, claim: str, volume: str) -> StepError | None:
    found = await kube.find(f"{CLAIMS}/{claim}") or {}
    bound = (found.get("status") or {}).get("phase") == "Bound"
    if bound and (found.get("spec") or {}).get("volumeName") == volume:
        return None
    return StepError("move_unbound", claim=claim, volume=volume, retryable=True)
