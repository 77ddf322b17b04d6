"""A platform's images in the containerd of a node: only what is missing by digest, and only where RKE2 runs already.

A node that starts imports them by itself, from the directory to which `ShipBundle` brings them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.bundle.archives import ArchivedImage
from rbdtui.plan.resources.images import IMAGES_DIR
from rbdtui.plan.step import BundleFile, Change, ChangeKind, Pending, Step, StepContext, StepError
from rbdtui.plan.steps.ship import kubesphere_archives, rainbond_archives, rook_archives
from rbdtui.rainbond.images import full_name
from rbdtui.transport.base import Host
from rbdtui.transport.jobs import JobResult, run_job
from rbdtui.transport.scripts import script
from rbdtui.words import T

_LIST_BYTES: Final = 4 << 20
_NO_CONTAINERD: Final = 3
_NO_UNPACKER: Final = 4
_FULL: Final = "no space left on device"
"""As Linux names ENOSPC, which Go's programs put into small letters."""
_IMPORT_LIMIT_S: Final = 1800.0


@dataclass(frozen=True, slots=True)
class MissingImages:
    """An archive with images that a node lacks."""

    file: BundleFile
    images: tuple[ArchivedImage, ...]

    @property
    def path(self) -> str:
        """Where the archive lies on the node."""
        return f"{IMAGES_DIR}/{self.file.path.name}"


async def images_on(host: Host) -> Mapping[str, str] | None:
    """Digest of each image that a node's containerd has, by name; None while it does not answer.

    Raises `TransportError`.
    """
    answer = await host.run(script("images-state"), timeout_s=45.0, output_limit_bytes=_LIST_BYTES)
    if answer.exit_status == _NO_CONTAINERD:
        return None
    if not answer.ok:
        await host.must(script("images-state"), timeout_s=45.0, output_limit_bytes=_LIST_BYTES)
    pairs = (line.split(" ", 1) for line in answer.text.splitlines() if " " in line)
    return {name: digest.strip() for name, digest in pairs}


def missing_on(files: Sequence[BundleFile], there: Mapping[str, str]) -> list[MissingImages]:
    """Archives of which an image is not there, or is another one under the same name."""
    found = []
    for file in files:
        lacking = tuple(
            image
            for image in file.images
            if (digest := there.get(full_name(image.name))) is None or (image.digest and digest != image.digest)
        )
        if lacking:
            found.append(MissingImages(file, lacking))
    return found


@dataclass(frozen=True, slots=True)
class ImportImages(Step):
    """Have every image of Rainbond in a node's containerd."""

    name: ClassVar[str] = "rainbond-images"
    time_limit_s: ClassVar[float] = 2 * 3600.0
    stall_s: ClassVar[float] = 300.0

    def archives(self, context: StepContext) -> list[BundleFile]:
        """The archives that bring the images to the node; raises `StepError`."""
        return rainbond_archives(context, self.node)

    async def pending(self, context: StepContext) -> Pending[list[MissingImages]]:
        """The archives with images that are not there; all of them before RKE2 has started."""
        # The bundle may have to read gigabytes before it can name its images.
        files = await asyncio.to_thread(self.archives, context)
        missing = missing_on(files, await images_on(context.hosts[self.node]) or {})
        evidence = "\n".join(image.name for each in missing for image in each.images)
        return Pending(tuple(_change(each) for each in missing), evidence, seen=missing)

    async def apply(self, context: StepContext, pending: Pending[list[MissingImages]]) -> None:
        """Import one archive after the other; raises `StepError`."""
        host = context.hosts[self.node]
        for each in pending.seen:
            names = [full_name(image.name) for image in each.file.images]
            done = await run_job(
                host, f"{context.run_id}-images-{each.file.sha256[:12]}", script("images-import"), each.path, *names,
                timeout_s=_IMPORT_LIMIT_S, on_line=context.report.line,
            )  # fmt: skip
            if not done.ok:
                raise _refused(self.node, each, done)


@dataclass(frozen=True, slots=True)
class ImportKubesphereImages(ImportImages):
    """Have every image of KubeSphere in a node's containerd."""

    name: ClassVar[str] = "kubesphere-images"

    def archives(self, context: StepContext) -> list[BundleFile]:
        """Those of KubeSphere."""
        return kubesphere_archives(context, self.node)


@dataclass(frozen=True, slots=True)
class ImportRookImages(ImportImages):
    """Have every image of Rook and of Ceph in a node's containerd."""

    name: ClassVar[str] = "rook-images"

    def archives(self, context: StepContext) -> list[BundleFile]:
        """Those of Rook."""
        return rook_archives(context, self.node)


def _change(missing: MissingImages) -> Change:
    name = missing.file.path.name
    title = T("plan.change.import_images", archive=name, count=len(missing.images))
    names = "\n".join(image.name for image in missing.images)
    return Change(ChangeKind.COMMAND, title, f"ctr -n k8s.io images import {missing.path}\n{names}")


def _refused(node: str, missing: MissingImages, done: JobResult) -> StepError:
    evidence = "\n".join(done.tail)
    if done.exit_status == _NO_CONTAINERD:
        return StepError("images_no_containerd", node=node, evidence=evidence, retryable=True)
    if done.exit_status == _NO_UNPACKER:
        return StepError("images_packed", node=node, archive=missing.file.path.name)
    if _FULL in evidence.lower():
        return StepError("images_disk_full", node=node, path="/var/lib/rancher", evidence=evidence, retryable=True)
    return StepError("images_refused", node=node, archive=missing.file.path.name, evidence=evidence, retryable=True)
