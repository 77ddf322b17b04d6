"""Rainbond's chart, brought to the cluster by helm: only when chart or values differ from what is there.

helm is never told to wait: it would wait for the operator's Deployment alone, and what it calls deployed says nothing
of Rainbond, which the operator makes. A release that was cut off blocks helm for ever ("another operation is in
progress", helm/helm@v3.15.4 pkg/action/upgrade.go): it is marked as failed, from where helm goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, ClassVar, Final

import yaml

from rbdtui.bundle.model import Chart, planned_release
from rbdtui.content import Content
from rbdtui.kube.releases import DEPLOYED, HelmRelease, marked_failed, newest_release
from rbdtui.kube.session import KubeAbsentError, KubeSession
from rbdtui.plan.content import diff
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import RELEASE, Api, has_api, open_api, rainbond_release
from rbdtui.plan.steps.rainbond.gateway_config import operator_rests, wake_operator
from rbdtui.plan.steps.rainbond.helm import run_helm
from rbdtui.plan.steps.rainbond.upgrade import upgrade_of
from rbdtui.rainbond.releases import GatewayRollout
from rbdtui.rainbond.upgrades import READ, READ_OLD, Upgrade
from rbdtui.rainbond.values import chart_values
from rbdtui.rainbond.workloads import CLUSTER_PATH, NAMESPACE, entries
from rbdtui.words import T, Text
from rbdtui.yaml_form import yaml_block

_NAMESPACED: Final = f"/api/v1/namespaces/{NAMESPACE}"
_DATABASE_CLAIM: Final = "rbd-db-rbd-db-0"
_DATABASE_SECRET: Final = "rbd-db"  # noqa: S105 - the name of an object in the cluster
_SHOWN_AS: Final = "values.yaml"
_UNMOVED_S: Final = 60.0
"""helm's own work between two notes on its release takes seconds; who is silent for so long has been cut off."""
_LOOK_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is to be installed."""

    chart: Chart
    values: Content
    tree: Mapping[str, Any]
    """The values as helm reads them."""


@dataclass(frozen=True, slots=True)
class _Seen:
    wanted: _Wanted
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
            return Pending((_install(wanted, None),), seen=_Seen(wanted, None))
        async with open_api(context) as api:
            release = await newest_release(api.kube, NAMESPACE, RELEASE)
            has_cluster = await api.kube.find(CLUSTER_PATH) is not None
            rests = await operator_rests(api.kube)
        upgrade = await upgrade_of(context, release)
        seen = _Seen(wanted, release)
        if release is None:
            return Pending((_install(wanted, None),), seen=seen)
        evidence = f"{release.chart}-{release.chart_version}, revision {release.revision}: {release.status}"
        if release.is_pending:
            healed = T("plan.change.release_healed", status=release.status, secret=release.secret)
            heal = Change(
                ChangeKind.COMMAND, healed, f"kubectl -n {NAMESPACE} patch secret {release.secret}: status=failed"
            )
            return Pending((heal, _install(wanted, release, upgrade)), evidence, seen=seen)
        if _is_as_wanted(release, wanted) and has_cluster and not rests:
            return Pending(evidence=evidence, seen=seen)
        return Pending((_install(wanted, release, upgrade),), evidence, seen=seen)

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> None:
        """Run helm, after a release that was cut off is out of its way; raises `StepError`."""
        wanted = pending.seen.wanted
        async with open_api(context) as api:
            await _expect_storage_class(api.kube, wanted)
            present, release = await _settled(context, api.kube, pending.seen.release), await rainbond_release(context)
            if present is None and release.forgets_database_password:
                await _expect_no_earlier_database(api.kube)
            if present is not None and release.gateway is GatewayRollout.RECREATE:
                context.report.note(T("plan.note.gateways_may_stop"))
            await _upgrade(context, api, wanted)
            await wake_operator(api.kube)


def _wanted(context: StepContext) -> _Wanted:
    """From the bundle and the spec; raises `StepError` for a chart of the other generation."""
    release, chart = planned_release(context.bundle, context.spec), context.bundle.chart(context.spec)
    if chart.name != release.chart:
        raise StepError("chart_generation", chart=f"{chart.name}-{chart.version}", release=release.tag)
    values = chart_values(context.spec, release, context.secret)
    return _Wanted(chart, values, yaml.safe_load(values.actual) or {})


async def _expect_storage_class(kube: KubeSession, wanted: _Wanted) -> None:
    """The class that Rainbond's volumes are to have must be there by now. Raises `StepError`."""
    operator = wanted.tree.get("operator")
    given = operator.get("env") if isinstance(operator, Mapping) else None
    for variable in entries(given):
        if variable.get("name") == "STORAGE_CLASS_NAME":
            name = str(variable.get("value"))
            if await kube.find(f"/apis/storage.k8s.io/v1/storageclasses/{name}") is None:
                raise StepError("storage_class_absent", name=name, retryable=True)


async def _expect_no_earlier_database(kube: KubeSession) -> None:
    """A database that was kept without its password never becomes ready; raises `StepError`."""
    kept = await kube.find(f"{_NAMESPACED}/persistentvolumeclaims/{_DATABASE_CLAIM}")
    if kept is not None and await kube.find(f"{_NAMESPACED}/secrets/{_DATABASE_SECRET}") is None:
        raise StepError("database_kept", claim=_DATABASE_CLAIM, secret=_DATABASE_SECRET)


def _is_as_wanted(release: HelmRelease, wanted: _Wanted) -> bool:
    chart = (release.chart, release.chart_version) == (wanted.chart.name, wanted.chart.version)
    return release.status == DEPLOYED and chart and release.values == wanted.tree


def _install(wanted: _Wanted, present: HelmRelease | None, upgrade: Upgrade | None = None) -> Change:
    """The one change that helm makes: what it is run with, and the values against those of the present release."""
    chart = f"{wanted.chart.name} {wanted.chart.version}"
    command = f"helm upgrade --install {RELEASE} {wanted.chart.path.name} -n {NAMESPACE} -f {_SHOWN_AS}"
    before = None
    if present is not None:
        before = yaml_block(_in_the_order_of(wanted.tree, present.values), _plain).encode()
    title = T("plan.change.release", chart=chart)
    if present is not None:
        title = T("plan.change.release_again", chart=chart, present=f"{present.chart} {present.chart_version}")
    if upgrade is not None and upgrade.is_change:
        title = _title_of(upgrade, chart)
    changed = diff(_SHOWN_AS, before, wanted.values, private=True)
    return Change(ChangeKind.COMMAND, title, f"{command}\n{changed}".rstrip())


def _title_of(upgrade: Upgrade, chart: str) -> Text:
    """One Rainbond over another; that nobody has read one of them is said with it."""
    words = {"present": upgrade.present.tag, "planned": upgrade.planned.tag, "chart": chart}
    if not upgrade.unread:
        return T("plan.change.release_upgrade", **words)
    first, last = READ_OLD if upgrade.planned.is_old else READ
    unread = ", ".join(upgrade.unread)
    return T("plan.change.release_upgrade_unread", **words, unread=unread, first=str(first), last=str(last))


def _plain(value: object) -> str | int | float | bool | None:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _in_the_order_of(order: object, values: Any) -> Any:
    """The values with their keys as another tree has them, so that they can be compared line by line."""
    if isinstance(values, list) and isinstance(order, list):
        return [_in_the_order_of(below, value) for below, value in zip_longest(order, values)][: len(values)]
    if not isinstance(values, Mapping) or not isinstance(order, Mapping):
        return values
    keys = [key for key in order if key in values] + [key for key in values if key not in order]
    return {key: _in_the_order_of(order.get(key), values[key]) for key in keys}


async def _settled(context: StepContext, kube: KubeSession, seen: HelmRelease | None) -> HelmRelease | None:
    """The release once nobody is at work on it; one that does not move any more is taken away. Raises `StepError`."""
    release, deadline = seen, time.monotonic() + _UNMOVED_S
    while release is not None and release.is_pending:
        if time.monotonic() > deadline:
            context.report.note(T("plan.note.release_healed", status=release.status, revision=release.revision))
            with suppress(KubeAbsentError):
                await _out_of_the_way(kube, f"{_NAMESPACED}/secrets/{release.secret}")
            deadline = time.monotonic() + _UNMOVED_S
        async with context.waiting():
            await asyncio.sleep(_LOOK_EVERY_S)
        before, release = release, await newest_release(kube, NAMESPACE, RELEASE)
        if release is not None and (release.revision, release.status) != (before.revision, before.status):
            deadline = time.monotonic() + _UNMOVED_S
    return release


async def _out_of_the_way(kube: KubeSession, path: str) -> None:
    """Let helm go on from a release that was cut off; a record that cannot be read is taken away."""
    patch = marked_failed(await kube.get(path))
    if patch is None:
        await kube.delete(path)
    else:
        await kube.patch(path, patch)


async def _upgrade(context: StepContext, api: Api, wanted: _Wanted) -> None:
    args = ("upgrade", "--install", RELEASE, str(wanted.chart.path), "--namespace", NAMESPACE, "--history-max", "5")
    answer = await run_helm(context, api, *args, "--values", "{values}", files={"values": wanted.values.actual})
    for line in answer.text.splitlines():
        context.report.line(line)
    if answer.exit_status != 0:
        said = "\n".join(answer.text.strip().splitlines()[-10:])
        raise StepError("helm_failed", status=answer.exit_status, evidence=said, retryable=True)
