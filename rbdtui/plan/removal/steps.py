"""The steps of a reset: each looks what is left and removes its part, going on past failures; the last proves.

What could not be removed stands in the last step's error with the commands that remove it; rbdtui's own directory, with
the mark of the site, stays until all else is gone, so that a reset can be begun again wherever it was cut off.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.cluster import TOKEN_SECRET
from rbdtui.plan.removal.residue import (
    HOSTS_FILE,
    HostResidue,
    Residue,
    ResidueKind,
    fixed_vip,
    look,
)
from rbdtui.plan.resources.base import STATE_DIR
from rbdtui.plan.resources.units import unit_action, unit_states
from rbdtui.plan.site_kubeconfig import kubeconfig_file
from rbdtui.plan.step import Change, ChangeKind, Pending, RetryPolicy, Step, StepContext, StepError
from rbdtui.plan.steps.claim import cluster_id
from rbdtui.transport.base import CommandResult, Host
from rbdtui.transport.files import file_states, write_file
from rbdtui.transport.scripts import Script, script
from rbdtui.words import T

STOP_LIMIT_S: Final = 600.0
DELETE_LIMIT_S: Final = 1800.0
"""A registry's volume holds hundreds of thousands of files."""
_OUTPUT_BYTES: Final = 8 * 1024 * 1024
_NETWORK_MANAGER: Final = "NetworkManager.service"


@dataclass(frozen=True, slots=True)
class Removal(Step):
    """Removes some kinds of what is left on a node; what fails is noted, and tried again by the next reset."""

    kinds: ClassVar[frozenset[ResidueKind]]
    retry: ClassVar[RetryPolicy] = RetryPolicy(attempts=2)
    time_limit_s: ClassVar[float] = DELETE_LIMIT_S + 120.0
    stall_s: ClassVar[float] = 300.0
    skippable: ClassVar[bool] = True

    async def pending(self, context: StepContext) -> Pending[HostResidue]:
        """What is left of its kinds; raises `StepError` on a host that is marked as another site's."""
        left = await self._look(context)
        refuse_others(context, self.node, left)
        items = left.of(*self.kinds)
        changes = tuple(Change(ChangeKind.COMMAND, item.title, item.command) for item in items)
        return Pending(changes, "\n".join(item.command for item in items), seen=left)

    async def _look(self, context: StepContext) -> HostResidue:
        """What is left, of which its kinds are picked."""
        return await look(context.hosts[self.node], context.spec)

    @abstractmethod
    async def apply(self, context: StepContext, pending: Pending[HostResidue]) -> None:
        """Remove it as far as that can be done."""

    async def verify(self, context: StepContext) -> None:
        """The last step of the lane looks at everything."""

    async def _do(self, context: StepContext, work: Script, *args: str, limit_s: float = STOP_LIMIT_S) -> CommandResult:
        """Run a script whose failure holds nothing up."""
        done = await context.hosts[self.node].run(
            work, *args, timeout_s=limit_s, output_limit_bytes=_OUTPUT_BYTES, on_line=context.report.line
        )
        for line in done.error_text.splitlines():
            context.report.line(line)
        if not done.ok:
            context.report.note(T("reset.note.went_on", node=self.node, step=self.title))
        return done


def refuse_others(context: StepContext, node: str, left: HostResidue) -> None:
    """Raise `StepError` when a host is marked as another site's, or as another cluster's."""
    claim = left.claim
    if claim is None:
        return
    try:
        expected = cluster_id(context.secret(TOKEN_SECRET))
    except StepError:
        expected = claim.cluster_id
    if claim.site != context.spec.name or claim.cluster_id != expected:
        raise StepError("reset_claimed_by_other", node=node, site=claim.site)


_OTHERS_THAN_RKE2: Final = frozenset(
    {
        ResidueKind.JOB, ResidueKind.KEEPALIVED, ResidueKind.HAPROXY, ResidueKind.ADDRESS, ResidueKind.NFS_SERVER,
        ResidueKind.NFS_COPY, ResidueKind.MYSQL,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class StopAll(Removal):
    """Stop what runs: our jobs, keepalived with its address, HAProxy, RKE2 with all containers, our exports."""

    name: ClassVar[str] = "reset-stop"
    kinds: ClassVar[frozenset[ResidueKind]] = frozenset(
        {
            ResidueKind.JOB, ResidueKind.UNIT, ResidueKind.PROCESS, ResidueKind.MOUNT, ResidueKind.LINK,
            ResidueKind.RULES, ResidueKind.ADDRESS, ResidueKind.KEEPALIVED, ResidueKind.HAPROXY,
            ResidueKind.NFS_SERVER, ResidueKind.NFS_COPY, ResidueKind.MYSQL,
        }
    )  # fmt: skip

    async def apply(self, context: StepContext, pending: Pending[HostResidue]) -> None:
        """The address goes after keepalived, which would put it back, and also where keepalived was killed before."""
        left, work = pending.seen, script("residue")
        if jobs := left.of(ResidueKind.JOB):
            await self._do(context, work, "jobs", *(job.what for job in jobs))
        if left.of(ResidueKind.KEEPALIVED):
            await self._do(context, work, "keepalived")
        if left.of(ResidueKind.HAPROXY):
            await self._do(context, work, "haproxy")
        if left.of(*self.kinds - _OTHERS_THAN_RKE2):
            await self._do(context, work, "rke2")
        if left.of(ResidueKind.NFS_COPY):
            await self._do(context, work, "nfs-copy")
        # Last: the containers of this host may have volumes of it.
        if left.of(ResidueKind.NFS_SERVER):
            await self._do(context, work, "nfs-server")
        if left.of(ResidueKind.MYSQL):
            await self._do(context, work, "mysql")
        if vip := fixed_vip(context.spec):
            await self._do(context, work, "address", vip)


@dataclass(frozen=True, slots=True)
class RemoveKubernetes(Removal):
    """Delete RKE2, its data, and Rainbond's directories: by RKE2's own script where it is, and what that leaves."""

    name: ClassVar[str] = "reset-kubernetes"
    kinds: ClassVar[frozenset[ResidueKind]] = frozenset({ResidueKind.PATH, ResidueKind.DATA})

    async def apply(self, context: StepContext, pending: Pending[HostResidue]) -> None:
        """RKE2's script ends at its first failure and removes itself all the same, so ours goes over all of it."""
        if pending.seen.of(ResidueKind.PATH):
            await self._do(context, script("rke2-uninstall"), limit_s=DELETE_LIMIT_S)
        left = (await look(context.hosts[self.node], context.spec)).of(*self.kinds)
        if left:
            await self._do(
                context, script("residue"), "paths", *(item.what for item in left), limit_s=DELETE_LIMIT_S
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RestoreFiles(Removal):
    """Bring files back to what they were before rbdtui, or delete those that it made."""

    name: ClassVar[str] = "reset-files"
    kinds: ClassVar[frozenset[ResidueKind]] = frozenset({ResidueKind.FILE, ResidueKind.HOSTS})

    async def apply(self, context: StepContext, pending: Pending[HostResidue]) -> None:
        """Each file alone, so that one that cannot be written holds no other up."""
        host, left = context.hosts[self.node], pending.seen
        for item in left.of(ResidueKind.FILE):
            done = await self._do(context, script("file-restore"), item.what, f"{STATE_DIR}/backup")
            if done.text.strip() == "restored":
                context.report.note(T("reset.note.restored", node=self.node, path=item.what))
        if left.hosts_file is not None:
            await write_hosts_file(host, left.hosts_file[1])
        await self._tell_systemd(host, left.of(ResidueKind.FILE))

    @staticmethod
    async def _tell_systemd(host: Host, files: Sequence[Residue]) -> None:
        """Have those read their configuration again whose files went."""
        if any(item.what.startswith("/etc/systemd/") for item in files):
            await unit_action(host, "keepalived.service", "daemon-reload")
        if any(item.what.startswith("/etc/NetworkManager/") for item in files):
            (state,) = await unit_states(host, _NETWORK_MANAGER)
            if state.active == "active":
                await unit_action(host, _NETWORK_MANAGER, "reload")


@dataclass(frozen=True, slots=True)
class ForgetHost(Removal):
    """Prove that nothing else is left, then delete rbdtui's own directory with the mark of the site."""

    name: ClassVar[str] = "reset-proof"
    kinds: ClassVar[frozenset[ResidueKind]] = frozenset(ResidueKind)
    skippable: ClassVar[bool] = False

    async def apply(self, context: StepContext, pending: Pending[HostResidue]) -> None:
        """Raises `StepError` with what is left and what removes it, as long as anything is."""
        refuse_left(self.node, [item for item in pending.seen.items if item.kind is not ResidueKind.STATE])
        await self._do(context, script("residue"), "state", limit_s=DELETE_LIMIT_S)

    async def verify(self, context: StepContext) -> None:
        """Look once more; raises `StepError`."""
        refuse_left(self.node, (await look(context.hosts[self.node], context.spec)).items)


async def write_hosts_file(host: Host, content: bytes) -> None:
    """Write it with mode and owner as they are; raises `TransportError`."""
    state = (await file_states(host, [HOSTS_FILE]))[HOSTS_FILE]
    mode, owner = (state.mode, state.owner) if state is not None else (0o644, "root:root")
    await write_file(host, HOSTS_FILE, content, mode=mode, owner=owner)


def refuse_left(node: str, left: Sequence[Residue]) -> None:
    """Raise `StepError` with what is left and the commands that remove it."""
    if left:
        evidence = "\n".join(f"{item.title}\n    {item.command}" for item in left)
        raise StepError("residue_left", node=node, count=len(left), evidence=evidence)


@dataclass(frozen=True, slots=True)
class ForgetCluster(Step):
    """Delete the site's kubeconfig, which leads to a cluster that is gone."""

    name: ClassVar[str] = "reset-kubeconfig"

    async def pending(self, context: StepContext) -> Pending[None]:
        """The file, while it is there and no host of the cluster was left out."""
        file = kubeconfig_file(context)
        if context.quarantined or not file.is_file():
            return Pending()
        return Pending((Change(ChangeKind.FILE, T("reset.item.path", what=str(file), more=""), f"rm {file}"),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Delete it; raises `OSError`."""
        await asyncio.to_thread(kubeconfig_file(context).unlink, missing_ok=True)
