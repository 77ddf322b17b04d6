"""Both classes of Ceph proven by using them: a volume of several nodes written and read, and one of a single pod."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from rbdtui.checks.services import claim_trial
from rbdtui.plan.resources.units import digest_of
from rbdtui.plan.step import StepContext
from rbdtui.plan.steps.rainbond.storage_proof import StorageProof
from rbdtui.rook.objects import BLOCK_CLASS, FILES_CLASS
from rbdtui.words import T, Text


@dataclass(frozen=True, slots=True)
class CephFilesProof(StorageProof):
    """Have a claim of the class for several nodes bound, written on one and read on the others."""

    name: ClassVar[str] = "ceph-files-proof"
    unbound_code: ClassVar[str] = "ceph_unbound"
    unused_code: ClassVar[str] = "ceph_unused"

    def storage_class(self, context: StepContext) -> str:
        """That of the file system."""
        return FILES_CLASS

    def trying(self, context: StepContext) -> Text:
        """What is tried."""
        return T("plan.change.ceph_files_proof", name=self.storage_class(context))

    async def mark(self, context: StepContext) -> str:
        """Disks and nodes."""
        spec = context.spec
        disks = [f"{disk.node} {disk.device} {disk.serial}" for disk in spec.ceph_disks]
        nodes = [f"{node.name} {node.address}" for node in spec.nodes]
        return digest_of([self.storage_class(context), *disks, *nodes])[:16]


@dataclass(frozen=True, slots=True)
class CephBlockProof(CephFilesProof):
    """Have a claim of the class for single pods bound and written."""

    name: ClassVar[str] = "ceph-block-proof"
    mode: ClassVar[str] = claim_trial.ONE

    def storage_class(self, context: StepContext) -> str:
        """That of the pool."""
        return BLOCK_CLASS

    def trying(self, context: StepContext) -> Text:
        """What is tried."""
        return T("plan.change.ceph_block_proof", name=self.storage_class(context))
