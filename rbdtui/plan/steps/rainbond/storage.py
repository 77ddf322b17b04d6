"""The provisioner of an NFS server, and the class from which Rainbond and its applications get their volumes.

It is there before Rainbond's chart, whose volumes would wait for ever for a class that nobody serves. It is made of
objects of our own, not of its maker's chart: both generations of Rainbond and clusters that were there already get the
same, the image keeps whatever name it has in the bundle, and mount options reach the provisioner's own mount.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.kube.session import Json, KubeAbsentError, KubeSession
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.push import arch_of
from rbdtui.plan.steps.rainbond.access import has_api, open_api, rainbond_release
from rbdtui.plan.steps.rainbond.ready import ComponentsReady
from rbdtui.rainbond import provisioner
from rbdtui.rainbond.components import Component, used_components
from rbdtui.rainbond.images import provisioner_image
from rbdtui.rainbond.provisioner import CLAIMS, CLASSES, VOLUMES
from rbdtui.rainbond.workloads import entries, is_leaving, name_of
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.words import T
from rbdtui.yaml_form import Scalar, yaml_block

Objects = Mapping[str, Json]
"""By path."""


@dataclass(frozen=True, slots=True)
class _Seen:
    differing: Objects
    """What is to be applied."""
    outdated: tuple[str, ...] = ()
    """Paths of what an earlier form of the plan had."""


@dataclass(frozen=True, slots=True)
class MakeProvisioner(Step):
    """Apply the provisioner's objects and its class."""

    name: ClassVar[str] = "storage-provisioner"

    async def pending(self, context: StepContext) -> Pending[_Seen]:
        """The objects that differ; raises `StepError` when the class is somebody else's."""
        wanted = provisioner.objects(context.spec, await wanted_image(context))
        if not has_api(context):
            return _pending(_Seen(wanted))
        async with open_api(context) as api:
            there = {path: await api.kube.find(path) for path in wanted}
            outdated = await _outdated(api.kube, wanted)
        _refuse_foreign_class(there)
        differing = {path: body for path, body in wanted.items() if not holds(there[path], body)}
        return _pending(_Seen(differing, outdated))

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> None:
        """Apply what differs, then take away what is outdated; raises `StepError`."""
        async with open_api(context) as api:
            for path, body in pending.seen.differing.items():
                await api.kube.apply(path, body)
            for path in pending.seen.outdated:
                with suppress(KubeAbsentError):
                    await api.kube.delete(path)


@dataclass(frozen=True, slots=True)
class ProvisionerReady(ComponentsReady):
    """The provisioner's pod runs with the exported directory mounted."""

    name: ClassVar[str] = "storage-ready"
    wait_s: ClassVar[float] = 300.0
    """A mount of a server that does not answer gives up after two minutes and is tried again."""
    error_code: ClassVar[str] = "provisioner_not_ready"

    async def parts(self, context: StepContext, kube: KubeSession) -> Sequence[Component]:
        """It alone."""
        used = used_components(context.spec, await rainbond_release(context))
        return [part for part in used if part.name == provisioner.NAME]


async def wanted_image(context: StepContext) -> str:
    """The whole name of the provisioner's image; raises `StepError`. The bundle's disk may be slow."""
    release = await rainbond_release(context)
    archived = await asyncio.to_thread(_archived, context)
    return provisioner_image(context.spec, release, archived)


def _archived(context: StepContext) -> list[str]:
    """Names of images in the bundle, as every node has them; none where nobody brings them to the nodes."""
    spec = context.spec
    if spec.is_existing and spec.registry.mode is not RegistryMode.EXTERNAL:
        return []
    arches = sorted({facts.arch for facts in context.facts.values() if facts.arch}) or [arch_of(context)]
    names = [
        {image.name for file in context.bundle.rainbond_images(spec, arch) for image in file.images} for arch in arches
    ]
    return sorted(set.intersection(*names))


def _pending(seen: _Seen) -> Pending[_Seen]:
    changes = [
        Change(ChangeKind.COMMAND, T("plan.change.storage_object", object=short_path(path)), object_text(body))
        for path, body in seen.differing.items()
    ]
    changes += [
        Change(
            ChangeKind.COMMAND,
            T("plan.change.storage_outdated", object=short_path(path)),
            f"kubectl delete --raw {path}",
        )
        for path in seen.outdated
    ]
    return Pending(tuple(changes), "\n".join([*seen.differing, *seen.outdated]), seen=seen)


async def _outdated(kube: KubeSession, wanted: Objects) -> tuple[str, ...]:
    """The exported directory as an earlier plan had it; a class of another name stays, for claims may name it."""
    found = []
    for collection in (CLAIMS, VOLUMES):
        listed = entries((await kube.get(f"{collection}?labelSelector={provisioner.SELECTOR}")).get("items"))
        found += [f"{collection}/{name_of(item)}" for item in listed if not is_leaving(item)]
    return tuple(path for path in found if path not in wanted)


def _refuse_foreign_class(there: Mapping[str, Json | None]) -> None:
    for path, found in there.items():
        if path.startswith(f"{CLASSES}/") and found is not None and found.get("provisioner") != provisioner.PROVISIONER:
            raise StepError("storage_class_taken", name=name_of(found), provisioner=str(found.get("provisioner")))


def holds(there: object, wanted: object) -> bool:
    """Whether all that is wanted is there; the API adds what was left out."""
    if isinstance(wanted, Mapping):
        return isinstance(there, Mapping) and all(holds(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(holds(*pair) for pair in zip(there, wanted, strict=True))
        )
    return there == wanted


def _plain(value: object) -> Scalar:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def object_text(body: Json) -> str:
    """An object as it is shown."""
    return yaml_block(body, _plain)


def short_path(path: str) -> str:
    """Kind and name of the object at a path."""
    return "/".join(path.rsplit("/", 2)[-2:])
