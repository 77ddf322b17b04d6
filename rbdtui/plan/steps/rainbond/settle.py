"""A change that must reach workloads which have settled: the operator has to start anew for that, and only then.

An upgrade brings an operator that starts anew by itself; until it has had its time, components are of the old release.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api, rainbond_release
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.namespace import look
from rbdtui.rainbond.releases import GatewayRollout
from rbdtui.rainbond.shown import outdated, stale, wanted
from rbdtui.rainbond.workloads import CONTROLLERS, NAMESPACE, OPERATOR, name_of
from rbdtui.words import T


@dataclass(frozen=True, slots=True)
class _Late:
    """What workloads show that is not so planned, one line each, raw."""

    outdated: tuple[str, ...] = ()
    """Images of another release."""
    stale: tuple[str, ...] = ()
    """Settings of an earlier plan."""

    @property
    def lines(self) -> tuple[str, ...]:
        return self.outdated + self.stale


_PODS: Final = f"/api/v1/namespaces/{NAMESPACE}/pods"


@dataclass(frozen=True, slots=True)
class CarryToWorkloads(Step):
    """Have every workload show what the plan says, by a restart of the operator where nothing less will do.

    A digest of twelve places of a password tells whether it is the planned one, and nothing of it.
    """

    name: ClassVar[str] = "rainbond-settle"
    time_limit_s: ClassVar[float] = 900.0
    stall_s: ClassVar[float] = 300.0
    by_itself_s: ClassVar[float] = 20.0
    """The operator renews by itself what its own change of RbdComponents concerns, within seconds."""
    renewed_s: ClassVar[float] = 240.0
    """The same for an operator that is new itself: it has to be started, and to wait for the lease of the old one."""
    wait_s: ClassVar[float] = 600.0
    """A new operator may have to wait for the lease of the old one, and a change of gateways takes them down first."""
    look_every_s: ClassVar[float] = 2.0

    async def pending(self, context: StepContext) -> Pending[_Late]:
        """The restart, while a workload shows something else than the plan."""
        if not has_api(context):
            return Pending(seen=_Late())
        late = await self._look(context)
        if not late.lines:
            return Pending(seen=late)
        command = f"kubectl -n {NAMESPACE} delete pod of deployment/{OPERATOR}"
        change = Change(ChangeKind.SERVICE, T("plan.change.operator_restart"), "\n".join([command, *late.lines]))
        if not late.stale:
            release = (await rainbond_release(context)).tag
            title = T("plan.change.components_renewed", release=release)
            change = Change(ChangeKind.SERVICE, title, "\n".join(late.lines))
        return Pending((change,), "\n".join(late.lines), seen=late)

    async def apply(self, context: StepContext, pending: Pending[_Late]) -> bool:
        """Give the operator a moment, restart it, and wait until all of it shows; raises `StepError`."""
        by_itself_s = self.renewed_s if pending.seen.outdated else self.by_itself_s
        async with context.waiting():
            try:
                await wait_for(lambda: self._late(context), limit_s=by_itself_s, every_s=self.look_every_s)
                return bool(pending.seen.outdated)
            except StepError as error:
                if error.code != "workloads_stale":
                    raise
        context.report.note(T("plan.note.operator_restart"))
        if (await rainbond_release(context)).gateway is GatewayRollout.RECREATE:
            context.report.note(T("plan.note.gateways_may_stop"))
        async with open_api(context) as api:
            pods = (await look(api.kube, "Pod")).pods_of("Deployment", OPERATOR)
            for pod in pods:
                await api.kube.delete(f"{_PODS}/{name_of(pod)}")
        async with context.waiting():
            await asyncio.sleep(self.look_every_s)
            await wait_for(lambda: self._late(context), limit_s=self.wait_s, every_s=self.look_every_s)
        return True

    async def verify(self, context: StepContext) -> None:
        """The last look was the proof."""

    async def _look(self, context: StepContext) -> _Late:
        plan = wanted(context.spec, await rainbond_release(context), context.secret)
        async with open_api(context) as api:
            seen = await look(api.kube, *CONTROLLERS)
        return _Late(tuple(outdated(plan, seen)), tuple(stale(plan, seen)))

    async def _late(self, context: StepContext) -> StepError | None:
        late = await self._look(context)
        return StepError("workloads_stale", evidence="\n".join(late.lines), retryable=True) if late.lines else None
