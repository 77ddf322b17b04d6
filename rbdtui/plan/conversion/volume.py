"""A GlusterFS volume with a copy on both compute nodes: names, daemons, pool, volume, and a trial of it.

Sources: gluster/glusterfs@v10.3 cli/src/cli-cmd-volume.c, xlators/mgmt/glusterd/src/glusterd-utils.c (a brick on the
root file system, or not on a mount point, takes ``force``); the page's GlusterFS/install.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.audit.files.gluster import Volume
from rbdtui.audit.seen import SeenHost
from rbdtui.audit.target import GRDATA, Server, Target
from rbdtui.plan.conversion import edits
from rbdtui.plan.conversion.looking import do, look, need_programs, server, target
from rbdtui.plan.conversion.resources import BrickDirectory, OldFile, Runs, command
from rbdtui.plan.conversion.step import ConvertStep
from rbdtui.plan.resources.base import Resource
from rbdtui.plan.step import Pending, Step, StepContext, StepError
from rbdtui.plan.waiting import wait_for
from rbdtui.together import together

HOSTS: Final = "/etc/hosts"
UNIT: Final = "glusterd.service"
STARTED: Final = "Started"
_COME_S: Final = 120.0
_LOOK_EVERY_S: Final = 2.0
_TRIED_FILES: Final = 10
_GLUSTER_S: Final = 150.0


def holders(wanted: Target) -> tuple[Server, ...]:
    """Servers with a brick."""
    return (*wanted.computes, wanted.manage) if wanted.arbiter else wanted.computes


def mounted(host: SeenHost, wanted: Target) -> bool:
    """Whether the shared data of a server is on the volume now."""
    mount = host.mounted_at(GRDATA)
    return (
        mount is not None
        and mount.kind == "fuse.glusterfs"
        and mount.device.rpartition(":")[2].strip("/") == wanted.volume
    )


@dataclass(frozen=True, slots=True)
class ServerNames(ConvertStep):
    """The three servers know each other by name."""

    name: ClassVar[str] = "convert-names"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """The hosts file."""
        names = edits.server_names(target(context))
        return (OldFile(HOSTS, lambda text: edits.hosts(text, names)),)


@dataclass(frozen=True, slots=True)
class Glusterd(ConvertStep):
    """The programs are there, and the daemon runs where a brick will be."""

    name: ClassVar[str] = "convert-glusterd"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """A directory for the brick, and the unit; raises `StepError` for what takes an operator's hand."""
        wanted = target(context)
        if server(context, self.node) not in holders(wanted):
            await need_programs(context, self.node, "mount.glusterfs")
            return ()
        await need_programs(context, self.node, "glusterd", "mount.glusterfs")
        if wanted.disk and self.node != wanted.manage.name:
            mount = (await look(context, self.node, "audit_mounts")).mounted_at(wanted.brick_mount)
            if mount is None:
                raise StepError("convert_no_disk", node=self.node, disk=wanted.disk, place=wanted.brick_mount)
        return BrickDirectory(wanted.brick.rpartition("/")[0] or "/"), Runs(UNIT)


@dataclass(frozen=True, slots=True)
class Peers(Step):
    """The servers with a brick are one pool."""

    name: ClassVar[str] = "convert-peers"
    time_limit_s: ClassVar[float] = 600.0

    async def pending(self, context: StepContext) -> Pending[list[str]]:
        """Those that the first compute node does not have in its pool."""
        wanted = target(context)
        first = await look(context, wanted.computes[0].name, "gluster", "audit_programs")
        missing = _missing(first, wanted)
        changes = tuple(command("peer", f"gluster peer probe {name}", name=name) for name in missing)
        return Pending(changes, seen=missing)

    async def apply(self, context: StepContext, pending: Pending[list[str]]) -> None:
        """Take them in, and wait until all of them see all others; raises `StepError`."""
        wanted = target(context)
        for name in pending.seen:
            await do(context.hosts[wanted.computes[0].name], "gluster", "peer", name, timeout_s=_GLUSTER_S)
        await wait_for(lambda: _apart(context, wanted), limit_s=_COME_S, every_s=_LOOK_EVERY_S)


def _missing(host: SeenHost, wanted: Target) -> list[str]:
    known = {name for peer in host.gluster.peers or () if peer.connected for name in peer.names}
    return [other.name for other in holders(wanted) if other != host.server and not known & {other.name, other.address}]


async def _apart(context: StepContext, wanted: Target) -> StepError | None:
    seen = await together(*(look(context, each.name, "gluster") for each in holders(wanted)))
    apart = {host.name: missing for host in seen if (missing := _missing(host, wanted))}
    if not apart:
        return None
    evidence = "\n".join(f"{name}: {', '.join(missing)}" for name, missing in apart.items())
    return StepError("convert_peers", names=", ".join(apart), evidence=evidence, retryable=True)


def volume_of(host: SeenHost, wanted: Target) -> Volume | None:
    """The volume as a server knows it."""
    return next((volume for volume in host.gluster.volumes or () if volume.name == wanted.volume), None)


@dataclass(frozen=True, slots=True)
class VolumeMade(Step):
    """The volume is there, of these bricks, and started."""

    name: ClassVar[str] = "convert-volume"
    time_limit_s: ClassVar[float] = 600.0

    async def pending(self, context: StepContext) -> Pending[Volume | None]:
        """Making and starting it; raises `StepError` for a volume of this name that is another one."""
        wanted = target(context)
        first = await look(context, wanted.computes[0].name, "gluster", "audit_programs")
        volume = volume_of(first, wanted)
        start = command("volume_start", f"gluster volume start {wanted.volume}", name=wanted.volume)
        if volume is None:
            line = f"gluster --mode=script volume create {' '.join(_words(wanted))}"
            return Pending((command("volume", line, name=wanted.volume), start), seen=None)
        bricks = sorted(wanted.brick_by_name(brick.name) for brick in volume.bricks)
        if bricks != sorted(wanted.bricks):
            raise StepError("convert_other_volume", name=wanted.volume, bricks=" ".join(bricks))
        return Pending(seen=volume) if volume.status == STARTED else Pending((start,), volume.status, seen=volume)

    async def apply(self, context: StepContext, pending: Pending[Volume | None]) -> None:
        """Make it, start it, and wait until every brick is online with nothing left to heal; raises `StepError`."""
        wanted = target(context)
        host = context.hosts[wanted.computes[0].name]
        if pending.seen is None:
            await do(host, "gluster", "create", *_words(wanted), timeout_s=_GLUSTER_S)
        await do(host, "gluster", "start", wanted.volume, timeout_s=_GLUSTER_S)
        await wait_for(lambda: unwell(context), limit_s=_COME_S, every_s=_LOOK_EVERY_S)


def _words(wanted: Target) -> tuple[str, ...]:
    """What is said to make it: ``force`` only where a brick is meant to be on the system's own disk."""
    kind = ("replica", "3", "arbiter", "1") if wanted.arbiter else ("replica", "2")
    on_root = wanted.arbiter or not wanted.disk
    return (wanted.volume, *kind, *wanted.bricks, *(("force",) if on_root else ()))


async def unwell(context: StepContext) -> StepError | None:
    """What is wrong with the volume, as the first compute node sees it; None when nothing is."""
    wanted = target(context)
    gluster = (await look(context, wanted.computes[0].name, "gluster")).gluster
    online, healing = gluster.online, gluster.healing
    volume = next((each for each in gluster.volumes or () if each.name == wanted.volume), None)
    bricks = {brick.name: (online or {}).get(brick.name, False) for brick in (volume.bricks if volume else ())}
    wrong = [name for name, up in bricks.items() if not up]
    wrong += [f"{each.brick} heal {each.entries}" for each in healing or () if each.entries != 0]
    if bricks and not wrong and online is not None and healing is not None:
        return None
    evidence = "\n".join((*wrong, *(f"{question}: {words}" for question, words in gluster.words.items())))
    return StepError("convert_volume", name=wanted.volume, evidence=evidence, retryable=True)


@dataclass(frozen=True, slots=True)
class VolumeTried(Step):
    """What is written through one compute node is seen through the other."""

    name: ClassVar[str] = "convert-volume-trial"
    time_limit_s: ClassVar[float] = 600.0

    async def pending(self, context: StepContext) -> Pending[None]:
        """The trial, as long as the shared data is not on the volume."""
        wanted = target(context)
        seen = await together(*(look(context, each.name, "audit_mounts") for each in wanted.servers))
        if all(mounted(host, wanted) for host in seen):
            return Pending()
        first, second = wanted.computes
        line = f"mount -t glusterfs {first.name}:/{wanted.volume} …; {_TRIED_FILES} × touch; ls; rm; umount"
        return Pending((command("volume_trial", line, first=first.name, second=second.name),))

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Write, look, and take it away again; raises `StepError`."""
        wanted, mark = target(context), context.run_id
        count = str(_TRIED_FILES)
        for writer, reader in (wanted.computes, wanted.computes[::-1]):
            at = (writer.name, wanted.volume, mark)
            await do(context.hosts[writer.name], "gluster", "put", *at, count, timeout_s=_GLUSTER_S)
            there = (reader.name, wanted.volume, mark)
            seen = await do(context.hosts[reader.name], "gluster", "take", *there, timeout_s=_GLUSTER_S)
            await do(context.hosts[writer.name], "gluster", "drop", *at, timeout_s=_GLUSTER_S)
            if seen.strip() != count:
                raise StepError(
                    "convert_not_shared", writer=writer.name, reader=reader.name, seen=seen.strip(), wanted=count
                )

    async def verify(self, context: StepContext) -> None:
        """The trial was the proof."""
