"""Rainbond's images in the external registry, from which every node pulls them: pushed from this machine."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from rbdtui.bundle.layers import ArchiveError
from rbdtui.checks.services import registry_findings
from rbdtui.checks.services.registry import CHECK
from rbdtui.checks.services.registry_answer import RegistryError, RegistryQuestion
from rbdtui.errors import reason_of
from rbdtui.plan.registry_push import Pusher, open_registry
from rbdtui.plan.step import BundleFile, Change, ChangeKind, Pending, Step, StepClass, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import rainbond_release
from rbdtui.rainbond.images import lacking, needed_images, short_name
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class _Missing:
    """An archive with images that the registry lacks, or has others of under the same name."""

    file: BundleFile
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class PushImages(Step):
    """Have every image of Rainbond in the external registry."""

    name: ClassVar[str] = "registry-images"
    step_class: ClassVar[StepClass] = StepClass.UPLOAD
    time_limit_s: ClassVar[float] = 6 * 3600.0
    stall_s: ClassVar[float] = 600.0

    async def pending(self, context: StepContext) -> Pending[tuple[_Missing, ...]]:
        """Images that are not there, told by the digests of their configurations; raises `StepError`."""
        arch = arch_of(context)
        files = await asyncio.to_thread(context.bundle.rainbond_images, context.spec, arch)
        wanted = {short_name(image.name): image.digest for file in files for image in file.images}
        needed = needed_images(context.spec, await rainbond_release(context))
        async with _registry(context) as pusher:
            there = await pusher.digests((*wanted, *needed), arch)
        found = []
        for file in files:
            names = frozenset(
                image.name
                for image in file.images
                if (digest := there.get(short_name(image.name))) is None or (image.digest and digest != image.digest)
            )
            if names:
                found.append(_Missing(file, names))
        lost = lacking(needed, {*there, *wanted})
        if lost:
            raise StepError("registry_lacks", registry=context.spec.registry.domain or "", images=", ".join(lost))
        evidence = "\n".join(sorted(name for each in found for name in each.names))
        return Pending(tuple(_change(context, each) for each in found), evidence, seen=tuple(found))

    async def apply(self, context: StepContext, pending: Pending[tuple[_Missing, ...]]) -> None:
        """Push what is missing, archive by archive; raises `StepError`."""
        async with _registry(context) as pusher:
            for each in pending.seen:
                await pusher.push(each.file, each.names, context.site_dir, context.report.line)


@asynccontextmanager
async def _registry(context: StepContext) -> AsyncIterator[Pusher]:
    """The registry for the time of the block, with its refusals, and those of the disk, as errors of the step."""
    question = CHECK.question(context.spec)
    if question is None:
        raise StepError("registry_unnamed")
    try:
        async with open_registry(question, context.secret) as pusher:
            yield pusher
    except RegistryError as error:
        raise _refused(question, error) from error
    except ArchiveError as error:
        raise StepError("push_archive", evidence=str(error)) from error
    except OSError as error:
        where, evidence = str(context.site_dir), reason_of(error)
        if error.errno == errno.ENOSPC:
            raise StepError("push_disk_full", path=where, evidence=evidence, retryable=True) from error
        raise StepError("push_broken", path=where, evidence=evidence, retryable=True) from error


def _refused(question: RegistryQuestion, error: RegistryError) -> StepError:
    seen = registry_findings.seen(question, error.trouble)
    params = {**seen.params, "hosts": T("service.this_machine")}
    why, remedy = (Text(f"finding.{seen.code}.{part}", params) for part in ("message", "remedy"))
    return StepError("push_refused", retryable=True, evidence=seen.evidence, why=why, remedy=remedy)


def arch_of(context: StepContext) -> str:
    """The architecture of all nodes; raises `StepError` when they have several: a name stands for one image."""
    arches = sorted({facts.arch for facts in context.facts.values() if facts.arch})
    if len(arches) > 1:
        raise StepError("push_several", arches=", ".join(arches))
    return arches[0] if arches else "amd64"


def _change(context: StepContext, missing: _Missing) -> Change:
    title = T(
        "plan.change.push_images",
        count=len(missing.names),
        archive=missing.file.path.name,
        registry=context.spec.registry.domain or "",
    )
    return Change(ChangeKind.UPLOAD, title, "\n".join(sorted(missing.names)))
