"""Workloads of Rainbond that stand still for a while: how many pods they had is noted on them, and comes back.

Rainbond's operator would put workloads back that are scaled down, so whoever uses this stops it first, starts it last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Change, ChangeKind, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.namespace import look
from rbdtui.rainbond.workloads import LISTS, NAMESPACE, OPERATOR, Json, Seen, name_of
from rbdtui.words import T

KEPT: Final = "rbdtui/replicas"
"""Annotation: how many pods a workload had before it was stopped."""
SCALED: Final = ("Deployment", "StatefulSet")
"""Kinds that have a number of pods."""
STOP_S: Final = 180.0
LOOK_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Workload:
    """One that can be stopped."""

    kind: str
    name: str
    item: Json

    @property
    def path(self) -> str:
        """In the API."""
        return f"{LISTS[self.kind]}/{self.name}"

    @property
    def replicas(self) -> int:
        """Pods that it is to have now."""
        return int((self.item.get("spec") or {}).get("replicas", 1))

    @property
    def kept(self) -> int | None:
        """Pods that it had before it was stopped; None when nobody stopped it."""
        text = ((self.item.get("metadata") or {}).get("annotations") or {}).get(KEPT)
        return int(text) if text is not None else None

    def change(self, replicas: int) -> Change:
        """Having so many pods of it."""
        title = T("plan.change.scaled", name=self.name, count=replicas)
        what = f"{self.kind.lower()}/{self.name}"
        return Change(ChangeKind.SERVICE, title, f"kubectl -n {NAMESPACE} scale {what} --replicas={replicas}")


def workloads(seen: Seen) -> list[Workload]:
    """All of a look that can be scaled."""
    return [Workload(kind, name_of(item), item) for kind in SCALED for item in seen.of(kind)]


async def scaled(kube: KubeSession) -> Seen:
    """Look at them and their pods; raises `KubeError`."""
    return await look(kube, *SCALED, "Pod")


async def stop(kube: KubeSession, running: Sequence[Workload], error_code: str) -> None:
    """One after the other, the operator until it is gone; then wait for all. Raises `StepError`, `KubeError`."""
    for each in running:
        note = {"metadata": {"annotations": {KEPT: str(each.replicas)}}, "spec": {"replicas": 0}}
        await kube.patch(each.path, note)
        if each.name == OPERATOR:
            await gone(kube, [each], error_code)
    await gone(kube, running, error_code)


async def gone(kube: KubeSession, stopped: Sequence[Workload], error_code: str) -> None:
    """Wait until they have no pods; raises `StepError` with the names of those that stay."""

    async def left() -> StepError | None:
        seen = await scaled(kube)
        pods = [name_of(pod) for each in stopped for pod in seen.pods_of(each.kind, each.name)]
        # words: error.failover_pods.*
        # words: error.move_pods.*
        return StepError(error_code, pods=", ".join(pods), retryable=True) if pods else None

    await wait_for(left, limit_s=STOP_S, every_s=LOOK_EVERY_S)


async def start(kube: KubeSession, stopped: Sequence[Workload]) -> None:
    """Have each as many pods as it had; raises `KubeError`."""
    for each in stopped:
        body: dict[str, object] = {"metadata": {"annotations": {KEPT: None}}}
        if not each.replicas:
            body["spec"] = {"replicas": each.kept or 1}
        await kube.patch(each.path, body)
