"""A release of helm, brought to a chart and values: what differs, what blocks it, and helm's own run.

helm is never told to wait for workloads: others look at these. A release that was cut off blocks helm for ever
("another operation is in progress", helm/helm@v3.15.4 pkg/action/upgrade.go): it is marked as failed, from where helm
goes on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Final

import yaml

from rbdtui.bundle.model import Chart
from rbdtui.content import Content
from rbdtui.kube.releases import DEPLOYED, HelmRelease, marked_failed, newest_release
from rbdtui.kube.session import KubeAbsentError, KubeSession
from rbdtui.plan.content import diff
from rbdtui.plan.step import Change, ChangeKind, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import Api
from rbdtui.plan.steps.rainbond.helm import run_helm
from rbdtui.words import T, Text
from rbdtui.yaml_form import yaml_block

_SHOWN_AS: Final = "values.yaml"
_UNMOVED_S: Final = 60.0
"""helm's own work between two notes on its release takes seconds; who is silent for so long has been cut off."""
_LOOK_EVERY_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a release is kept."""

    namespace: str
    name: str

    async def newest(self, kube: KubeSession) -> HelmRelease | None:
        """The newest revision, None without any; raises `KubeError`."""
        return await newest_release(kube, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be installed."""

    chart: Chart
    values: Content
    tree: Mapping[str, Any]
    """The values as helm reads them."""

    @classmethod
    def of(cls, chart: Chart, values: Content) -> Wanted:
        """A chart with its values file."""
        return cls(chart, values, yaml.safe_load(values.actual) or {})

    @property
    def title(self) -> str:
        """Name and version of the chart."""
        return f"{self.chart.name} {self.chart.version}"

    def is_there(self, release: HelmRelease) -> bool:
        """Whether a release is just this."""
        chart = (release.chart, release.chart_version) == (self.chart.name, self.chart.version)
        return release.status == DEPLOYED and chart and release.values == self.tree


def evidence_of(release: HelmRelease) -> str:
    """A release in one line."""
    return f"{release.chart}-{release.chart_version}, revision {release.revision}: {release.status}"


def healing(place: Place, release: HelmRelease) -> Change:
    """The change that takes a release which was cut off out of helm's way."""
    healed = T("plan.change.release_healed", status=release.status, secret=release.secret)
    return Change(
        ChangeKind.COMMAND, healed, f"kubectl -n {place.namespace} patch secret {release.secret}: status=failed"
    )


def upgrading(place: Place, wanted: Wanted, present: HelmRelease | None, title: Text | None = None) -> Change:
    """The one change that helm makes: what it is run with, and the values against those of the present release."""
    command = f"helm upgrade --install {place.name} {wanted.chart.path.name} -n {place.namespace} -f {_SHOWN_AS}"
    before, usual = None, T("plan.change.release", chart=wanted.title)
    if present is not None:
        before = yaml_block(_in_the_order_of(wanted.tree, present.values), _plain).encode()
        there = f"{present.chart} {present.chart_version}"
        usual = T("plan.change.release_again", chart=wanted.title, present=there)
    changed = diff(_SHOWN_AS, before, wanted.values, private=True)
    return Change(ChangeKind.COMMAND, title or usual, f"{command}\n{changed}".rstrip())


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


async def settled(
    context: StepContext, kube: KubeSession, place: Place, seen: HelmRelease | None
) -> HelmRelease | None:
    """The release once nobody is at work on it; one that does not move any more is taken away. Raises `StepError`."""
    release, deadline = seen, time.monotonic() + _UNMOVED_S
    while release is not None and release.is_pending:
        if time.monotonic() > deadline:
            context.report.note(T("plan.note.release_healed", status=release.status, revision=release.revision))
            with suppress(KubeAbsentError):
                await _out_of_the_way(kube, f"/api/v1/namespaces/{place.namespace}/secrets/{release.secret}")
            deadline = time.monotonic() + _UNMOVED_S
        async with context.waiting():
            await asyncio.sleep(_LOOK_EVERY_S)
        before, release = release, await place.newest(kube)
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


async def upgrade(
    context: StepContext, api: Api, place: Place, wanted: Wanted, *args: str, limit_s: float = 300.0
) -> None:
    """Run helm, with further arguments; raises `StepError`."""
    own = ("upgrade", "--install", place.name, str(wanted.chart.path), "--namespace", place.namespace)
    answer = await run_helm(
        context, api, *own, "--history-max", "5", *args, "--values", "{values}",
        files={"values": wanted.values.actual}, limit_s=limit_s,
    )  # fmt: skip
    for line in answer.text.splitlines():
        context.report.line(line)
    if answer.exit_status != 0:
        said = "\n".join(answer.text.strip().splitlines()[-10:])
        raise StepError("helm_failed", status=answer.exit_status, evidence=said, retryable=True)
