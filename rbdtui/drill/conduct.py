"""How a drill goes: what is stopped is noted first, and put back whatever happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.drill.prober import Connect, Prober, connects
from rbdtui.drill.record import Outcome, Part, PartResult, Record, Stopped, save
from rbdtui.errors import StepError
from rbdtui.plan.cluster import etcd_nodes
from rbdtui.plan.steps.keepalived import UNIT as KEEPALIVED
from rbdtui.plan.steps.rke2_start import StartServer
from rbdtui.profiles.profile import Reach as PortReach
from rbdtui.spec.model import ClusterSpec
from rbdtui.surely import surely
from rbdtui.together import together
from rbdtui.transport.base import Host, Reach, TransportError
from rbdtui.transport.endpoints import endpoint_of
from rbdtui.transport.scripts import script
from rbdtui.words import T, Text

DEAD_MAN_S: Final = 300
"""After this a host starts again by itself what was stopped on it."""
TAKE_OVER_LIMIT_S: Final = 120.0
POWER_LIMIT_S: Final = 1800.0
"""How long an operator may take to reach the switch."""
NORMAL_LIMIT_S: Final = 900.0
_STEADY_S: Final = 3.0
_BASELINE_S: Final = 1.0
_STOP_LIMIT_S: Final = 180.0


@dataclass(slots=True)
class Drill:
    """One drill on one site."""

    spec: ClusterSpec
    hosts: Mapping[str, Host]
    site_dir: Path
    record: Record
    tell: Callable[[Text], None]
    is_normal: Callable[[], Awaitable[bool]]
    """Whether the whole site is healthy now."""
    straight: bool = True
    """Whether this machine may connect to the VIP itself."""

    @property
    def vip(self) -> str:
        """The address that moves."""
        assert self.spec.gateway.vip is not None
        return str(self.spec.gateway.vip.ip)

    async def holders(self) -> list[str]:
        """The nodes that hold the VIP now; those that do not answer are left out."""
        answers = await together(*(self._holds(node.name) for node in self.spec.vip_nodes))
        return [node.name for node, holds in zip(self.spec.vip_nodes, answers, strict=True) if holds]

    async def _holds(self, node: str) -> bool:
        try:
            said = await self.hosts[node].must(script("holds-address"), self.vip, timeout_s=5.0)
        except TransportError:
            return False
        return f"{self.vip} yes" in said.text.splitlines()

    async def only_holder(self) -> str:
        """The one that holds it; raises `StepError` when it is none, or several."""
        found = await self.holders()
        if len(found) != 1:
            raise StepError("drill_no_holder", vip=self.vip, count=len(found))
        return found[0]

    async def node_for(self, part: Part, wanted: str) -> str:
        """What a part is about; raises `StepError` when the cluster would not survive it."""
        holder = await self.only_holder()
        if part in (Part.HOLDER, Part.GATEWAY):
            node = holder
        else:
            servers = [node.name for node in self.spec.servers]
            others = [name for name in reversed(servers) if name != holder]
            node = wanted or (holder if part is Part.POWER else (others or servers)[0])
        refuse_unsafe(self.spec, part, node)
        return node

    async def carry_out(self, part: Part, node: str) -> PartResult:
        """One part from stopping to normal; raises `StepError`, `TransportError`, `OSError`."""
        result = PartResult(part, node, time.time(), holder_before=await self.only_holder())
        self.record.parts.append(result)
        connect, ports = await self._ports(node)
        async with self._probing(connect, ports) as prober:
            await asyncio.sleep(_BASELINE_S)
            try:
                await self._stop(part, node)
                await self._see_take_over(result, prober)
            finally:
                await surely(self.put_back())
            if part is Part.POWER:
                self.tell(T("drill.power_on", node=node))
            await self._see_normal(result, prober)
            result.gaps = prober.gaps(self.vip)
        _judge(result)
        save(self.site_dir, self.record)
        return result

    async def _stop(self, part: Part, node: str) -> None:
        match part:
            case Part.HOLDER:
                await self._stop_unit(node, KEEPALIVED, "unit")
            case Part.SERVER:
                await self._stop_unit(node, StartServer.unit, "containers")
            case Part.GATEWAY:
                server = next(each.name for each in self.spec.servers)
                ended = await self.hosts[server].must(script("drill"), "gateway", node, timeout_s=60.0)
                if not ended.text.strip():
                    raise StepError("drill_no_gateway", node=node)
            case Part.POWER:
                self.tell(T("drill.power_off", node=node, limit_min=round(POWER_LIMIT_S / 60)))
                never = StepError("drill_power_never_went", node=node, limit_s=round(POWER_LIMIT_S))
                await self._until(lambda: self.is_gone(node), POWER_LIMIT_S, never)

    async def _stop_unit(self, node: str, unit: str, mode: str) -> None:
        """Note it on the disk, then stop it: whoever finds the note starts it again."""
        self.record.stopped.append(Stopped(node, unit))
        save(self.site_dir, self.record)
        done = await self.hosts[node].run(
            script("drill"), "stop", unit, str(DEAD_MAN_S), mode, timeout_s=_STOP_LIMIT_S
        )  # fmt: skip
        if not done.ok:
            raise StepError("drill_not_stopped", node=node, unit=unit, evidence=done.error_text)

    async def put_back(self) -> None:
        """Start again what the record says is stopped; what cannot be reached stays noted. Raises `OSError`."""
        for stopped in list(self.record.stopped):
            if await start_again(self.hosts[stopped.node], stopped):
                self.record.stopped.remove(stopped)
        save(self.site_dir, self.record)

    async def _see_take_over(self, result: PartResult, prober: Prober) -> None:
        began = time.monotonic()

        async def settled() -> bool:
            return prober.steady_since(began, _STEADY_S) and len(await self.holders()) == 1

        with suppress(StepError):
            nobody = StepError("drill_no_take_over", node=result.node, limit_s=round(TAKE_OVER_LIMIT_S))
            await self._until(settled, TAKE_OVER_LIMIT_S, nobody)
        found = await self.holders()
        result.took_over = found[0] if len(found) == 1 else ""

    async def _see_normal(self, result: PartResult, prober: Prober) -> None:
        """Until all is healthy and the ports have stayed open meanwhile: a gap may begin later than it is put back."""
        began = time.monotonic()

        async def normal() -> bool:
            return await self.is_normal() and prober.steady_since(began, _STEADY_S)

        limit_s = POWER_LIMIT_S if result.part is Part.POWER else NORMAL_LIMIT_S
        with suppress(StepError):
            sick = StepError("drill_not_normal", node=result.node, limit_s=round(limit_s))
            await self._until(normal, limit_s, sick)
            result.normal_after_s = round(time.monotonic() - began, 1)

    async def is_gone(self, node: str) -> bool:
        """Whether nothing answers any more where the node is logged in to: from here, or as another node sees it."""
        there = endpoint_of(self.spec.node(node), self.spec.ssh)
        if self.straight and not there.bastions:
            return not await connects(there.address, there.port)
        other = next(name for name in self.hosts if name != node)
        return (await self.hosts[other].reach(there.address, there.port)).reach is not Reach.OPEN

    async def _until(self, holds: Callable[[], Awaitable[bool]], limit_s: float, late: StepError) -> None:
        deadline = time.monotonic() + limit_s
        while not await holds():
            if time.monotonic() > deadline:
                raise late
            await asyncio.sleep(0.5)

    async def _ports(self, node: str) -> tuple[Connect, list[int]]:
        """How the VIP's ports are asked, and those that answer now."""
        wanted = [self.spec.kubernetes.api.port] if str(self.spec.api_address) == self.vip else []
        wanted += self.spec.profile.ports(PortReach.USERS)
        ways: list[Connect] = [lambda port: connects(self.vip, port)] if self.straight else []
        helper = next((name for name in self.hosts if name != node), None)
        if helper is not None:
            ways.append(lambda port: self._reaches(helper, port))
        for connect in ways:
            answers = await together(*(connect(port) for port in wanted))
            if ports := [port for port, answered in zip(wanted, answers, strict=True) if answered]:
                return connect, ports
        raise StepError("drill_no_port", vip=self.vip)

    async def _reaches(self, helper: str, port: int) -> bool:
        try:
            return (await self.hosts[helper].reach(self.vip, port, timeout_s=1.0)).reach is Reach.OPEN
        except TransportError:
            return False

    @asynccontextmanager
    async def _probing(self, connect: Connect, ports: Sequence[int]) -> AsyncIterator[Prober]:
        prober = Prober(connect, ports)
        asking = asyncio.create_task(prober.run())
        try:
            yield prober
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError):
                await asking


def refuse_unsafe(spec: ClusterSpec, part: Part, node: str) -> None:
    """Raise `StepError` when stopping this on the node would take more than the cluster can spare."""
    if not spec.has_vip or len(spec.vip_nodes) < 2:
        raise StepError("drill_one_gateway")
    members = {member.name for member in etcd_nodes(spec)}
    stops_member = part in (Part.SERVER, Part.POWER) and node in members
    if stops_member and 2 * (len(members) - 1) <= len(members):
        raise StepError("drill_quorum", node=node, members=len(members))
    if part is Part.SERVER and node not in {server.name for server in spec.servers}:
        raise StepError("drill_no_server", node=node)


async def start_again(host: Host, stopped: Stopped) -> bool:
    """Start a unit and take its timer away; False when the host does not answer or cannot."""
    try:
        return (await host.run(script("drill"), "start", stopped.unit, timeout_s=60.0)).ok
    except TransportError:
        return False


def _judge(result: PartResult) -> None:
    """Whether the part went as it should."""
    has_to_move = result.part is not Part.GATEWAY and result.holder_before == result.node
    stayed = has_to_move and result.took_over == result.node
    if any(gap.gap_s is None for gap in result.gaps) or not result.took_over or stayed:
        result.outcome, result.reason = Outcome.FAILED, str(T("drill.reason.no_take_over"))
    elif result.normal_after_s is None:
        result.outcome, result.reason = Outcome.FAILED, str(T("drill.reason.not_normal"))
    else:
        result.outcome = Outcome.PASSED
