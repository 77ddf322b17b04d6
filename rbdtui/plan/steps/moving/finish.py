"""What follows the exchange: the operator knows the class, all run again, are proven, and cluster.yaml says it."""

from __future__ import annotations

import copy
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final

from rbdtui.kube.releases import newest_release
from rbdtui.kube.session import KubeAbsentError, KubeSession
from rbdtui.plan.plan_file import Edited, pending_edit, read_plan, write_plan
from rbdtui.plan.step import Change, ChangeKind, Pending, StepContext, StepError
from rbdtui.plan.steps.moving.looking import Looked, MoveStep, look_at
from rbdtui.plan.steps.rainbond.access import RELEASE, has_api, open_api
from rbdtui.plan.steps.rainbond.proof import RainbondProof
from rbdtui.plan.steps.scaling import LOOK_EVERY_S, Workload, start, workloads
from rbdtui.plan.waiting import wait_for
from rbdtui.rainbond.releases import Release, release_of
from rbdtui.rainbond.upgrades import installed_tag
from rbdtui.rainbond.workloads import CONTROLLERS, LISTS, NAMESPACE, OPERATOR, Json, entries, name_of
from rbdtui.site import SPEC_NAME
from rbdtui.spec.edit import Edit, SetField, UnsetField
from rbdtui.spec.sections.storage import StorageMode
from rbdtui.words import T, Text

VARIABLE: Final = "STORAGE_CLASS_NAME"
"""goodrain/rainbond-operator@v6.4.0-release, controllers/handler/common.go storageClassNameFromLocalPath."""
MODE: Final = StorageMode.STORAGE_CLASS.value
_KIND: Final = "StatefulSet"
_START_S: Final = 900.0


async def installed(kube: KubeSession) -> Release | None:
    """The Rainbond that helm has installed; None without one that is known. Raises `KubeError`."""
    release = await newest_release(kube, NAMESPACE, RELEASE)
    return None if release is None else release_of(installed_tag(release.values, release.chart_version))


@dataclass(frozen=True, slots=True)
class TellOperator(MoveStep):
    """The operator knows the class, and makes StatefulSets anew whose claim templates have another one.

    It would try to change those, which the API server forbids, and leave the component as it is with
    `ErrCreateResources` (goodrain/rainbond-operator up to v6.9.5, component-mgr/component.go; later ones keep the old
    templates for ever). Their pods stand still, and their claims are found by their names.
    """

    name: ClassVar[str] = "move-operator"

    async def pending(self, context: StepContext) -> Pending[Looked | None]:
        """The variable, and the StatefulSets."""
        if not has_api(context):
            return Pending()
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
        changes = []
        if self._untold(looked) is not None:
            title = T("plan.change.move_operator", storage_class=self.storage_class)
            changes.append(Change(ChangeKind.COMMAND, title, f"{VARIABLE}={self.storage_class}"))
        for name in self._outdated(looked):
            title = T("plan.change.move_stateful_set", name=name, storage_class=self.storage_class)
            changes.append(Change(ChangeKind.COMMAND, title, f"kubectl -n {NAMESPACE} delete statefulset/{name}"))
        return Pending(tuple(changes), seen=looked)

    async def apply(self, context: StepContext, pending: Pending[Looked | None]) -> None:
        """Change its variable, and take the StatefulSets away while it stands still; raises `StepError`."""
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
            if looked.found.moving:
                raise StepError("move_not_compared", claims=", ".join(each.name for each in looked.found.moving))
            for name in self._outdated(looked):
                with suppress(KubeAbsentError):
                    await api.kube.delete(f"{LISTS[_KIND]}/{name}")
            if (body := self._untold(looked)) is not None:
                await api.kube.patch(f"{LISTS['Deployment']}/{OPERATOR}", body)

    def _outdated(self, looked: Looked) -> list[str]:
        """StatefulSets that claim another class, and of which nobody runs or is to run before they are made anew."""
        return [name_of(item) for item in looked.seen.of(_KIND) if _claims_other(item, self.storage_class)]

    def _untold(self, looked: Looked) -> dict[str, Any] | None:
        """The patch that tells the operator; None when it is told."""
        operator = looked.seen.find("Deployment", OPERATOR)
        if operator is None:
            return None
        containers = copy.deepcopy(list(entries(operator["spec"]["template"]["spec"].get("containers"))))
        first = dict(containers[0])
        variables = [dict(each) for each in entries(first.get("env"))]
        if {"name": VARIABLE, "value": self.storage_class} in variables:
            return None
        others = [each for each in variables if each.get("name") != VARIABLE]
        first["env"] = [*others, {"name": VARIABLE, "value": self.storage_class}]
        return {"spec": {"template": {"spec": {"containers": [first, *containers[1:]]}}}}


def _claims_other(item: Json, storage_class: str) -> bool:
    templates = entries((item.get("spec") or {}).get("volumeClaimTemplates"))
    own = ((item.get("metadata") or {}).get("labels") or {}).get("creator") == "Rainbond"
    return own and any((each.get("spec") or {}).get("storageClassName") != storage_class for each in templates)


@dataclass(frozen=True, slots=True)
class StartAgain(MoveStep):
    """The operator runs again, makes what was taken away, and all have as many pods as before."""

    name: ClassVar[str] = "move-start"
    time_limit_s: ClassVar[float] = 2 * _START_S + 60.0
    stall_s: ClassVar[float] = _START_S

    async def pending(self, context: StepContext) -> Pending[list[Workload]]:
        """Those that were stopped; while nobody is, those that will be."""
        if not has_api(context):
            return Pending(seen=[])
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
        planned = {each.path: each for each in (*looked.held, *looked.running)}
        changes = tuple(each.change(each.kept or each.replicas) for each in planned.values())
        return Pending(changes, waits=None if planned else _late(looked), seen=list(planned.values()))

    async def apply(self, context: StepContext, pending: Pending[list[Workload]]) -> None:
        """The operator first; raises `StepError` with those that are not ready in time."""
        async with open_api(context) as api:

            async def late() -> StepError | None:
                return _late(await look_at(api.kube, self.storage_class))

            await start(api.kube, (await look_at(api.kube, self.storage_class)).held)
            await wait_for(late, limit_s=_START_S, every_s=LOOK_EVERY_S)


def _late(looked: Looked) -> StepError | None:
    """Who is not ready; of StatefulSets that were taken away, those that every Rainbond has must be there again."""
    late = [
        each.name
        for each in workloads(looked.seen)
        if each.kept is not None or int((each.item.get("status") or {}).get("readyReplicas") or 0) < each.replicas
    ]
    there = {name_of(item) for kind in CONTROLLERS for item in looked.seen.of(kind)}
    late += [name for name in ("minio", "rbd-monitor") if name not in there]
    return StepError("move_not_up", names=", ".join(late), retryable=True) if late else None


@dataclass(frozen=True, slots=True)
class MoveProof(RainbondProof):
    """Rainbond proven as after an installation; which release it is, helm says: nothing of it needs the packages."""

    name: ClassVar[str] = "move-proof"

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that does not hold."""
        if not has_api(context):
            return None
        async with open_api(context) as api:
            release = await installed(api.kube)
        if release is None:
            raise StepError("move_unknown_release")
        section = context.spec.rainbond.model_copy(update={"version": release.tag})
        named = replace(context, spec=context.spec.model_copy(update={"rainbond": section}))
        return await RainbondProof.waiting_for(self, named)


@dataclass(frozen=True, slots=True)
class WellBefore(MoveProof):
    """Nothing is begun on a Rainbond that is not well: at the end nobody could tell what the move has broken."""

    name: ClassVar[str] = "move-before"
    wait_s: ClassVar[float] = 60.0

    storage_class: str = field(kw_only=True)
    """Where all is to be."""

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that does not hold; of a move that was cut off nothing is asked, as it has stopped what it had to."""
        if not has_api(context):
            return None
        async with open_api(context) as api:
            looked = await look_at(api.kube, self.storage_class)
        if looked.held or not looked.found.moving or any(each.is_compared for each in looked.found.moving):
            return None
        return await MoveProof.waiting_for(self, context)


@dataclass(frozen=True, slots=True)
class PlanTold(MoveStep):
    """cluster.yaml names the class; last of all, so that a move that was cut off is gone on with."""

    name: ClassVar[str] = "move-plan"

    async def pending(self, context: StepContext) -> Pending[Edited]:
        """The difference of the file as it is now; raises `StepError` when it cannot be changed safely."""
        loaded = await read_plan(context)
        section = loaded.data.get("storage") if loaded.data is not None else None
        there = section if isinstance(section, dict) else {}
        if there.get("mode") == MODE and there.get("storage_class") == self.storage_class:
            return Pending(evidence=f"{SPEC_NAME}: {self.storage_class}")
        others = [str(key) for key in there if key not in ("mode", "storage_class")]
        edits: list[Edit] = [*(UnsetField(f"storage.{key}") for key in others), SetField("storage.mode", MODE)]
        edits.append(SetField("storage.storage_class", self.storage_class))
        title = T("plan.change.move_plan", storage_class=self.storage_class, file=SPEC_NAME)
        return pending_edit(loaded, edits, title, _not_edited)

    async def apply(self, context: StepContext, pending: Pending[Edited]) -> None:
        """Write it, with what was there as .bak beside it; raises `StepError`."""
        await write_plan(context, pending.seen, _not_edited)


def _not_edited(reason: Text) -> StepError:
    return StepError("move_not_edited", reason=reason, retryable=True)
