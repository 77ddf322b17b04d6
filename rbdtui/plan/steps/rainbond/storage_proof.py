"""A class of storage that was made proven by using it: a claim is bound, written on one node and read on the others.

All of it is taken away again, also when it fails or is given up. What was proven is noted on the class, so that a
second run of the same plan does not do it again.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

from rbdtui.checks.services import claim_trial
from rbdtui.checks.services.claim_trial import Seat
from rbdtui.kube.session import KubeSession
from rbdtui.plan.resources.units import digest_of
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.rainbond.storage import wanted_image
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond import provisioner
from rbdtui.surely import surely
from rbdtui.together import together
from rbdtui.words import T, Text

_NOTE: Final = "rbdtui.io/proven"
_MOST_READERS: Final = 30


@dataclass(frozen=True, slots=True)
class _Trial:
    """The names of what one trial makes, known before anything is made."""

    claim: str
    seats: tuple[Seat, ...]
    """The writer's first."""

    @property
    def pods(self) -> dict[str, Seat]:
        """Where each pod is to run."""
        return {f"{self.claim}-{number}": seat for number, seat in enumerate(self.seats)}


@dataclass(frozen=True, slots=True)
class StorageProof(Step):
    """Have a claim of the class bound, written and read."""

    name: ClassVar[str] = "storage-proof"
    time_limit_s: ClassVar[float] = 900.0
    stall_s: ClassVar[float] = 240.0
    bound_s: ClassVar[float] = 120.0
    used_s: ClassVar[float] = 180.0
    """A mount of a server that does not answer gives up after two minutes."""
    look_every_s: ClassVar[float] = 1.0
    mode: ClassVar[str] = claim_trial.MANY
    unbound_code: ClassVar[str] = "storage_unbound"
    unused_code: ClassVar[str] = "storage_unused"

    def storage_class(self, context: StepContext) -> str:
        """The class that is tried."""
        return provisioner.class_name(context.spec)

    def trying(self, context: StepContext) -> Text:
        """What is tried, for whoever agrees to it."""
        return T("plan.change.storage_proof", name=self.storage_class(context))

    async def mark(self, context: StepContext) -> str:
        """What a proof holds for: server, directory, options, the program, and the nodes."""
        spec = context.spec
        nodes = ", ".join(f"{node.name} {node.address}" for node in spec.nodes)
        seen = [provisioner.root_name(spec), provisioner.class_name(spec), await wanted_image(context), nodes]
        return digest_of(seen)[:16]

    async def pending(self, context: StepContext) -> Pending[str]:
        """The proof, unless the class bears a note of it."""
        mark, found = await self.mark(context), None
        if has_api(context):
            async with open_api(context) as api:
                found = await api.kube.find(self._path(context))
        noted = str((((found or {}).get("metadata") or {}).get("annotations") or {}).get(_NOTE, ""))
        if noted == mark:
            return Pending(evidence=f"{_NOTE}={noted}", seen=mark)
        return Pending((Change(ChangeKind.COMMAND, self.trying(context)),), noted, seen=mark)

    async def apply(self, context: StepContext, pending: Pending[str]) -> None:
        """Try it, then note it; raises `StepError`."""
        async with open_api(context) as api:
            left = await claim_trial.sweep(api.kube)
            seats = sorted(claim_trial.seats(await api.kube.get("/api/v1/nodes")), reverse=True)
            readers = _MOST_READERS if self.mode == claim_trial.MANY else 0
            trial = _Trial(claim_trial.new_name(), tuple(seats[: 1 + readers]))
            try:
                await self._use(context, api.kube, trial)
            finally:
                left += await surely(claim_trial.remove(api.kube, list(trial.pods), [trial.claim]))
                if left:
                    context.report.note(T("plan.note.storage_trial_left", objects=", ".join(dict.fromkeys(left))))
            await api.kube.patch(self._path(context), {"metadata": {"annotations": {_NOTE: pending.seen}}})

    async def _use(self, context: StepContext, kube: KubeSession, trial: _Trial) -> None:
        name = self.storage_class(context)
        await kube.create(claim_trial.CLAIMS, claim_trial.claim(trial.claim, name, self.mode))
        await self._wait(context, lambda: self._unbound(kube, trial, name), self.bound_s)
        pods = list(trial.pods)
        # Readers come when the writer is done: what is not there yet is kept as not there by their nodes for a while.
        for group, reads in ((pods[:1], False), (pods[1:], True)):
            for each in group:
                body = claim_trial.pod(each, trial.claim, trial.pods[each], reads=reads)
                await kube.create(claim_trial.PODS, body)
            await self._wait(context, partial(self._unused, kube, trial, group, name), self.used_s)
        for each, seat in trial.pods.items():
            context.report.line(f"{each}: {seat.node}, {seat.image}")
        if not any(seat.writes for seat in trial.seats):
            context.report.note(T("plan.note.storage_only_mounted", count=len(trial.seats)))

    async def _wait(
        self, context: StepContext, look: Callable[[], Awaitable[StepError | float]], limit_s: float
    ) -> None:
        async with context.waiting():
            await wait_for(look, limit_s=limit_s, every_s=self.look_every_s)

    # words: error.storage_unbound.*
    # words: error.storage_unused.*
    # words: error.ceph_unbound.*
    # words: error.ceph_unused.*
    async def _unbound(self, kube: KubeSession, trial: _Trial, name: str) -> StepError | float:
        if await claim_trial.is_bound(kube, trial.claim):
            return time.monotonic()
        said = await claim_trial.told(kube, trial.claim)
        return StepError(self.unbound_code, name=name, evidence=said, retryable=True)

    async def _unused(self, kube: KubeSession, trial: _Trial, pods: Sequence[str], name: str) -> StepError | float:
        waiting = await claim_trial.unready(kube, pods)
        if not waiting:
            return time.monotonic()
        said = await together(*(claim_trial.told(kube, each) for each in waiting))
        nodes = ", ".join(trial.pods[each].node for each in waiting)
        return StepError(self.unused_code, name=name, nodes=nodes, evidence="\n".join(said), retryable=True)

    def _path(self, context: StepContext) -> str:
        return f"{provisioner.CLASSES}/{self.storage_class(context)}"
