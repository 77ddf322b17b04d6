"""The definitions of Rainbond's custom resources as the planned chart has them: helm makes them once and never again.

With older ones the API drops fields without a word that newer operators write (goodrain/rainbond-chart,
crds/rainbond.io_rbdcomponents.yaml: ``affinity`` from v6.3.1-release on). Definitions of others, which the chart brings
along (APISIX, monitoring), are made where they are absent and left alone where they are there: another program of the
cluster may have brought newer ones. They are the same in all charts of 6.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.bundle.charts import ChartError, read_definitions
from rbdtui.bundle.model import Chart
from rbdtui.errors import reason_of
from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.rainbond.upgrade import find_upgrade
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.workloads import conditions_of
from rbdtui.together import together
from rbdtui.words import T

_PATH: Final = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_OWN_GROUP: Final = "rainbond.io"
_MOST_SHOWN: Final = 20

_Tree = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RenewDefinitions(Step):
    """Apply the definitions of the chart that differ from those of the cluster, once there is a release."""

    name: ClassVar[str] = "rainbond-definitions"
    served_s: ClassVar[float] = 60.0
    look_every_s: ClassVar[float] = 1.0

    async def pending(self, context: StepContext) -> Pending[Mapping[str, _Tree]]:
        """The definitions that differ, by path; none before the first installation, where helm makes them."""
        if not has_api(context):
            return Pending(seen={})
        async with open_api(context) as api:
            upgrade = await find_upgrade(context, api.kube)
            if upgrade is None:
                return Pending(seen={})
            wanted = await asyncio.to_thread(_wanted, context)
            there = dict(zip(wanted, await _found(api.kube, list(wanted)), strict=True))
        differing = {path: body for path, body in wanted.items() if _is_to_be_applied(body["spec"], there[path])}
        return Pending(tuple(_changes(differing, there)), "\n".join(differing), seen=differing)

    async def apply(self, context: StepContext, pending: Pending[Mapping[str, _Tree]]) -> None:
        """Apply them, and wait until the API serves them; raises `StepError`."""
        async with open_api(context) as api:
            for path, body in pending.seen.items():
                await api.kube.apply(path, body)

            async def unserved() -> StepError | None:
                found = dict(zip(pending.seen, await _found(api.kube, list(pending.seen)), strict=True))
                late = [path for path, definition in found.items() if not _is_served(definition)]
                return StepError("definitions_not_served", evidence="\n".join(late), retryable=True) if late else None

            async with context.waiting():
                await wait_for(unserved, limit_s=self.served_s, every_s=self.look_every_s)


async def _found(kube: KubeSession, paths: list[str]) -> list[_Tree | None]:
    return list(await together(*map(kube.find, paths)))


def _wanted(context: StepContext) -> dict[str, _Tree]:
    """By path, each with nothing but its name and its spec. Raises `StepError`."""
    chart = context.bundle.chart(context.spec)
    return {
        f"{_PATH}/{found['metadata']['name']}": {
            "apiVersion": found.get("apiVersion", "apiextensions.k8s.io/v1"),
            "kind": found["kind"],
            "metadata": {"name": found["metadata"]["name"]},
            "spec": found["spec"],
        }
        for found in _definitions(chart)
    }


def _definitions(chart: Chart) -> list[dict[str, Any]]:
    try:
        return read_definitions(chart.path, chart.file.within or chart.path.parent, chart.file.size_bytes)
    except (ChartError, OSError) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise StepError("chart_unreadable", chart=chart.path.name, reason=reason) from error


def _is_to_be_applied(wanted: _Tree, there: _Tree | None) -> bool:
    if there is None:
        return True
    return wanted.get("group") == _OWN_GROUP and not _holds(there.get("spec"), wanted)


def _is_served(definition: _Tree | None) -> bool:
    found = {str(each.get("type")): each.get("status") for each in conditions_of(definition or {})}
    return found.get("Established") == "True"


def _holds(there: object, wanted: object) -> bool:
    """Whether all that is wanted is there, and in versions and their schemas nothing else.

    The API adds what was left out, and leaves out what is false or empty.
    """
    if isinstance(wanted, Mapping):
        known: _Tree = there if isinstance(there, Mapping) else {}
        if "properties" in wanted and set(known.get("properties") or {}) != set(wanted["properties"] or {}):
            return False
        return all(_holds(known.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and wanted:
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(_holds(*pair) for pair in zip(there, wanted, strict=True))
        )
    return there == wanted or (not there and not wanted)


def _changes(differing: Mapping[str, _Tree], there: Mapping[str, _Tree | None]) -> Iterator[Change]:
    for path, body in differing.items():
        name, known = body["metadata"]["name"], there[path]
        added = sorted(set(_fields(body["spec"])) - set(_fields((known or {}).get("spec") or {})))
        gone = sorted(set(_fields((known or {}).get("spec") or {})) - set(_fields(body["spec"])))
        lines = [f"kubectl apply --server-side customresourcedefinition/{name}"]
        lines += [f"- {field}" for field in _outer(gone)] + [f"+ {field}" for field in _outer(added)]
        title = T("plan.change.definition" if known is None else "plan.change.definition_renewed", name=name)
        yield Change(ChangeKind.COMMAND, title, "\n".join(lines[: _MOST_SHOWN + 1]))


def _fields(spec: _Tree) -> Iterator[str]:
    """Paths of all fields that the schemas of a definition know."""
    for version in spec.get("versions") or ():
        schema = (version.get("schema") or {}).get("openAPIV3Schema") or {}
        yield from _properties(schema, str(version.get("name", "")))


def _properties(schema: object, path: str) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    for name, below in (schema.get("properties") or {}).items():
        yield f"{path}.{name}"
        yield from _properties(below, f"{path}.{name}")
    yield from _properties(schema.get("items"), f"{path}[]")


def _outer(paths: list[str]) -> Iterator[str]:
    """Those that are within none of the others."""
    last = ""
    for path in paths:
        if not last or not path.startswith((f"{last}.", f"{last}[")):
            last = path
            yield path
