"""Waiting for Rainbond's components, with what each waits for; the limit follows what moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Gate, Pending, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import open_api, rainbond_release
from rbdtui.probes.namespace import explained, look
from rbdtui.rainbond.components import Component, used_components
from rbdtui.rainbond.why import Cause, CauseKind, why
from rbdtui.rainbond.workloads import LISTS, NAMESPACE, Judgement, Seen, entries, judge_all, number, workload_lists
from rbdtui.words import T

AT_LEAST_S: Final = 600.0
"""Readiness of workers and builders is first asked after 90 s, the API and a console that migrates for the first time
are killed and started again after 60 s (goodrain/rainbond-operator@v6.2.1-release, controllers/handler)."""
AT_MOST_S: Final = 3600.0
_STARTING_IS_NEWS_S: Final = 30.0
_THE_API: Final = ""


@dataclass(frozen=True, slots=True)
class ComponentReport:
    """A component and why it is not ready."""

    judgement: Judgement
    causes: tuple[Cause, ...] = ()


@dataclass(slots=True)
class _Moved:
    """When anything last came nearer."""

    began: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)
    mark: tuple[object, ...] = ()
    told: dict[str, str] = field(default_factory=dict)
    """The last line of each component."""
    noted: set[tuple[str, CauseKind]] = field(default_factory=set)
    """Of which causes, by pod, the operator has been told, as long as they last."""

    def note(self, reports: Sequence[ComponentReport], seen: Seen) -> None:
        mark = (tuple((each.judgement.standing, each.judgement.ready) for each in reports), _progress(seen))
        if mark != self.mark:
            self.mark, self.last = mark, time.monotonic()

    def tell_silence(self, context: StepContext, error: StepError) -> None:
        """One line for each time that the API goes away; what was told before is told anew once it is back."""
        if self.told.keys() != {_THE_API}:
            self.told = {_THE_API: ""}
            context.report.line(f"{error.text} {error.evidence}".strip())

    def is_over(self, at_least_s: float) -> bool:
        now = time.monotonic()
        return now - self.last > at_least_s or now - self.began > AT_MOST_S


def _progress(seen: Seen) -> tuple[int, int, int]:
    """How many pods, started containers and bound claims there are; restarts are no progress."""
    of_pods = [(pod.get("status") or {}).get("containerStatuses") for pod in seen.of("Pod")]
    statuses = [entry for listed in of_pods for entry in entries(listed)]
    bound = [c for c in seen.of("PersistentVolumeClaim") if (c.get("status") or {}).get("phase") == "Bound"]
    fresh = [entry for entry in statuses if entry.get("imageID") and not number(entry.get("restartCount"))]
    return len(seen.of("Pod")), len(fresh), len(bound)


@dataclass(frozen=True, slots=True)
class ComponentsReady(Gate):
    """Every component that the plan has, in its number of pods, in its newest form, on its nodes."""

    name: ClassVar[str] = "rainbond-ready"
    time_limit_s: ClassVar[float] = AT_MOST_S + 120.0
    stall_s: ClassVar[float] = 300.0
    wait_s: ClassVar[float] = AT_LEAST_S
    look_every_s: ClassVar[float] = 3.0
    error_code: ClassVar[str] = "rainbond_not_ready"
    namespace: ClassVar[str] = NAMESPACE

    async def parts(self, context: StepContext, kube: KubeSession) -> Sequence[Component]:
        """What is waited for; raises `StepError` or `KubeError`."""
        return used_components(context.spec, await rainbond_release(context))

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """The components that are not ready, each with its cause."""
        async with open_api(context) as api:
            reports, _ = await _reports(await self.parts(context, api.kube), api.kube, self.namespace)
        return self._error(reports)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait as long as anything moves, and ten minutes at least after the last move; raises `StepError`.

        An API that is away for a while is waited for as well: the address may move, and a server may start anew.
        """
        moved = _Moved()
        while (error := await self._looked(context, moved)) is not None:
            if moved.is_over(self.wait_s) or not error.retryable:
                raise error
            await asyncio.sleep(self.look_every_s)

    async def _looked(self, context: StepContext, moved: _Moved) -> StepError | None:
        """What is not ready, or why that cannot be told."""
        try:
            async with open_api(context) as api:
                reports, seen = await _reports(await self.parts(context, api.kube), api.kube, self.namespace)
        except StepError as error:
            moved.tell_silence(context, error)
            return error
        moved.note(reports, seen)
        _tell(context, reports, moved)
        return self._error(reports)

    def _error(self, reports: Sequence[ComponentReport]) -> StepError | None:
        """All that is not ready in one error, which names the first cause that needs somebody's hand."""
        unready = [report for report in reports if not report.judgement.is_ready]
        if not unready:
            return None
        causes = [cause for report in unready for cause in report.causes]
        told = min(causes, key=lambda cause: _URGENCY.get(cause.kind, 1))
        lines = [report.judgement.evidence for report in unready]
        lines += [f"{cause.component}: {cause.kind.value}: {cause.detail}" for cause in causes]
        # words: error.rainbond_not_ready.*
        # words: error.provisioner_not_ready.*
        # words: error.kubesphere_not_ready.*
        # words: error.rook_not_ready.*
        return StepError(
            self.error_code, evidence="\n".join(lines), retryable=True, count=len(unready), cause=told.text,
            remedy=told.remedy,
        )  # fmt: skip


async def _reports(parts: Sequence[Component], kube: KubeSession, namespace: str) -> tuple[list[ComponentReport], Seen]:
    seen = await look(kube, at=LISTS if namespace == NAMESPACE else workload_lists(namespace))
    judged = judge_all(parts, seen)
    return [await _report(kube, judgement, seen, namespace) for judgement in judged], seen


async def _report(kube: KubeSession, judgement: Judgement, seen: Seen, namespace: str) -> ComponentReport:
    causes = [await explained(kube, cause, namespace) for cause in why(judgement, seen)]
    return ComponentReport(judgement, tuple(causes))


def _tell(context: StepContext, reports: Sequence[ComponentReport], moved: _Moved) -> None:
    """A line for every component whose state is another than before, and a sentence for a cause that lasts."""
    lasts = time.monotonic() - moved.began > _STARTING_IS_NEWS_S
    for report in reports:
        name = report.judgement.name
        line = f"{report.judgement.evidence} {', '.join(cause.kind.value for cause in report.causes)}".strip()
        if moved.told.get(name) != line:
            moved.told[name] = line
            context.report.line(line)
            for detail in (detail for cause in report.causes for detail in cause.detail.splitlines()):
                context.report.line(f"  {detail}")
    causes = {(cause.pod or cause.component, cause.kind): cause for report in reports for cause in report.causes}
    moved.noted &= causes.keys()
    for key, cause in causes.items() if lasts else ():
        if cause.kind is not CauseKind.STARTING and key not in moved.noted:
            moved.noted.add(key)
            context.report.note(T("plan.note.component_waits", cause=cause.text))


_URGENCY: Final = {
    CauseKind.OPERATOR_NOT_READY: 0,
    CauseKind.MOUNT_FAILED: 0,
    CauseKind.NFS_MOUNT_FAILED: 0,
    CauseKind.NODE_NOT_READY: 0,
    CauseKind.DATABASE_NOT_READY: 0,
    CauseKind.STARTING: 3,
    CauseKind.READINESS_PROBE_FAILED: 2,
    CauseKind.STARTUP_PROBE_FAILED: 2,
    CauseKind.NOT_CREATED: 2,
}
