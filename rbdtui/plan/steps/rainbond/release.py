"""Rainbond's chart, brought to the cluster by helm: only when chart or values differ from what is there.

helm is never told to wait: it would wait for the operator's Deployment alone, and what it calls deployed says nothing
of Rainbond, which the operator makes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.bundle.model import planned_release
from rbdtui.kube.releases import HelmRelease
from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Change, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.helm_release import Place, Wanted, evidence_of, healing, settled, upgrade, upgrading
from rbdtui.plan.steps.moving.looking import look_at
from rbdtui.plan.steps.rainbond.access import RELEASE, has_api, open_api, rainbond_release
from rbdtui.plan.steps.rainbond.gateway_config import operator_rests, wake_operator
from rbdtui.plan.steps.rainbond.upgrade import upgrade_of
from rbdtui.rainbond.releases import GatewayRollout
from rbdtui.rainbond.upgrades import READ, READ_OLD, Upgrade
from rbdtui.rainbond.values import chart_values
from rbdtui.rainbond.workloads import CLUSTER_PATH, NAMESPACE, entries
from rbdtui.words import T, Text

_NAMESPACED: Final = f"/api/v1/namespaces/{NAMESPACE}"
_PLACE: Final = Place(NAMESPACE, RELEASE)
_DATABASE_CLAIM: Final = "rbd-db-rbd-db-0"
_DATABASE_SECRET: Final = "rbd-db"  # noqa: S105 - the name of an object in the cluster


@dataclass(frozen=True, slots=True)
class _Seen:
    wanted: Wanted
    release: HelmRelease | None


@dataclass(frozen=True, slots=True)
class InstallRelease(Step):
    """Install Rainbond's chart, or bring the release to the chart and values of the plan."""

    name: ClassVar[str] = "rainbond-release"
    time_limit_s: ClassVar[float] = 900.0
    stall_s: ClassVar[float] = 240.0

    async def pending(self, context: StepContext) -> Pending[_Seen]:
        """The chart and the values in which it differs from the release; what was cut off is healed."""
        wanted = await asyncio.to_thread(_wanted, context)
        if not has_api(context):
            return Pending((upgrading(_PLACE, wanted, None),), seen=_Seen(wanted, None))
        async with open_api(context) as api:
            release = await _PLACE.newest(api.kube)
            has_cluster = await api.kube.find(CLUSTER_PATH) is not None
            rests = await operator_rests(api.kube)
            if release is not None:
                await refuse_unmoved(api.kube, _class_in(wanted.tree), _class_in(release.values))
        step_up = await upgrade_of(context, release)
        seen = _Seen(wanted, release)
        if release is None:
            return Pending((upgrading(_PLACE, wanted, None),), seen=seen)
        evidence = evidence_of(release)
        if release.is_pending:
            return Pending((healing(_PLACE, release), _install(wanted, release, step_up)), evidence, seen=seen)
        if wanted.is_there(release) and has_cluster and not rests:
            return Pending(evidence=evidence, seen=seen)
        return Pending((_install(wanted, release, step_up),), evidence, seen=seen)

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> None:
        """Run helm, after a release that was cut off is out of its way; raises `StepError`."""
        wanted = pending.seen.wanted
        async with open_api(context) as api:
            await _expect_storage_class(api.kube, wanted)
            present = await settled(context, api.kube, _PLACE, pending.seen.release)
            release = await rainbond_release(context)
            if present is None and release.forgets_database_password:
                await _expect_no_earlier_database(api.kube)
            if present is not None and release.gateway is GatewayRollout.RECREATE:
                context.report.note(T("plan.note.gateways_may_stop"))
            await upgrade(context, api, _PLACE, wanted)
            await wake_operator(api.kube)


def _wanted(context: StepContext) -> Wanted:
    """From the bundle and the spec; raises `StepError` for a chart of the other generation."""
    release, chart = planned_release(context.bundle, context.spec), context.bundle.chart(context.spec)
    if chart.name != release.chart:
        raise StepError("chart_generation", chart=f"{chart.name}-{chart.version}", release=release.tag)
    return Wanted.of(chart, chart_values(context.spec, release, context.secret))


def _class_in(values: Mapping[str, object]) -> str:
    """The class that the operator is told; empty where it is told none."""
    operator = values.get("operator")
    given = operator.get("env") if isinstance(operator, Mapping) else None
    named = [each for each in entries(given) if each.get("name") == "STORAGE_CLASS_NAME"]
    return str(named[-1].get("value") or "") if named else ""


async def refuse_unmoved(kube: KubeSession, wanted: str, told: str) -> None:
    """Raise `StepError` for another class while volumes are of the old one: the operator moves none of them."""
    if wanted == told or not wanted:
        return
    looked = await look_at(kube, wanted)
    if left := [each.name for each in looked.found.moving]:
        evidence = "\n".join(each.line for each in looked.found.moving)
        raise StepError("storage_not_moved", name=wanted, claims=", ".join(left), evidence=evidence)


async def _expect_storage_class(kube: KubeSession, wanted: Wanted) -> None:
    """The class that Rainbond's volumes are to have must be there by now. Raises `StepError`."""
    name = _class_in(wanted.tree)
    if name and await kube.find(f"/apis/storage.k8s.io/v1/storageclasses/{name}") is None:
        raise StepError("storage_class_absent", name=name, retryable=True)


async def _expect_no_earlier_database(kube: KubeSession) -> None:
    """A database that was kept without its password never becomes ready; raises `StepError`."""
    kept = await kube.find(f"{_NAMESPACED}/persistentvolumeclaims/{_DATABASE_CLAIM}")
    if kept is not None and await kube.find(f"{_NAMESPACED}/secrets/{_DATABASE_SECRET}") is None:
        raise StepError("database_kept", claim=_DATABASE_CLAIM, secret=_DATABASE_SECRET)


def _install(wanted: Wanted, present: HelmRelease, step_up: Upgrade | None) -> Change:
    """The change that helm makes to a release that is there."""
    title = _title_of(step_up, wanted.title) if step_up is not None and step_up.is_change else None
    return upgrading(_PLACE, wanted, present, title)


def _title_of(upgrade: Upgrade, chart: str) -> Text:
    """One Rainbond over another; that nobody has read one of them is said with it."""
    words = {"present": upgrade.present.tag, "planned": upgrade.planned.tag, "chart": chart}
    if not upgrade.unread:
        return T("plan.change.release_upgrade", **words)
    first, last = READ_OLD if upgrade.planned.is_old else READ
    unread = ", ".join(upgrade.unread)
    return T("plan.change.release_upgrade_unread", **words, unread=unread, first=str(first), last=str(last))
