"""KubeSphere proven without changing anything: its console on every node and at the VIP, its API server behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rbdtui.kube.session import KubeError, KubeSession
from rbdtui.kubesphere.chart import NAMESPACE
from rbdtui.kubesphere.parts import kubesphere_parts
from rbdtui.plan.step import Gate, Pending, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import LIMITS, open_api, ways
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.kubesphere import API_HEALTH, console_answer, console_places, is_console
from rbdtui.probes.namespace import look
from rbdtui.probes.routes import Target
from rbdtui.rainbond.workloads import judge_all, workload_lists
from rbdtui.together import together


@dataclass(frozen=True, slots=True)
class KubesphereProof(Gate):
    """Prove workloads, console and API server, again and again until all of it holds."""

    name: ClassVar[str] = "kubesphere-proof"
    time_limit_s: ClassVar[float] = 600.0
    stall_s: ClassVar[float] = 400.0
    wait_s: ClassVar[float] = 300.0
    look_every_s: ClassVar[float] = 3.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that does not hold."""
        async with open_api(context) as api:
            looks = [_wrong_parts(context, api.kube), _wrong_api(api.kube), _wrong_consoles(context)]
            wrong = [line for lines in await together(*looks) for line in lines]
        return StepError("kubesphere_not_proven", evidence="\n".join(wrong), retryable=True) if wrong else None

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait until all of it holds; raises `StepError`."""
        await wait_for(lambda: self.waiting_for(context), limit_s=self.wait_s, every_s=self.look_every_s)


async def _wrong_parts(context: StepContext, kube: KubeSession) -> list[str]:
    seen = await look(kube, "Deployment", "StatefulSet", "Pod", at=workload_lists(NAMESPACE))
    parts = kubesphere_parts(context.spec, seen)
    return [each.evidence for each in judge_all(parts, seen) if not each.is_ready]


async def _wrong_api(kube: KubeSession) -> list[str]:
    """Asked through Kubernetes, as it has no port of its own on the nodes."""
    try:
        said = await kube.text(API_HEALTH)
    except KubeError as error:
        return [f"ks-apiserver /healthz: {error}"]
    return [] if said.strip() == "ok" else [f"ks-apiserver /healthz: {said[:200]}"]


async def _wrong_consoles(context: StepContext) -> list[str]:
    """On every node, and at the VIP where the nodes themselves carry it."""
    taking = [name for name in context.hosts if context.takes_part(name)]
    places = [place for place in console_places(context.spec) if place.node in ("", *taking) and place.is_ours]
    asked = [_wrong_console(context, place.label, place.target) for place in places]
    return [line for line in await together(*asked) if line]


async def _wrong_console(context: StepContext, label: str, target: Target) -> str:
    reply = await ways(context).ask(target, lambda place: console_answer(place, target, LIMITS))
    if reply.value is not None and is_console(reply.value):
        return ""
    said = reply.value.evidence[:200] if reply.value is not None else f"{reply.trouble} {reply.evidence}"
    return f"{label}:{target.port}: {said}"
