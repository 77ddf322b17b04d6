"""Rainbond proven without changing anything: what answers where, through which address, and on which nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import ClassVar, Final

from rbdtui.kube.session import KubeSession
from rbdtui.plan.step import Gate, Pending, StepContext, StepError
from rbdtui.plan.steps.rainbond.access import LIMITS, open_api, rainbond_release, ways
from rbdtui.plan.steps.rainbond.console_region import stale_region
from rbdtui.plan.steps.rainbond.owners import wrong_owners
from rbdtui.plan.steps.rainbond.region import wrong_region_api
from rbdtui.plan.waiting import wait_for
from rbdtui.probes import admin_port
from rbdtui.probes.gateway import GATEWAY as GATEWAY_KIND
from rbdtui.probes.gateway import judge_port, port_question
from rbdtui.probes.hosts import leads_right
from rbdtui.probes.model import Expectation, ProbeKey, ProbeState
from rbdtui.probes.namespace import look
from rbdtui.probes.routes import Target
from rbdtui.probes.wire import HttpAnswer, Place, http_get
from rbdtui.profiles import Reach, ports_in_front
from rbdtui.rainbond.components import used_components
from rbdtui.rainbond.workloads import judge_all
from rbdtui.spec.model import GatewayMode, Node
from rbdtui.together import together
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T

HEALTH_PORT: Final = 8889
"""Of Rainbond's API through the gateway: it answers while both run, whatever the database does."""


@dataclass(frozen=True, slots=True)
class RainbondProof(Gate):
    """Prove ports, console, API, names and places, again and again until all of it holds."""

    name: ClassVar[str] = "rainbond-proof"
    time_limit_s: ClassVar[float] = 600.0
    stall_s: ClassVar[float] = 400.0
    wait_s: ClassVar[float] = 300.0
    look_every_s: ClassVar[float] = 3.0

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """All that does not hold."""
        async with open_api(context) as api:
            wrong = await wrong_with_rainbond(context, api.kube)
            if not wrong:
                return await stale_region(context, api.kube)
        return StepError("rainbond_not_proven", evidence="\n".join(wrong), retryable=True)

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait until all of it holds, and say what is open that should not be; raises `StepError`."""
        told = ""

        async def wrong() -> StepError | None:
            nonlocal told
            error = await self.waiting_for(context)
            if error is not None and error.code == "console_region_stale":
                raise error  # the console never looks again
            if error is not None and error.evidence != told:
                told = error.evidence
                for line in told.splitlines():
                    context.report.line(line)
            return error

        await wait_for(wrong, limit_s=self.wait_s, every_s=self.look_every_s)
        open_at = await _open_to_this_machine(context)
        if open_at:
            context.report.note(T("plan.note.admin_port_open", nodes=", ".join(open_at), port=admin_port.PORT))


async def wrong_with_rainbond(context: StepContext, kube: KubeSession) -> list[str]:
    """What does not hold of all that can be looked at without changing anything, raw; raises `KubeError`."""
    address = context.spec.gateway_address
    looks = [
        _wrong_components(context, kube),
        _wrong_ports(context),
        _wrong_health(context),
        wrong_region_api(context, kube, str(address)),
        _wrong_names(context, str(address)),
        wrong_owners(context, kube),
    ]
    return [line for lines in await together(*looks) for line in lines]


async def _wrong_components(context: StepContext, kube: KubeSession) -> list[str]:
    parts = used_components(context.spec, await rainbond_release(context))
    return [each.evidence for each in judge_all(parts, await look(kube)) if not each.is_ready]


async def _wrong_ports(context: StepContext) -> list[str]:
    """Every gateway port that users need, on each gateway and through the address in front of them."""
    places = [(node.name, str(node.address), node.name) for node in _gateways(context)]
    address = str(context.spec.gateway_address)
    if address not in (place for _, place, _ in places):
        places.append((address, address, ""))
    asked = [_wrong_port(context, *place, port) for place in places for port in _user_ports(context)]
    return [line for line in await together(*asked) if line]


async def _wrong_port(context: StepContext, label: str, address: str, node: str, port: int) -> str:
    target = Target(address, port, node)
    question = port_question(target, LIMITS, IPv4Address(str(context.spec.gateway_address)))
    reply = await ways(context).ask(target, question.ask)
    answer = judge_port(ProbeKey(GATEWAY_KIND, label, port), question.asked, reply, Expectation.OPEN)
    if answer.state is ProbeState.OK:
        return ""
    return f"{label}:{port}: {answer.state.value}: {question.asked}: {answer.evidence[:200]}"


async def _wrong_health(context: StepContext) -> list[str]:
    """Asked through the VIP on the gateways; a balancer forwards this port to nobody, so behind one at a gateway."""
    balanced = context.spec.gateway.mode in (GatewayMode.EXTERNAL, GatewayMode.HAPROXY)
    gateway = next(iter(_gateways(context)), None) if balanced else None
    address = str(gateway.address) if gateway is not None else context.spec.gateway_address
    node = gateway.name if gateway is not None else ""

    async def ask(place: Place) -> HttpAnswer:
        host = f"{address}:{HEALTH_PORT}"
        return await http_get(place, "/healthz", host=host, connect_s=LIMITS.connect_s, answer_s=LIMITS.answer_s)

    reply = await ways(context).ask(Target(address, HEALTH_PORT, node), ask)
    if reply.value is not None and reply.value.status == 200:
        return []
    said = f"HTTP {reply.value.status}" if reply.value is not None else f"{reply.trouble} {reply.evidence}"
    return [f"http://{address}:{HEALTH_PORT}/healthz: {said}"]


async def _wrong_names(context: StepContext, address: str) -> list[str]:
    """The registry's names on every node: Rainbond itself leads them to its first gateway, for ever."""
    asked = [_wrong_name(context, node, name, address) for node in context.hosts for name in _names(context)]
    return [line for line in await together(*asked) if line]


async def _wrong_name(context: StepContext, node: str, name: str, address: str) -> str:
    if not context.takes_part(node):
        return ""
    try:
        answer = await context.hosts[node].must(script("resolve"), name, timeout_s=20.0)
    except TransportError as error:
        return f"{name}: {error}"
    found = answer.text.split()
    gateways = {str(each.cluster_address) for each in context.spec.gateways}
    if "absent" in found or leads_right(found, address, gateways):
        return ""
    return f"{node}: {name} -> {', '.join(found) or '-'}, planned {address}"


async def _open_to_this_machine(context: StepContext) -> list[str]:
    """Gateways whose admin port this machine itself can connect to."""
    has_port = admin_port.PORT in context.spec.profile.ports(Reach.NODE)
    if context.spec.api_address.is_loopback or not has_port:
        return []

    async def is_open(address: str) -> bool:
        try:
            async with asyncio.timeout(LIMITS.connect_s):
                _, writer = await asyncio.open_connection(address, admin_port.PORT)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    gateways = _gateways(context)
    answers = await together(*(is_open(str(node.address)) for node in gateways))
    return [node.name for node, answer in zip(gateways, answers, strict=True) if answer]


def _gateways(context: StepContext) -> list[Node]:
    known = context.spec.gateways
    return known if context.spec.is_existing else [node for node in known if context.takes_part(node.name)]


def _user_ports(context: StepContext) -> Iterator[int]:
    yield from ports_in_front(context.spec.profile, Reach.USERS)


def _names(context: StepContext) -> tuple[str, ...]:
    return context.spec.profile.host_names
