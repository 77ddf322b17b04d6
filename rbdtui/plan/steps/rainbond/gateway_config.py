"""The gateway's ConfigMap, which was the operator's and is the chart's from 6.3.1 on: helm must be told that it is its.

helm refuses to upgrade over an object without its label and annotations (goodrain/rainbond-chart@v6.3.1-release,
templates/apisix-gw-config.yaml; helm/helm@v3.15.4 pkg/action/validate.go). An older operator writes the ConfigMap anew
every few seconds while its gateway has more pods than its RbdComponent says, and without these marks: it rests until
helm brings the new one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import RELEASE, has_api, open_api
from rbdtui.plan.steps.rainbond.upgrade import find_upgrade
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.namespace import look
from rbdtui.rainbond.upgrades import chart_owns_gateway_config
from rbdtui.rainbond.workloads import NAMESPACE, OPERATOR, Json, is_leaving, name_of
from rbdtui.words import T

_NAME: Final = "apisix-gw-config.yaml"
_PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps/{_NAME}"
_OPERATOR_PATH: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{OPERATOR}"
_LABEL: Final = {"app.kubernetes.io/managed-by": "Helm"}
_NOTES: Final = {"meta.helm.sh/release-name": RELEASE, "meta.helm.sh/release-namespace": NAMESPACE}


@dataclass(frozen=True, slots=True)
class AdoptGatewayConfig(Step):
    """Mark the ConfigMap as helm's, while nobody writes it."""

    name: ClassVar[str] = "rainbond-gateway-config"
    rests_s: ClassVar[float] = 120.0
    look_every_s: ClassVar[float] = 1.0

    async def pending(self, context: StepContext) -> Pending[None]:
        """The marks, where the planned chart has the ConfigMap and the one that is there is nobody's release's."""
        if not has_api(context):
            return Pending()
        chart = await asyncio.to_thread(context.bundle.chart, context.spec)
        async with open_api(context) as api:
            if await find_upgrade(context, api.kube) is None or not chart_owns_gateway_config(chart.version):
                return Pending()
            found = await api.kube.find(_PATH)
        if found is None or _is_a_releases(found):
            return Pending()
        marks = " ".join(f"{key}={value}" for key, value in _NOTES.items())
        commands = [
            f"kubectl -n {NAMESPACE} scale deployment/{OPERATOR} --replicas=0",
            f"kubectl -n {NAMESPACE} label configmap/{_NAME} {' '.join(f'{k}={v}' for k, v in _LABEL.items())}",
            f"kubectl -n {NAMESPACE} annotate configmap/{_NAME} {marks}",
        ]
        title = T("plan.change.gateway_config", name=_NAME, chart=f"{chart.name} {chart.version}")
        return Pending((Change(ChangeKind.COMMAND, title, "\n".join(commands)),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Send the operator to rest, then mark it; raises `StepError`."""
        async with open_api(context) as api:
            if await api.kube.find(_OPERATOR_PATH) is not None:
                await api.kube.patch(_OPERATOR_PATH, {"spec": {"replicas": 0}})
            await wait_for(lambda: _still_at_work(api.kube), limit_s=self.rests_s, every_s=self.look_every_s)
            await api.kube.patch(_PATH, {"metadata": {"labels": _LABEL, "annotations": _NOTES}})


async def operator_rests(kube: KubeSession) -> bool:
    """Whether the operator was sent to rest, and nobody has brought it back; raises `KubeError`."""
    found = await kube.find(_OPERATOR_PATH)
    return found is not None and (found.get("spec") or {}).get("replicas") == 0


async def wake_operator(kube: KubeSession) -> None:
    """Have it work again, whatever helm has made of it; raises `KubeError`."""
    if await operator_rests(kube):
        await kube.patch(_OPERATOR_PATH, {"spec": {"replicas": 1}})


def _is_a_releases(found: Json) -> bool:
    """Whether helm knows it for one of its own, of whatever release."""
    meta: dict[str, Any] = found.get("metadata") or {}
    labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
    return _LABEL.items() <= labels.items() and all(notes.get(key) for key in _NOTES)


async def _still_at_work(kube: KubeSession) -> StepError | None:
    pods = (await look(kube, "Pod")).pods_of("Deployment", OPERATOR)
    if not pods:
        return None
    said = "\n".join(f"pod/{name_of(pod)}{' (ending)' if is_leaving(pod) else ''}" for pod in pods)
    return StepError("operator_does_not_rest", evidence=said, retryable=True)
