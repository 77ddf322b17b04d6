"""Ceph itself: the objects by which Rook makes it on the named disks, and waiting until all of it serves.

No disk is wiped: Rook passes over one with anything on it and says so in the log of the pod that looks at the disks
(rook/rook@v1.20.6, pkg/daemon/ceph/osd/daemon.go, ``getAvailableDevices``), which is told here while it is waited for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.kube.session import Json, KubeError, KubeSession
from rbdtui.plan.step import Change, ChangeKind, Gate, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.push import arch_of
from rbdtui.plan.steps.rainbond.access import has_api, open_api
from rbdtui.plan.steps.rainbond.storage import holds, object_text, short_path
from rbdtui.rainbond.workloads import entries, name_of
from rbdtui.rook import objects
from rbdtui.rook.chart import NAMESPACE, makes_drivers
from rbdtui.rook.standing import DISKS_SELECTOR, CephStanding, not_ready, standing_of
from rbdtui.words import T

_MANAGED: Final = "app.kubernetes.io/managed-by"
_DEPLOYMENTS: Final = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments?labelSelector={DISKS_SELECTOR}"
_PREPARING: Final = f"/api/v1/namespaces/{NAMESPACE}/pods?labelSelector=app%3Drook-ceph-osd-prepare"
_UNMOVED_S: Final = 900.0
"""Without any news for so long it is given up: a first start of monitors and disks brings some every minute or two."""
_SKIPPED: Final = "skipping device"


@dataclass(frozen=True, slots=True)
class MakeCeph(Step):
    """Apply the objects of the cluster, its drivers, pools and classes."""

    name: ClassVar[str] = "ceph"

    async def pending(self, context: StepContext) -> Pending[Mapping[str, Json]]:
        """The objects that differ; raises `StepError` when cluster or class are somebody else's."""
        wanted = await asyncio.to_thread(_wanted, context)
        differing = wanted
        if has_api(context):
            async with open_api(context) as api:
                there = {path: await api.kube.find(path) for path in wanted}
            _refuse_foreign(there, wanted)
            differing = {path: body for path, body in wanted.items() if not holds(there[path], body)}
        changes = [
            Change(ChangeKind.COMMAND, T("plan.change.ceph_object", object=short_path(path)), object_text(body))
            for path, body in differing.items()
        ]
        return Pending(tuple(changes), "\n".join(differing), seen=differing)

    async def apply(self, context: StepContext, pending: Pending[Mapping[str, Json]]) -> None:
        """Apply what differs, in order; raises `StepError`."""
        async with open_api(context) as api:
            for path, body in pending.seen.items():
                await api.kube.apply(path, body)


def _wanted(context: StepContext) -> dict[str, Json]:
    """From the bundle and the spec; raises `StepError`."""
    arches = sorted({facts.arch for facts in context.facts.values() if facts.arch}) or [arch_of(context)]
    images = {context.bundle.ceph_image(arch) for arch in arches}
    if len(images) > 1:
        raise StepError("ceph_images_differ", images=", ".join(sorted(images)), arches=", ".join(arches))
    chart = context.bundle.rook_chart()
    return objects.objects(context.spec, images.pop(), with_drivers=not makes_drivers(chart.version))


def _refuse_foreign(there: Mapping[str, Json | None], wanted: Mapping[str, Json]) -> None:
    """A class cannot change hands, and another Ceph's disks are not ours to name."""
    for path, found in there.items():
        if found is None:
            continue
        if path.startswith(f"{objects.CLASSES}/") and found.get("provisioner") != wanted[path]["provisioner"]:
            raise StepError("storage_class_taken", name=name_of(found), provisioner=str(found.get("provisioner")))
        labels = (found.get("metadata") or {}).get("labels") or {}
        if path == objects.CLUSTER_PATH and labels.get(_MANAGED) != "rbdtui":
            raise StepError("ceph_foreign", name=name_of(found), namespace=NAMESPACE)


@dataclass(slots=True)
class _Moved:
    """When anything last became other than it was."""

    last: float = field(default_factory=time.monotonic)
    mark: object = None
    noted: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class CephReady(Gate):
    """Every disk serves, Ceph says that it is well, and pool and file system are there."""

    name: ClassVar[str] = "ceph-ready"
    time_limit_s: ClassVar[float] = 2 * 3600.0
    stall_s: ClassVar[float] = _UNMOVED_S
    unmoved_s: ClassVar[float] = _UNMOVED_S
    look_every_s: ClassVar[float] = 5.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that is not there yet, raw, with what Rook says of disks that it passed over."""
        async with open_api(context) as api:
            _, error = await _look(context, api.kube)
        return error

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait as long as anything moves; raises `StepError`."""
        moved = _Moved()
        while True:
            async with open_api(context) as api:
                standing, error = await _look(context, api.kube)
            if error is None:
                return
            if (mark := (standing, error.evidence)) != moved.mark:
                moved.mark, moved.last = mark, time.monotonic()
                _tell(context, standing, error, moved)
            if time.monotonic() - moved.last > self.unmoved_s:
                raise error
            async with context.waiting():
                await asyncio.sleep(self.look_every_s)


def _tell(context: StepContext, standing: CephStanding, error: StepError, moved: _Moved) -> None:
    disks = len(context.spec.ceph_disks)
    context.report.line(f"disks {standing.disks_ready}/{disks} {standing.phase} {standing.health}".rstrip())
    for line in error.evidence.splitlines():
        if _SKIPPED in line and line not in moved.noted:
            moved.noted.add(line)
            context.report.note(T("plan.note.ceph_disk_skipped", said=line))


async def _look(context: StepContext, kube: KubeSession) -> tuple[CephStanding, StepError | None]:
    """How it stands, and what is not there yet; raises `KubeError`."""
    disks = len(context.spec.ceph_disks)
    served = entries((await kube.get(_DEPLOYMENTS)).get("items"))
    standing = standing_of(await kube.find(objects.CLUSTER_PATH), served)
    wrong = standing.lacks(disks)
    parts = [(kind, await kube.find(path)) for kind, path in _PARTS]
    wrong += not_ready(parts)
    if not wrong:
        return standing, None
    if standing.disks_made < disks:
        wrong += await _passed_over(kube)
    error = StepError(
        "ceph_not_ready", evidence="\n".join(wrong), retryable=True, ready=standing.disks_ready, disks=disks,
        health=standing.health or "-",
    )  # fmt: skip
    return standing, error


_PARTS: Final = (("CephBlockPool", objects.POOL_PATH), ("CephFilesystem", objects.FILESYSTEM_PATH))


async def _passed_over(kube: KubeSession) -> list[str]:
    """What the pods that look at the disks say of those that they leave alone; nothing where nobody can tell."""
    found = []
    for pod in entries((await kube.get(_PREPARING)).get("items")):
        name, node = name_of(pod), str((pod.get("spec") or {}).get("nodeName") or "")
        try:
            said = await kube.log(NAMESPACE, name, "provision", tail_lines=300)
        except KubeError:
            continue
        lines = [line[line.index(_SKIPPED) :] for line in said.splitlines() if _SKIPPED in line]
        found += [f"{node}: {line}" for line in dict.fromkeys(lines) if "does not match" not in line]
    return found
