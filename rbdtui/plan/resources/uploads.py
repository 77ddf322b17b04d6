"""Files of the bundle that shall be on a host, told apart by their digests."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from rbdtui.plan.resources.base import STATE_DIR, Target
from rbdtui.plan.step import BundleFile, Change, ChangeKind, Pending, StepError
from rbdtui.together import together
from rbdtui.transport.base import SourceError
from rbdtui.transport.files import remove_file
from rbdtui.transport.jobs import job_is_open, run_job
from rbdtui.transport.scripts import script
from rbdtui.words import T

INSTALL_LIMIT_S = 900.0


async def upload(target: Target, file: BundleFile, path: str) -> None:
    """Bring one file of the bundle over; raises `TransportError`, and `StepError` when the whole bundle has gone."""
    try:
        await target.host.upload(
            file.path, path, sha256=file.sha256, within=file.within, on_progress=target.report.progress
        )
    except SourceError as error:
        # A disk that was unplugged is told as such, however far the file had come.
        if file.within is not None and not await asyncio.to_thread(file.within.is_dir):
            raise StepError("bundle_absent", path=str(file.within), evidence=str(error)) from error
        raise


@dataclass(frozen=True, slots=True)
class UploadedFiles:
    """Files of the bundle at their places on a host."""

    files: Mapping[str, BundleFile]
    """By the path on the host."""

    async def pending(self, target: Target) -> Pending[Mapping[str, BundleFile]]:
        """Those that are not there or are not the same."""
        present = await target.files.states(self.files)
        missing = {
            path: file
            for path, file in self.files.items()
            if (state := present[path]) is None or state.sha256 != file.sha256
        }
        changes = (
            Change(
                ChangeKind.UPLOAD,
                T("plan.change.upload", path=path, size_mib=round(file.size_bytes / 2**20, 1)),
                f"{file.path.name}\nsha256 {file.sha256}",
            )
            for path, file in missing.items()
        )
        return Pending(tuple(changes), seen=missing)

    async def settle(self, target: Target, pending: Pending[Mapping[str, BundleFile]]) -> None:
        """Bring them over one after the other; the host's own digest decides what has to be sent."""
        for path, file in pending.seen.items():
            await upload(target, file, path)

    async def remove(self, target: Target) -> None:
        """Delete them."""
        for path in self.files:
            await remove_file(target.host, path)


@dataclass(frozen=True, slots=True)
class _PackagesSeen:
    """What a host has of packages."""

    missing: list[str]
    is_under_way: bool
    """Whether this run began to install them and has not seen the end."""


@dataclass(frozen=True, slots=True)
class HostPackages:
    """Packages of the host's own system, from the bundle where the host lacks them; no repository is asked."""

    names: tuple[str, ...]
    files: tuple[BundleFile, ...]
    """The bundle's packages for this system, those that others depend on included."""
    system: str
    """The system as the bundle's directory names it, e.g. ``debian-12-amd64``."""
    held_units: tuple[str, ...] = ()
    """Units that the installation must not start by itself."""

    async def pending(self, target: Target) -> Pending[_PackagesSeen]:
        """The packages that are missing, or whose installation this run began and has not seen the end of."""
        seen = _PackagesSeen(*await together(self._missing(target), self._is_under_way(target)))
        if not seen.missing and not seen.is_under_way:
            return Pending(seen=seen)
        title = T("plan.change.packages", packages=", ".join(seen.missing or self.names))
        names = "\n".join(file.path.name for file in self.files)
        return Pending((Change(ChangeKind.PACKAGE, title, names),), seen=seen)

    async def settle(self, target: Target, pending: Pending[_PackagesSeen]) -> None:
        """Bring the files over, take those of earlier bundles away, install what is missing; raises `StepError`."""
        missing, is_under_way = pending.seen.missing, pending.seen.is_under_way
        if missing and not self.files:
            raise StepError("no_packages", node=target.host.name, packages=", ".join(missing), system=self.system)
        directory = f"{STATE_DIR}/bundle/packages"
        if not is_under_way:
            await self._tidy(target, directory)
        for file in self.files:
            await upload(target, file, f"{directory}/{file.path.name}")
        done = await run_job(
            target.host, self._job(target), script("packages-install"), directory, *self.held_units,
            timeout_s=INSTALL_LIMIT_S, on_line=target.report.line,
        )  # fmt: skip
        if not done.ok:
            raise StepError("packages_refused", node=target.host.name, evidence="\n".join(done.tail))

    async def _tidy(self, target: Target, directory: str) -> None:
        """Take away what earlier bundles left in our directory: all that lies there is installed."""
        names = {file.path.name for file in self.files}
        for old in (await target.host.must(script("files-list"), directory)).text.splitlines():
            if old.removesuffix(".part") not in names:
                await remove_file(target.host, f"{directory}/{old}")

    @staticmethod
    def _job(target: Target) -> str:
        return f"{target.run_id}-host-packages"

    async def _is_under_way(self, target: Target) -> bool:
        return await job_is_open(target.host, self._job(target))

    async def _missing(self, target: Target) -> list[str]:
        answer = await target.host.must(script("packages-state"), *self.names)
        return [name for name in self.names if name in answer.text.splitlines()]
