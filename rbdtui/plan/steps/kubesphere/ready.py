"""Waiting for KubeSphere's workloads: its own three parts, and all else that its chart makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.kube.session import KubeSession
from rbdtui.kubesphere.chart import NAMESPACE
from rbdtui.kubesphere.parts import kubesphere_parts
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.ready import ComponentsReady
from rbdtui.probes.namespace import look
from rbdtui.rainbond.components import Component
from rbdtui.rainbond.workloads import workload_lists


@dataclass(frozen=True, slots=True)
class KubesphereReady(ComponentsReady):
    """Every workload of the chart, in its number of pods and in its newest form."""

    name: ClassVar[str] = "kubesphere-ready"
    error_code: ClassVar[str] = "kubesphere_not_ready"
    namespace: ClassVar[str] = NAMESPACE

    async def parts(self, context: StepContext, kube: KubeSession) -> Sequence[Component]:
        """API server, console and controllers as planned, the others as the chart made them."""
        seen = await look(kube, "Deployment", "StatefulSet", at=workload_lists(NAMESPACE))
        return kubesphere_parts(context.spec, seen)
