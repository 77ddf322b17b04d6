"""KubeSphere's namespace and its chart, brought to the cluster by helm: only when chart or values differ.

helm waits for the chart's jobs after the installation (templates/post-patch-*.yaml of kubesphere/kubesphere@v4.1.3,
config/ks-core), for nothing else.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.kube.releases import HelmRelease
from rbdtui.kube.session import KubeSession
from rbdtui.kubesphere.chart import (
    CHART,
    NAMESPACE,
    RELEASE,
    chart_values,
    console_port,
    console_url,
    default_registry,
    needed_images,
    registry_among,
)
from rbdtui.plan.step import Pending, Step, StepContext, StepError
from rbdtui.plan.steps.helm_release import Place, Wanted, evidence_of, healing, settled, upgrade, upgrading
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.rainbond.namespace import MakeNamespace
from rbdtui.probes.kubesphere import console_places
from rbdtui.rainbond.workloads import Json, entries, name_of
from rbdtui.words import T

_CLASSES: Final = "/apis/storage.k8s.io/v1/storageclasses"
_DEFAULT_CLASS: Final = "storageclass.kubernetes.io/is-default-class"
PLACE: Final = Place(NAMESPACE, RELEASE)
_JOBS_S: Final = 900.0
"""For helm with the chart's jobs: their pods start one after the other, each from an image that the node has."""


@dataclass(frozen=True, slots=True)
class MakeKubesphereNamespace(MakeNamespace):
    """Make KubeSphere's namespace."""

    name: ClassVar[str] = "kubesphere-namespace"
    namespace: ClassVar[str] = NAMESPACE


@dataclass(frozen=True, slots=True)
class _Seen:
    wanted: Wanted
    release: HelmRelease | None


@dataclass(frozen=True, slots=True)
class InstallKubesphere(Step):
    """Install KubeSphere's chart, or bring the release to the chart and values of the plan."""

    name: ClassVar[str] = "kubesphere-release"
    time_limit_s: ClassVar[float] = _JOBS_S + 300.0
    stall_s: ClassVar[float] = _JOBS_S

    async def pending(self, context: StepContext) -> Pending[_Seen]:
        """The chart and the values in which it differs from the release; what was cut off is healed."""
        wanted = await asyncio.to_thread(_wanted, context)
        if not has_api(context):
            return Pending((upgrading(PLACE, wanted, None),), seen=_Seen(wanted, None))
        async with open_api(context) as api:
            release = await PLACE.newest(api.kube)
        if release is None:
            return Pending((upgrading(PLACE, wanted, None),), seen=_Seen(wanted, None))
        if release.chart != CHART:
            raise StepError("kubesphere_foreign", release=RELEASE, chart=f"{release.chart}-{release.chart_version}")
        seen, evidence = _Seen(wanted, release), evidence_of(release)
        if release.is_pending:
            return Pending((healing(PLACE, release), upgrading(PLACE, wanted, release)), evidence, seen=seen)
        if wanted.is_there(release):
            return Pending(evidence=evidence, seen=seen)
        return Pending((upgrading(PLACE, wanted, release),), evidence, seen=seen)

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> None:
        """Run helm, after a release that was cut off is out of its way; raises `StepError`."""
        wanted = pending.seen.wanted
        async with open_api(context) as api:
            await _expect_storage_class(api.kube, context.spec.kubesphere.storage_class)
            await settled(context, api.kube, PLACE, pending.seen.release)
            await upgrade(context, api, PLACE, wanted, "--timeout", f"{round(_JOBS_S)}s", limit_s=_JOBS_S + 60.0)
            if pending.seen.release is None:
                await _tell(context, api.kube)


def _wanted(context: StepContext) -> Wanted:
    """From the bundle and the spec; raises `StepError`."""
    spec, chart = context.spec, context.bundle.kubesphere_chart()
    registry = spec.kubesphere.image_registry
    if registry is None:
        arches = sorted({facts.arch for facts in context.facts.values() if facts.arch}) or ["amd64"]
        files = [file for arch in arches for file in context.bundle.kubesphere_images(spec, arch)]
        names = {image.name for file in files for image in file.images}
        registry, _ = registry_among(names, needed_images(spec, chart.values))
    return Wanted.of(chart, chart_values(spec, registry or default_registry(chart.values), context.secret))


async def _expect_storage_class(kube: KubeSession, name: str | None) -> None:
    if name is not None and await kube.find(f"{_CLASSES}/{name}") is None:
        raise StepError("storage_class_absent", name=name, retryable=True)


async def _tell(context: StepContext, kube: KubeSession) -> None:
    """Once, what the operator has to know: where the console is, its first login, and what the cluster lacks."""
    port, places = console_port(context.spec), console_places(context.spec)
    context.report.note(T("plan.note.kubesphere_console", url=console_url(context.spec)))
    for place in places:
        if not place.is_ours:
            context.report.note(T("plan.note.kubesphere_balancer", address=place.target.address, port=port))
    classes = entries((await kube.get(_CLASSES)).get("items"))
    defaults = [name_of(each) for each in classes if _is_default(each)]
    if not defaults:
        context.report.note(T("plan.note.no_default_class"))
    elif len(defaults) > 1:
        context.report.note(T("plan.note.several_default_classes", names=", ".join(defaults)))


def _is_default(storage_class: Json) -> bool:
    return ((storage_class.get("metadata") or {}).get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
