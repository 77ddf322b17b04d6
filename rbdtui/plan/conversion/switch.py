"""What users are shown is the address that moves; then rbd-entrance, and rbd-lb leaves the managing server last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.errors import StepError
from rbdtui.plan.conversion import edits
from rbdtui.plan.conversion.entrance import LB, LB_FILE, LB_KEPT
from rbdtui.plan.conversion.looking import do, look, need_way_in, target
from rbdtui.plan.conversion.resources import COMPOSE_S, Container, OldFile, RegionColumn, command, text_of
from rbdtui.plan.conversion.step import ConvertStep
from rbdtui.plan.resources.base import Looked, Resource, Target
from rbdtui.plan.step import Change, ChangeKind, Pending, Step, StepContext
from rbdtui.transport.base import TransportError
from rbdtui.transport.files import file_states, remove_file, write_file
from rbdtui.words import T

ENTRANCE: Final = "rbd-entrance"
_TCP, _WEB_SOCKET = 1, 2
WEB_SOCKET_PORT: Final = 6060


@dataclass(frozen=True, slots=True)
class _Region(ConvertStep):
    """A column of console.region_info; the old value comes back when the new one does not stand there."""

    async def ready(self, context: StepContext) -> None:
        """Users are shown the address only once somebody has it; raises `StepError`."""
        await need_way_in(context)

    async def restore(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """The value that was there."""
        for each in pending.seen:
            if isinstance(each.resource, RegionColumn) and each.pending.changes:
                await do(context.hosts[self.node], "old-compose", "region", each.resource.column, each.pending.seen)


@dataclass(frozen=True, slots=True)
class TcpDomain(_Region):
    """The address that users are shown for TCP."""

    name: ClassVar[str] = "convert-tcpdomain"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """One column."""
        return (RegionColumn(context, "tcpdomain", _TCP, target(context).vip),)


@dataclass(frozen=True, slots=True)
class WebSocket(_Region):
    """The address of the web socket, where the compute nodes lead it on: rbd-lb as it is installed does not."""

    name: ClassVar[str] = "convert-wsurl"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """One column, or nothing."""
        wanted = target(context)
        for each in wanted.computes:
            if not (await look(context, each.name, "sockets")).listens(WEB_SOCKET_PORT):
                return ()
        return (RegionColumn(context, "wsurl", _WEB_SOCKET, f"ws://{wanted.vip}:{WEB_SOCKET_PORT}"),)


@dataclass(frozen=True, slots=True)
class EntranceTold(ConvertStep):
    """rbd-entrance writes rules to both compute nodes. Where one does not answer, no rule changes (rainbond#161)."""

    name: ClassVar[str] = "convert-urls"

    async def all_resources(self, context: StepContext) -> Sequence[Resource]:
        """Its file, and the container with the new words."""
        urls = f"{edits.URLS}{target(context).lb_urls}"
        seen = await look(context, self.node, "compose_files")
        if ENTRANCE not in seen.services:
            raise StepError("convert_no_service", node=self.node, name=ENTRANCE)
        path, _ = seen.services[ENTRANCE]
        return (
            OldFile(path, lambda text: edits.option(text, ENTRANCE, "plugin-opts", urls)),
            Container(ENTRANCE, has=urls),
        )

    async def ready(self, context: StepContext) -> None:
        """Both have to answer, else no rule would change any more; raises `StepError`."""
        await need_way_in(context)

    async def restore(self, context: StepContext, pending: Pending[tuple[Looked, ...]]) -> None:
        """The container with its old words."""
        await do(context.hosts[self.node], "old-compose", "up", ENTRANCE, timeout_s=COMPOSE_S)


@dataclass(frozen=True, slots=True)
class BalancerLeaves(Step):
    """rbd-lb is on the managing server no more; its file stays beside, under another name."""

    name: ClassVar[str] = "convert-leave"
    time_limit_s: ClassVar[float] = 900.0

    async def pending(self, context: StepContext) -> Pending[bool]:
        """Taking it away; raises `StepError` while the compute nodes do not take in the traffic."""
        wanted = target(context)
        seen = await look(context, self.node, "compose_files", "containers", "audit_web")
        there = LB in seen.services
        if not there and seen.container(LB) is None:
            return Pending(seen=False)
        changes: list[Change] = []
        if there:
            path = seen.services[LB][0]
            if path != LB_FILE or set(seen.composed[path].services) != {LB}:
                names = ", ".join(sorted(seen.composed[path].services))
                raise StepError("convert_shared_file", node=self.node, path=path, names=names)
            title = T("plan.change.set_aside", path=LB_FILE, kept=LB_KEPT)
            changes.append(Change(ChangeKind.FILE, title, f"mv {LB_FILE} {LB_KEPT}"))
        changes.append(command("orphans", "dc-compose up -d --remove-orphans", name=LB, node=wanted.manage.name))
        return Pending(tuple(changes), seen=there)

    async def apply(self, context: StepContext, pending: Pending[bool]) -> None:
        """Only while both others take in the traffic; raises what went wrong, with rbd-lb back where it was."""
        await need_way_in(context)
        host = context.hosts[self.node]
        try:
            if pending.seen:
                await self._renamed(context, LB_FILE, LB_KEPT)
            await do(host, "old-compose", "all", timeout_s=COMPOSE_S)
            if (await look(context, self.node, "containers")).container(LB) is not None:
                raise StepError("convert_still_runs", node=self.node, name=LB)
        except (StepError, TransportError):
            await self._take_back(context, pending)
            raise

    async def _renamed(self, context: StepContext, old: str, new: str) -> None:
        host = context.hosts[self.node]
        text = (await text_of(host, old)).encode("utf-8", "surrogateescape")
        state = (await file_states(host, [old]))[old]
        mode, owner = (state.mode, state.owner) if state is not None else (0o644, "root:root")
        await write_file(host, new, text, mode=mode, owner=owner)
        await remove_file(host, old, backup_dir=Target.of(context, self.node).backup_dir)

    async def _take_back(self, context: StepContext, pending: Pending[bool]) -> None:
        try:
            if pending.seen:
                there = (await file_states(context.hosts[self.node], [LB_FILE]))[LB_FILE]
                if there is None:
                    await self._renamed(context, LB_KEPT, LB_FILE)
                await do(context.hosts[self.node], "old-compose", "up", LB, timeout_s=COMPOSE_S)
        except (StepError, TransportError) as error:
            context.report.note(T("convert.not_taken_back", node=self.node, reason=error.text))
        else:
            context.report.note(T("convert.taken_back", node=self.node))
