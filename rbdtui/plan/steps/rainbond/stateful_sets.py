"""StatefulSets that the new operator cannot renew, because it claims more for them: taken away, so that it makes them.

Up to 6.9.5 it tries to change their claim templates, which the API server forbids, and the component stays as it was,
with `ErrCreateResources` (goodrain/rainbond-operator@v6.7.2-release, component-mgr/component.go; 6.9.6 keeps the old
templates). Pods and volumes are left where they are: who makes the StatefulSet again finds both by their names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from rbdtui.kube.session import KubeAbsentError, KubeSession
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import has_api, open_api, rainbond_release
from rbdtui.plan.steps.rainbond.upgrade import find_upgrade
from rbdtui.plan.waiting import wait_for
from rbdtui.probes.namespace import look
from rbdtui.rainbond.releases import Release
from rbdtui.rainbond.shown import outdated, wanted
from rbdtui.rainbond.upgrades import RENEWED, outgrown
from rbdtui.rainbond.values import effective
from rbdtui.rainbond.workloads import LISTS, NAMESPACE, OPERATOR, Seen, entries, is_ready, name_of
from rbdtui.words import T

_KIND: Final = "StatefulSet"
_MOST_TIMES: Final = 2


@dataclass(frozen=True, slots=True)
class RemakeStatefulSets(Step):
    """Have the operator make them again with the claim templates of its release."""

    name: ClassVar[str] = "rainbond-stateful-sets"
    time_limit_s: ClassVar[float] = 900.0
    stall_s: ClassVar[float] = 300.0
    wait_s: ClassVar[float] = 420.0
    """A new operator has to be started first, and may have to wait for the lease of the old one."""
    look_every_s: ClassVar[float] = 2.0

    async def pending(self, context: StepContext) -> Pending[Mapping[str, str]]:
        """Those that the planned operator could not renew, each with how it differs."""
        if not has_api(context):
            return Pending(seen={})
        release = await rainbond_release(context)
        async with open_api(context) as api:
            if await find_upgrade(context, api.kube) is None:
                return Pending(seen={})
            found = await _outgrown(context, api.kube, release)
        changes = [
            Change(
                ChangeKind.COMMAND,
                T("plan.change.stateful_set_remade", name=name, release=release.tag),
                f"kubectl -n {NAMESPACE} delete statefulset/{name} --cascade=orphan\n{line}",
            )
            for name, line in found.items()
        ]
        return Pending(tuple(changes), "\n".join(found.values()), seen=found)

    async def apply(self, context: StepContext, pending: Pending[Mapping[str, str]]) -> None:
        """Wait for the new operator, take them away, and wait until it has made them; raises `StepError`."""
        release = await rainbond_release(context)
        async with open_api(context) as api:
            async with context.waiting():
                await wait_for(
                    lambda: _old_operator(context, api.kube, release), limit_s=self.wait_s, every_s=self.look_every_s
                )

            deleted: Counter[str] = Counter()

            async def unmade() -> StepError | None:
                found = await _outgrown(context, api.kube, release)
                # An operator that was about to end may have made it once more as it knows it.
                for name in [name for name in found if deleted[name] < _MOST_TIMES]:
                    deleted[name] += 1
                    with suppress(KubeAbsentError):
                        await api.kube.delete(f"{LISTS[_KIND]}/{name}?propagationPolicy=Orphan")
                there = {name_of(item) for item in (await look(api.kube, _KIND)).of(_KIND)}
                late = [found.get(name, f"statefulset/{name}: absent") for name in pending.seen if name not in there]
                late += [line for name, line in found.items() if name in there]
                return StepError("stateful_sets_not_made", evidence="\n".join(late), retryable=True) if late else None

            await wait_for(unmade, limit_s=self.wait_s, every_s=self.look_every_s)


async def _outgrown(context: StepContext, kube: KubeSession, release: Release) -> dict[str, str]:
    env = dict(_operator_env(context, release))
    seen = await look(kube, _KIND)
    lines = {name_of(item): list(outgrown(item, release, env)) for item in seen.of(_KIND)}
    return {name: lines[name][0] for name in RENEWED if lines.get(name)}


def _operator_env(context: StepContext, release: Release) -> Iterator[tuple[str, str]]:
    """What the plan tells the operator."""
    for variable in entries(effective(context.spec, release, "operator", "env")):
        yield str(variable.get("name", "")), str(variable.get("value", ""))


async def _old_operator(context: StepContext, kube: KubeSession, release: Release) -> StepError | None:
    """Why the planned release's operator is not the only one yet."""
    seen = await look(kube, "Deployment", "Pod")
    plan = wanted(context.spec, release, context.secret)
    there = [item for item in seen.of("Deployment") if name_of(item) == OPERATOR]
    lines = list(outdated(plan, Seen({"Deployment": there})))
    pods = seen.pods_of("Deployment", OPERATOR)
    lines += [f"pod/{name_of(pod)}: {_image(pod)}, ready {is_ready(pod)}" for pod in pods if not is_ready(pod)]
    if len(pods) != 1:
        lines.append(f"deployment/{OPERATOR}: {len(pods)} pods")
    return (
        StepError("operator_not_new", release=release.tag, evidence="\n".join(lines), retryable=True) if lines else None
    )


def _image(pod: Mapping[str, Any]) -> str:
    containers = entries((pod.get("spec") or {}).get("containers"))
    return str(containers[0].get("image", "")).rpartition("/")[2] if containers else "-"
