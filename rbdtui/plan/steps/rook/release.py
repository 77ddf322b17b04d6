"""Rook's namespace and the chart of its operator, brought to the cluster by helm: only when chart or values differ."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.kube.releases import HelmRelease
from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Pending, Step, StepContext, StepError
from rbdtui.plan.steps.helm_release import Place, Wanted, evidence_of, healing, settled, upgrade, upgrading
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.rainbond.namespace import MakeNamespace
from rbdtui.plan.steps.rainbond.ready import ComponentsReady
from rbdtui.rainbond.components import Component, WorkloadKind
from rbdtui.rook.chart import CHART, NAMESPACE, OPERATORS, RELEASE, chart_values

PLACE: Final = Place(NAMESPACE, RELEASE)


@dataclass(frozen=True, slots=True)
class MakeRookNamespace(MakeNamespace):
    """Make Rook's namespace."""

    name: ClassVar[str] = "rook-namespace"
    namespace: ClassVar[str] = NAMESPACE


@dataclass(frozen=True, slots=True)
class _Seen:
    wanted: Wanted
    release: HelmRelease | None


@dataclass(frozen=True, slots=True)
class InstallRook(Step):
    """Install the chart of Rook's operator, or bring the release to the chart and values of the plan."""

    name: ClassVar[str] = "rook-release"
    time_limit_s: ClassVar[float] = 600.0
    stall_s: ClassVar[float] = 240.0

    async def pending(self, context: StepContext) -> Pending[_Seen]:
        """The chart and the values in which it differs from the release; what was cut off is healed."""
        wanted = await asyncio.to_thread(_wanted, context)
        release = None
        if has_api(context):
            async with open_api(context) as api:
                release = await PLACE.newest(api.kube)
        if release is None:
            return Pending((upgrading(PLACE, wanted, None),), seen=_Seen(wanted, None))
        if release.chart != CHART:
            raise StepError("rook_foreign", release=RELEASE, chart=f"{release.chart}-{release.chart_version}")
        seen, evidence = _Seen(wanted, release), evidence_of(release)
        if wanted.is_there(release):
            return Pending(evidence=evidence, seen=seen)
        healed = (healing(PLACE, release),) if release.is_pending else ()
        return Pending((*healed, upgrading(PLACE, wanted, release)), evidence, seen=seen)

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> None:
        """Run helm, after a release that was cut off is out of its way; raises `StepError`."""
        async with open_api(context) as api:
            await settled(context, api.kube, PLACE, pending.seen.release)
            await upgrade(context, api, PLACE, pending.seen.wanted)


def _wanted(context: StepContext) -> Wanted:
    """From the bundle; raises `StepError`."""
    chart = context.bundle.rook_chart()
    return Wanted.of(chart, chart_values(chart.version))


@dataclass(frozen=True, slots=True)
class RookReady(ComponentsReady):
    """Both operators run: what is made before would wait for them unseen."""

    name: ClassVar[str] = "rook-ready"
    error_code: ClassVar[str] = "rook_not_ready"
    namespace: ClassVar[str] = NAMESPACE

    async def parts(self, context: StepContext, kube: KubeSession) -> Sequence[Component]:
        """Those of the chart, not what they make."""
        return [Component(name, WorkloadKind.DEPLOYMENT, 1) for name in OPERATORS]
