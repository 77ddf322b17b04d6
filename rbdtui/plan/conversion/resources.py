"""What steps of the conversion are made of, beside files: units, containers, directories that are copied, a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from rbdtui.audit.seen import SeenHost
from rbdtui.plan.conversion.edits import NotEditableError
from rbdtui.plan.conversion.looking import do, look
from rbdtui.plan.resources.base import Target
from rbdtui.plan.resources.edited import EditedFile
from rbdtui.plan.resources.units import unit_action, unit_change, unit_states
from rbdtui.plan.step import Change, ChangeKind, Pending, StepContext, StepError
from rbdtui.transport.base import Host
from rbdtui.transport.files import read_file
from rbdtui.transport.scripts import script
from rbdtui.words import T

COMPOSE_S: Final = 300.0
_TREE_BYTES: Final = 64 << 20


def command(title: str, line: str, **params: str | int) -> Change:
    """One command, as somebody would type it."""
    return Change(ChangeKind.COMMAND, T(f"plan.change.{title}", **params), line)  # words: plan.change.*


async def text_of(host: Host, path: str) -> str:
    """A file of text as it is, with what is no UTF-8; raises `StepError` when it is not there, `TransportError`."""
    found = await read_file(host, path)
    if found is None:
        raise StepError("convert_no_file", node=host.name, path=path)
    return found.decode("utf-8", "surrogateescape")


def edited(node: str, path: str, edit: Callable[[], str]) -> str:
    """The text that an edit makes; raises `StepError` for a file that cannot be edited safely."""
    try:
        return edit()
    except NotEditableError as error:
        raise StepError("convert_not_edited", node=node, path=path, reason=error.text) from error


@dataclass(frozen=True, slots=True)
class OldFile(EditedFile):
    """A file that the installer of 3.6 writes, so that it has to be there; edited as `EditedFile`."""

    async def pending(self, target: Target) -> Pending[bytes]:
        """The lines that would change; raises `StepError`."""
        await text_of(target.host, self.path)
        try:
            return await EditedFile.pending(self, target)
        except NotEditableError as error:
            raise StepError("convert_not_edited", node=target.host.name, path=self.path, reason=error.text) from error


@dataclass(frozen=True, slots=True)
class Runs:
    """A unit that runs and starts at boot."""

    unit: str

    async def pending(self, target: Target) -> Pending[None]:
        """What systemd has to be told; raises `StepError` when there is no such unit."""
        (state,) = await unit_states(target.host, self.unit)
        if not state.is_present:
            raise StepError("convert_no_unit", node=target.host.name, unit=self.unit)
        changes = [] if state.is_enabled else [unit_change("enable", self.unit)]
        changes += [] if state.active == "active" else [unit_change("start", self.unit)]
        return Pending(tuple(changes), str(state))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Have systemd enable and start the unit; raises `StepError`."""
        await unit_action(target.host, self.unit, "enable", "start")


@dataclass(frozen=True, slots=True)
class BrickDirectory:
    """The directory of a brick."""

    path: str

    async def pending(self, target: Target) -> Pending[None]:
        """Making it; glusterd makes the last part itself, and none above it."""
        state = (await target.files.states([self.path]))[self.path]
        if state is not None:
            return Pending()
        return Pending((command("directory", f"mkdir -p {self.path}", path=self.path),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Make the directory above the brick's own; raises `StepError`."""
        await do(target.host, "gluster", "brick", self.path)


@dataclass(frozen=True, slots=True)
class Container:
    """A container of dc-compose that runs as its file says now."""

    name: str
    has: str = ""
    """What stands in the words that it was started with, so that a run that was cut off before is noticed."""
    restarts: bool = False
    """Whether it reads what was changed only when it is started anew."""

    async def pending(self, target: Target) -> Pending[bool]:
        """Starting it; seen is whether it ran with these words already."""
        words = await do(target.host, "old-compose", "command", self.name)
        if words.strip() and self.has in _words(words):
            return Pending(seen=True)
        return Pending((self._change("up -d"),), seen=False)

    def after_changes(self, pending: Pending[bool]) -> Pending[bool]:
        """A file of it was changed."""
        return pending if pending.changes else replace(pending, changes=(self._change(self._verb(pending.seen)),))

    def _verb(self, runs: bool) -> str:
        return "restart" if runs and self.restarts else "up -d"

    def _change(self, verb: str) -> Change:
        title = "container_restart" if verb == "restart" else "container_up"
        return command(title, f"dc-compose {verb} {self.name}", name=self.name)

    async def settle(self, target: Target, pending: Pending[bool]) -> None:
        """Start it."""
        action = "restart" if pending.seen and self.restarts else "up"
        await do(target.host, "old-compose", action, self.name, timeout_s=COMPOSE_S)


def _words(printed: str) -> str:
    """The words of a container as one text; raises nothing."""
    try:
        found = json.loads(printed)
    except ValueError:
        return printed
    return " ".join(map(str, found)) if isinstance(found, list) else str(found)


@dataclass(frozen=True, slots=True)
class KubeletResolvers:
    """The running kubelet gives these resolvers to containers."""

    servers: str

    async def pending(self, target: Target) -> Pending[None]:
        """Starting it anew where it gives others; a kubelet that gives none is not the installer's."""
        given = (await do(target.host, "old-compose", "kubelet")).strip()
        return Pending() if given in ("", self.servers) else Pending((self._change,), given)

    def after_changes(self, pending: Pending[None]) -> Pending[None]:
        """Its environment was changed."""
        return pending if pending.changes else replace(pending, changes=(self._change,))

    @property
    def _change(self) -> Change:
        return unit_change("restart", "kubelet.service")

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Start it anew; its containers run on."""
        await unit_action(target.host, "kubelet.service", "restart")


@dataclass(frozen=True, slots=True)
class CopiedTree:
    """A directory as another server has it, taken through this machine."""

    path: str
    source: Host
    is_there: bool
    """Whether nothing has to be copied; judged by whoever knows what of it may differ."""

    async def pending(self, target: Target) -> Pending[None]:
        """Copying it."""
        if self.is_there:
            return Pending()
        line = f"rsync -a --delete {self.source.name}:{self.path}/ {self.path}/"
        return Pending((command("tree", line, path=self.path, source=self.source.name),))

    async def settle(self, target: Target, pending: Pending[None]) -> None:
        """Take it as one archive, and put it there at once; raises `StepError`."""
        packed = await self.source.run(script("tree"), "pack", self.path, output_limit_bytes=_TREE_BYTES, timeout_s=120)
        if not packed.ok:
            raise StepError("convert_no_file", node=self.source.name, path=self.path, evidence=packed.error_text)
        put = await target.host.run(
            script("tree"), "put", self.path, target.backup_dir, payload=packed.stdout, timeout_s=120
        )
        if not put.ok:
            what = f"tree put {self.path}"
            raise StepError("convert_refused", node=target.host.name, what=what, evidence=put.error_text)


@dataclass(frozen=True, slots=True)
class RegionColumn:
    """A column of the one row of console.region_info."""

    context: StepContext
    column: str
    place: int
    """Of the column among those that the audit reads."""
    value: str

    async def pending(self, target: Target) -> Pending[str]:
        """Writing it; the old value is seen, and raises `StepError` where there is not exactly one row."""
        found = (await look(self.context, target.host.name, "region_info")).region or ()
        if len(found) != 1 or len(found[0]) <= self.place:
            raise StepError("convert_region", node=target.host.name, count=len(found))
        old = found[0][self.place]
        if old == self.value:
            return Pending(seen=old)
        line = f"UPDATE console.region_info SET {self.column}='{self.value}'"  # noqa: S608 - shown, not sent
        title = T("plan.change.region", column=self.column, old=old or "-", new=self.value)
        return Pending((Change(ChangeKind.COMMAND, title, line),), seen=old)

    async def settle(self, target: Target, pending: Pending[str]) -> None:
        """Write it."""
        await do(target.host, "old-compose", "region", self.column, self.value)


def containers_of(host: SeenHost, place: str) -> Sequence[str]:
    """Services of the compose files of a server that have a directory below a place, sorted."""
    return sorted(
        name
        for name, (_, service) in host.services.items()
        if any(f"{volume.partition(':')[0]}/".startswith(f"{place}/") for volume in service.volumes)
    )
