"""The shared data is moved: copied while it is used, then once more and compared while its users stand still.

One step for all three servers, so that none of them sees the old place while another writes to the new one. What was
there stays beneath the mount on the managing server. Users stand still from the second copy until all are mounted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.audit.seen import SeenHost
from rbdtui.audit.target import GRDATA, Server, Target
from rbdtui.errors import StepError
from rbdtui.plan.content import plain
from rbdtui.plan.conversion import edits
from rbdtui.plan.conversion.looking import do, look, need_programs, target
from rbdtui.plan.conversion.resources import COMPOSE_S, OldFile, command, containers_of
from rbdtui.plan.conversion.step import ConvertStep
from rbdtui.plan.conversion.volume import mounted
from rbdtui.plan.repairs.before import Record
from rbdtui.plan.resources.base import Looked, Resource
from rbdtui.plan.resources.base import Target as On
from rbdtui.plan.resources.files import ManagedFile, header
from rbdtui.plan.step import Change, Pending, Step, StepContext
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.words import T

FSTAB: Final = "/etc/fstab"
MOUNT_UNIT: Final = "grdata.mount"
"""What systemd makes of the line in fstab: systemd-fstab-generator(8)."""
DOCKER_DROP_IN: Final = "/etc/systemd/system/docker.service.d/rbdtui-grdata.conf"
_COPY_S: Final = 12 * 3600.0
_MOUNT_S: Final = 120.0
_MOST_USERS: Final = 5
"""Processes that are named in a sentence; all of them are in what was seen."""
_SPARE: Final = 1.05
"""How much more room there has to be than what is used now."""


@dataclass(frozen=True, slots=True)
class Found:
    """How the shared data stands."""

    hosts: Mapping[str, SeenHost]
    lines: Mapping[str, Looked]
    """The fstab of each server, and what would change in it."""
    held: tuple[str, ...]
    """Containers that an earlier run has stopped and not started again."""

    def is_moved(self, name: str, wanted: Target) -> bool:
        """Whether a server has it on the volume, now and at its next boot."""
        return mounted(self.hosts[name], wanted) and self.lines[name].pending.is_done


def _refuse_other(host: SeenHost, wanted: Target) -> None:
    """Raise `StepError` where it is on something that the installer does not put it on: nothing is guessed."""
    mount = host.mounted_at(GRDATA)
    if mount is None or mounted(host, wanted):
        return
    source = mount.device.rpartition(":")[0]
    from_manage = mount.kind.startswith("nfs") and source in (wanted.manage.name, wanted.manage.address)
    own_disk = host.server == wanted.manage and mount.device.startswith("/dev/")
    if not (from_manage or own_disk):
        raise StepError("convert_grdata_other", node=host.name, device=mount.device, kind=mount.kind)


async def found(context: StepContext) -> Found:
    """Look at all three; raises `StepError`, `TransportError`."""
    wanted = target(context)
    facts = ("audit_mounts", "fstab", "compose_files", "containers")
    seen = await together(*(look(context, each.name, *facts) for each in wanted.servers))
    for host in seen:
        _refuse_other(host, wanted)
    lines = {}
    for each in wanted.servers:
        file = _fstab(wanted, each)
        lines[each.name] = Looked(file, await file.pending(On.of(context, each.name)))
    held = await do(context.hosts[wanted.manage.name], "grdata", "held")
    return Found({host.name: host for host in seen}, lines, tuple(held.split()))


def _fstab(wanted: Target, server: Server) -> OldFile:
    return OldFile(FSTAB, lambda text: edits.fstab(text, wanted, server))


@dataclass(frozen=True, slots=True)
class DockerWaits(ConvertStep):
    """At boot docker is started after the mount: containers that start earlier would have what lies beneath it."""

    name: ClassVar[str] = "convert-docker"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """One file, which systemd reads at the next boot; of a mount that there is not yet it says nothing."""
        text = f"{header(context.spec.name)}\n[Unit]\nAfter={MOUNT_UNIT}\n"
        return (ManagedFile(DOCKER_DROP_IN, plain(text)),)


@dataclass(frozen=True, slots=True)
class CopyBefore(Step):
    """Most of it is copied while it is used, so that its users stand still for the rest only."""

    name: ClassVar[str] = "convert-copy"
    time_limit_s: ClassVar[float] = _COPY_S
    stall_s: ClassVar[float] = 3600.0

    async def pending(self, context: StepContext) -> Pending[None]:
        """The copy, as long as the managing server has it on its own disk."""
        wanted = target(context)
        await need_programs(context, wanted.manage.name, "rsync")
        seen = await found(context)
        if seen.is_moved(wanted.manage.name, wanted) or _is_switched(seen, wanted):
            return Pending()
        line = f"rsync -aHAX --numeric-ids --delete {GRDATA}/ (…:/{wanted.volume})/"
        return Pending((command("copy", line, place=GRDATA, volume=wanted.volume),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """See that it fits, and copy; raises `StepError`."""
        wanted = target(context)
        host, at = context.hosts[wanted.manage.name], (wanted.computes[0].name, wanted.volume)
        used, free = (await do(host, "grdata", "space", *at, timeout_s=_COPY_S)).split()[:2]
        if int(used) * _SPARE > int(free):
            raise StepError("convert_no_room", needed_kib=int(used), free_kib=int(free), volume=wanted.volume)
        await do(host, "grdata", "copy", *at, timeout_s=_COPY_S)

    async def verify(self, context: StepContext) -> None:
        """It goes out of date at once: the next step copies the rest, and compares all."""


def _is_switched(seen: Found, wanted: Target) -> bool:
    """Whether the managing server was told already, so that what it has of its own is not the newest any more."""
    return seen.lines[wanted.manage.name].pending.is_done


def _refuse_unclear(seen: Found, wanted: Target) -> None:
    """Raise `StepError` where containers write beneath a mount that is to be there: nobody knows which is newer."""
    name = wanted.manage.name
    running = users_on_manage(seen, wanted)
    if _is_switched(seen, wanted) and not mounted(seen.hosts[name], wanted) and running:
        raise StepError("convert_unclear", node=name, place=GRDATA, names=", ".join(running))


@dataclass(frozen=True, slots=True)
class MoveData(Step):
    """The shared data is on the volume, on all three servers."""

    name: ClassVar[str] = "convert-data"
    time_limit_s: ClassVar[float] = _COPY_S
    stall_s: ClassVar[float] = 3600.0

    async def pending(self, context: StepContext) -> Pending[Found]:
        """Containers that stand still, lines of fstab, mounts; raises `StepError`."""
        wanted = target(context)
        seen = await found(context)
        _refuse_unclear(seen, wanted)
        changes = [*self._move(seen, wanted)]
        if seen.held and not changes:
            names = " ".join(seen.held)
            changes.append(command("let_go", f"dc-compose up -d {names}", names=names))
        return Pending(tuple(changes), seen=seen)

    @staticmethod
    def _move(seen: Found, wanted: Target) -> Sequence[Change]:
        left = [each for each in wanted.servers if not seen.is_moved(each.name, wanted)]
        if not left:
            return ()
        changes: list[Change] = []
        users = " ".join(users_on_manage(seen, wanted))
        if users:
            changes.append(command("hold", f"dc-compose stop {users}", names=users))
        if not _is_switched(seen, wanted):
            line = f"rsync -aHAX --numeric-ids --delete {GRDATA}/ (…:/{wanted.volume})/; rsync -aHAXnc …"
            changes.append(command("compare", line, place=GRDATA, volume=wanted.volume))
        for each in left:
            changes += seen.lines[each.name].pending.changes
            changes.append(command("mount", f"umount {GRDATA}; mount {GRDATA}", place=GRDATA, node=each.name))
        return (*changes, *((command("let_go", f"dc-compose up -d {users}", names=users),) if users else ()))

    async def apply(self, context: StepContext, pending: Pending[Found]) -> None:
        """All of it, or nothing: raises what went wrong, after everything was taken back. Users run in the end."""
        wanted, seen = target(context), pending.seen
        manage = context.hosts[wanted.manage.name]
        if not self._move(seen, wanted):
            await do(manage, "grdata", "release", timeout_s=COMPOSE_S)
            return
        await self._refuse_busy(context, [each for each in wanted.computes if not seen.is_moved(each.name, wanted)])
        switched: list[Server] = []
        try:
            if users := users_on_manage(seen, wanted):
                await do(manage, "grdata", "hold", *users, timeout_s=COMPOSE_S)
            await self._refuse_busy(context, [] if seen.is_moved(wanted.manage.name, wanted) else [wanted.manage])
            if not _is_switched(seen, wanted):
                await self._copied(context, wanted)
            for each in wanted.servers:
                if not seen.is_moved(each.name, wanted):
                    switched.append(each)
                    await self._switch(context, wanted, each, seen.lines[each.name])
        except (StepError, TransportError):
            await self._take_back(context, seen, switched)
            raise
        await do(manage, "grdata", "release", timeout_s=COMPOSE_S)

    @staticmethod
    async def _refuse_busy(context: StepContext, servers: Sequence[Server]) -> None:
        """Raise `StepError` where somebody else uses it: applications on a compute node, or programs of others."""
        for each in servers:
            said = await do(context.hosts[each.name], "grdata", "users", timeout_s=_MOUNT_S)
            users = [line for line in said.splitlines() if line.strip()]
            if users:
                names = ", ".join(users[:_MOST_USERS])
                raise StepError(
                    "convert_busy",
                    node=each.name,
                    place=GRDATA,
                    count=len(users),
                    names=names,
                    evidence="\n".join(users),
                )

    @staticmethod
    async def _copied(context: StepContext, wanted: Target) -> None:
        host, at = context.hosts[wanted.manage.name], (wanted.computes[0].name, wanted.volume)
        await do(host, "grdata", "copy", *at, timeout_s=_COPY_S)
        said = await do(host, "grdata", "compare", *at, timeout_s=_COPY_S)
        different = [line for line in said.splitlines() if line.startswith("different ")]
        if different:
            raise StepError("convert_copy_differs", volume=wanted.volume, evidence="\n".join(different))
        context.report.note(T("convert.copied", count=said.split()[-1], volume=wanted.volume))

    @staticmethod
    async def _switch(context: StepContext, wanted: Target, server: Server, line: Looked) -> None:
        on = On.of(context, server.name)
        if not line.pending.is_done:
            await Record(context.run_id, MoveData.name).note(on, [line])
            await line.resource.settle(on, line.pending)
        await do(on.host, "grdata", "mount", timeout_s=_MOUNT_S, error="convert_not_mounted")
        if not mounted(await look(context, server.name, "audit_mounts"), wanted):
            raise StepError("convert_not_mounted", node=server.name, what=f"mount {GRDATA}", retryable=True)

    @staticmethod
    async def _take_back(context: StepContext, seen: Found, switched: Sequence[Server]) -> None:
        """Lines of fstab and mounts as they were, the managing server last; then its users run again."""
        wanted = target(context)
        try:
            for each in reversed(switched):
                on = On.of(context, each.name)
                await do(on.host, "grdata", "unmount", timeout_s=_MOUNT_S)
                for before in reversed(await Record(context.run_id, MoveData.name).read(on.host)):
                    resource = before.resource()
                    left = await resource.pending(on)
                    if not left.is_done:
                        await resource.settle(on, left)
                if seen.hosts[each.name].mounted_at(GRDATA) is not None:
                    await do(on.host, "grdata", "mount", timeout_s=_MOUNT_S)
            await do(context.hosts[wanted.manage.name], "grdata", "release", timeout_s=COMPOSE_S)
        except (StepError, TransportError) as error:
            context.report.note(T("convert.not_taken_back", node=wanted.manage.name, reason=error.text))
        else:
            context.report.note(T("convert.taken_back", node=wanted.manage.name))


def users_on_manage(seen: Found, wanted: Target) -> list[str]:
    """Services of the managing server that have it, and run."""
    host = seen.hosts[wanted.manage.name]
    return [name for name in containers_of(host, GRDATA) if host.container(name) is not None]
