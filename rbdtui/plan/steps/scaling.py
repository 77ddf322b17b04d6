"""Workloads of Rainbond that stand still for a while: how many pods they had is noted on them, and comes back.

Rainbond's operator would put workloads back that are scaled down, so whoever uses this stops it first, starts it last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Change, ChangeKind, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.namespace import look
from rbdtui.rainbond.workloads import NAMESPACE, OPERATOR, Json, Seen, name_of, workload_lists
from rbdtui.words import T

KEPT: Final = "rbdtui/replicas"
"""Annotation: how many pods a workload had before it was stopped."""
SCALED: Final = ("Deployment", "StatefulSet")
"""Kinds that have a number of pods."""
STILL: Final = "rbdtui/still"
"""A label that no node has: with it as its selector a DaemonSet, which has no number of pods, has none."""
STOP_S: Final = 180.0
LOOK_EVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Workload:
    """One that can be stopped."""

    kind: str
    name: str
    item: Json

    @property
    def namespace(self) -> str:
        """Where it is."""
        return str((self.item.get("metadata") or {}).get("namespace") or NAMESPACE)

    @property
    def shown(self) -> str:
        """Its name, with its namespace where that is not Rainbond's."""
        return self.name if self.namespace == NAMESPACE else f"{self.namespace}/{self.name}"

    @property
    def path(self) -> str:
        """In the API."""
        return f"{workload_lists(self.namespace)[self.kind]}/{self.name}"

    @property
    def is_operator(self) -> bool:
        """Whether it is Rainbond's operator, which would put all others back."""
        return (self.namespace, self.name) == (NAMESPACE, OPERATOR)

    @property
    def is_daemon(self) -> bool:
        """Whether it has a pod on each of its nodes, and no number of them."""
        return self.kind not in SCALED

    @property
    def replicas(self) -> int:
        """Pods that it is to have now; of a DaemonSet 1, on each of its nodes."""
        spec = self.item.get("spec") or {}
        if self.is_daemon:
            return int(STILL not in (((spec.get("template") or {}).get("spec") or {}).get("nodeSelector") or {}))
        return int(spec.get("replicas", 1))

    @property
    def is_ready(self) -> bool:
        """Whether all pods are ready that it is to have."""
        status = self.item.get("status") or {}
        if self.is_daemon:
            wanted, ready = status.get("desiredNumberScheduled"), status.get("numberReady")
            return self.replicas > 0 and int(ready or 0) >= int(wanted or 0)
        return int(status.get("readyReplicas") or 0) >= self.replicas

    @property
    def kept(self) -> int | None:
        """Pods that it had before it was stopped; None when nobody stopped it."""
        text = ((self.item.get("metadata") or {}).get("annotations") or {}).get(KEPT)
        return int(text) if text is not None else None

    def change(self, replicas: int) -> Change:
        """Having so many pods of it."""
        title = T("plan.change.scaled", name=self.shown, count=replicas)
        what = f"{self.kind.lower()}/{self.name}"
        command = f"kubectl -n {self.namespace} scale {what} --replicas={replicas}"
        if self.is_daemon:
            selector = f"{STILL}=yes" if not replicas else f"{STILL}-"
            command = f"kubectl -n {self.namespace} patch {what}: nodeSelector {selector}"
        return Change(ChangeKind.SERVICE, title, command)

    def scaled_to(self, replicas: int, kept: str | None) -> dict[str, Any]:
        """The patch with which it has so many pods, and the note of how many it had."""
        spec: dict[str, Any] = {"replicas": replicas}
        if self.is_daemon:
            spec = {"template": {"spec": {"nodeSelector": {STILL: None if replicas else "yes"}}}}
        return {"metadata": {"annotations": {KEPT: kept}}, "spec": spec}


def workloads(seen: Seen, kinds: Sequence[str] = SCALED) -> list[Workload]:
    """All of a look that can be scaled; with DaemonSets where ``kinds`` says so."""
    return [Workload(kind, name_of(item), item) for kind in kinds for item in seen.of(kind)]


async def scaled(kube: KubeSession) -> Seen:
    """Look at them and their pods; raises `KubeError`."""
    return await look(kube, *SCALED, "Pod")


async def stop(kube: KubeSession, running: Sequence[Workload], error_code: str) -> None:
    """One after the other, the operator until it is gone; then wait for all. Raises `StepError`, `KubeError`."""
    for each in running:
        await kube.patch(each.path, each.scaled_to(0, str(each.replicas)))
        if each.is_operator:
            await gone(kube, [each], error_code)
    await gone(kube, running, error_code)


async def gone(kube: KubeSession, stopped: Sequence[Workload], error_code: str) -> None:
    """Wait until they have no pods; raises `StepError` with the names of those that stay."""

    async def left() -> StepError | None:
        pods = []
        for namespace in {each.namespace: None for each in stopped}:
            seen = await look(kube, "Pod", at=workload_lists(namespace))
            own = [each for each in stopped if each.namespace == namespace]
            pods += [_pod_shown(namespace, pod) for each in own for pod in seen.pods_of(each.kind, each.name)]
        # words: error.failover_pods.*
        # words: error.move_pods.*
        return StepError(error_code, pods=", ".join(pods), retryable=True) if pods else None

    await wait_for(left, limit_s=STOP_S, every_s=LOOK_EVERY_S)


def _pod_shown(namespace: str, pod: Json) -> str:
    return name_of(pod) if namespace == NAMESPACE else f"{namespace}/{name_of(pod)}"


async def start(kube: KubeSession, stopped: Sequence[Workload]) -> None:
    """Have each as many pods as it had; raises `KubeError`."""
    for each in stopped:
        forgotten: dict[str, Any] = {"metadata": {"annotations": {KEPT: None}}}
        await kube.patch(each.path, forgotten if each.replicas else each.scaled_to(each.kept or 1, None))
