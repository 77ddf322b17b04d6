"""The directory of image archives that RKE2 imports: this plan's archives, whole, and none of ours from before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from rbdtui.plan.resources.base import STATE_DIR, Target
from rbdtui.plan.resources.uploads import UploadedFiles
from rbdtui.plan.step import BundleFile, Change, ChangeKind, Pending
from rbdtui.rke2_version import Rke2Version
from rbdtui.together import together
from rbdtui.transport.files import read_file, remove_file, write_file
from rbdtui.transport.scripts import script
from rbdtui.words import T

IMAGES_DIR: Final = "/var/lib/rancher/rke2/agent/images"
"""RKE2 imports every image archive that lies here when it starts (docs.rke2.io, airgap)."""
NOTE_FILE: Final = f"{STATE_DIR}/images"
"""Names of the archives that rbdtui put there, one a line."""
IMPORT_MEMORY: Final = ".cache.json"
"""Where RKE2 notes size and time of what it has imported, if the file is there, to spare itself further imports.

Some versions take a new archive of the size of the old one for the old one, so the notes go before an archive changes.
Source: k3s-io/k3s pkg/agent/containerd/watcher.go; pull request 12237, issue 14284.
"""
_IMPORT_MEMORY_SINCE: Final = {30: 13, 31: 9, 32: 5, 33: 1}
"""Patch release by minor release; source: docs.rke2.io, airgap, conditional image imports."""
_IMPORTED_ENDINGS: Final = (".tar", ".tar.lz4", ".tar.bz2", ".tbz", ".tar.gz", ".tgz", ".tar.zst", ".tzst")
PULL_LISTS: Final = frozenset(
    f"{name}-image.txt"
    for name in (
        "cloud-controller-manager", "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
        "runtime",
    )
)  # fmt: skip
"""What RKE2 writes when it starts without archives: images that it pulls at each start from then on, in vain offline.

Source: rancher/rke2 pkg/images/images.go, Pull.
"""


def remembers_imports(version: Rke2Version | None) -> bool:
    """Whether RKE2 can spare itself the import of archives that it has imported already."""
    if version is None or (version.major, version.minor) < (1, 30):
        return False
    return version.patch >= _IMPORT_MEMORY_SINCE.get(version.minor, 0)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What lies in the directory."""

    outdated: tuple[str, ...]
    """Ours that this plan does not want, and RKE2's lists of images to pull."""
    foreign: tuple[str, ...]
    """Archives that RKE2 imports and that somebody else put there."""
    noted: frozenset[str]
    has_memory: bool
    uploads: Pending[Mapping[str, BundleFile]]


@dataclass(frozen=True, slots=True)
class ImageArchives:
    """This plan's archives in RKE2's directory of images, each there as a whole or not at all."""

    files: Mapping[str, BundleFile]
    """By name."""
    remembers_imports: bool
    """Whether RKE2 is to note what it has imported."""

    async def pending(self, target: Target) -> Pending[_Seen]:
        """Archives to bring, files to take away, the notes of imports to begin."""
        seen = await self._look(target)
        changes = list(seen.uploads.changes)
        if seen.outdated:
            title = T("plan.change.images_outdated", files=", ".join(seen.outdated), directory=IMAGES_DIR)
            changes.append(Change(ChangeKind.FILE, title, "\n".join(f"rm {name}" for name in seen.outdated)))
        if self.remembers_imports and not seen.has_memory:
            changes.append(Change(ChangeKind.FILE, T("plan.change.images_memory", path=_place(IMPORT_MEMORY))))
        return Pending(tuple(changes), seen=seen)

    async def settle(self, target: Target, pending: Pending[_Seen]) -> None:
        """Take away what is outdated, bring what is missing, and name what somebody else put there."""
        seen, host, wanted = pending.seen, target.host, frozenset(self.files)
        has_memory = seen.has_memory
        if has_memory and not seen.uploads.is_done:
            await remove_file(host, _place(IMPORT_MEMORY))
            has_memory = False
        noted = await self._note(target, seen.noted, seen.noted | wanted)
        for name in seen.outdated:
            await remove_file(host, _place(name))
        if not seen.uploads.is_done:
            await self._uploads.settle(target, seen.uploads)
        await self._note(target, noted, wanted)
        if self.remembers_imports and not has_memory:
            await write_file(host, _place(IMPORT_MEMORY), b"")
        if seen.foreign:
            names = ", ".join(seen.foreign)
            target.report.note(T("plan.note.images_foreign", node=host.name, files=names, directory=IMAGES_DIR))

    async def remove(self, target: Target) -> None:
        """Delete the archives and what goes with them."""
        await self._uploads.remove(target)
        for path in (_place(IMPORT_MEMORY), NOTE_FILE):
            await remove_file(target.host, path)

    @property
    def _uploads(self) -> UploadedFiles:
        return UploadedFiles({_place(name): file for name, file in self.files.items()})

    async def _look(self, target: Target) -> _Seen:
        there, note, uploads = await together(
            _names(target), read_file(target.host, NOTE_FILE), self._uploads.pending(target)
        )
        noted = frozenset(name for name in (note or b"").decode(errors="replace").split("\n") if name)
        ours = {name for name in noted if name not in self.files}
        ours |= {f"{name}.part" for name in ours}
        outdated = tuple(name for name in there if name in ours or name in PULL_LISTS)
        known = noted | frozenset(self.files)
        foreign = tuple(name for name in there if name.endswith(_IMPORTED_ENDINGS) and name not in known)
        return _Seen(outdated, foreign, noted, IMPORT_MEMORY in there, uploads)

    @staticmethod
    async def _note(target: Target, noted: frozenset[str], names: frozenset[str]) -> frozenset[str]:
        """Have the host note these names; gives them."""
        if names != noted:
            text = "".join(f"{name}\n" for name in sorted(names))
            await write_file(target.host, NOTE_FILE, text.encode(), mode=0o600)
        return names


async def _names(target: Target) -> list[str]:
    return (await target.host.must(script("files-list"), IMAGES_DIR)).text.splitlines()


def _place(name: str) -> str:
    return f"{IMAGES_DIR}/{name}"
