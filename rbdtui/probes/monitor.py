"""The health of one cluster: which questions there are for its spec, and the picture that their answers make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from rbdtui.probes.board import Board, HealthEvents
from rbdtui.probes.model import (
    BALANCER,
    VIP,
    HealthEvent,
    HealthSnapshot,
    ProbeKey,
    ProbeKind,
)
from rbdtui.probes.questions import (
    API_PORT,
    ApiQuestion,
    ClockQuestion,
    ClusterQuestion,
    EtcdQuestion,
    GatewayQuestion,
    HolderQuestion,
    HostQuestion,
    Question,
    Surroundings,
)
from rbdtui.probes.settings import Settings
from rbdtui.probes.verdict import verdict
from rbdtui.probes.ways import Readiness, Target, Ways
from rbdtui.profiles import Reach, ports_in_front
from rbdtui.spec.model import ApiMode, ClusterSpec, GatewayMode, Node, Role
from rbdtui.transport.base import Host


class HealthMonitor:
    """The health of one cluster.

    ``hosts`` may lack nodes; none needs to be connected. ``kubeconfig`` may appear later. With ``straight=False``,
    and where nodes have loopback addresses, everything is asked through the hosts.
    """

    def __init__(
        self,
        spec: ClusterSpec,
        hosts: Mapping[str, Host],
        kubeconfig: Path | None = None,
        *,
        settings: Settings | None = None,
        straight: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        around = _surroundings(spec, hosts, kubeconfig, settings or Settings(), straight=straight, installing=False)
        first = [HostQuestion(around, node) for node in spec.nodes]
        second: list[Question] = [ClockQuestion(around), *_vip_questions(around, spec.gateways, with_keepalived=True)]
        second += [*_api_questions(around), ClusterQuestion(around)]
        if spec.nodes_with(Role.ETCD):
            second.append(EtcdQuestion(around))
        self._board = Board([first, second, _gateway_questions(around, spec.gateways)], around.settings, clock)
        self._api = _api_key(spec)

    async def run(self) -> None:
        """Ask until cancelled."""
        await self._board.run()

    async def once(self) -> HealthSnapshot:
        """Ask every question one time, those first that others build on."""
        await self._board.once()
        return self.snapshot()

    def hurry(self) -> None:
        """Ask everything now that waits for its turn; to be called in the loop of `run`."""
        self._board.hurry()

    def events(self) -> HealthEvents:
        """Changes of state from now on; several readers get the same."""
        return self._board.events()

    def snapshot(self) -> HealthSnapshot:
        """The picture as it is now."""
        probes = tuple(tracker.status() for tracker in self._board.trackers.values())
        health, headline = verdict(probes, self._api)
        return HealthSnapshot(health, headline, probes, tuple(self._board.changes), self._board.clock())

    def to_json(self) -> dict[str, object]:
        """The answer of ``health --json``, in the current language."""
        return self.snapshot().to_json()


async def watch_gateway(
    spec: ClusterSpec,
    hosts: Mapping[str, Host],
    nodes: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    straight: bool = True,
) -> AsyncGenerator[HealthEvent, None]:
    """For a run: gateway ports and the holder of the virtual address, every change from not knowing on.

    Only gateways among ``nodes`` (default: all) are asked; hosts that are not ready make answers unknown. Ends when
    its reader ends.
    """
    around = _surroundings(spec, hosts, None, settings or Settings(), straight=straight, installing=True)
    gateways = [node for node in spec.gateways if nodes is None or node.name in nodes]
    questions = [*_vip_questions(around, gateways, with_keepalived=False), *_gateway_questions(around, gateways)]
    board = Board([questions], around.settings, time.time)
    events = board.events()
    asking = asyncio.create_task(board.run())
    try:
        async for event in events:
            yield event
    finally:
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking


def _surroundings(
    spec: ClusterSpec,
    hosts: Mapping[str, Host],
    kubeconfig: Path | None,
    settings: Settings,
    *,
    straight: bool,
    installing: bool,
) -> Surroundings:
    readiness = Readiness()
    # Simulated hosts live on loopback, where this machine's own services would answer for them.
    straight = straight and not any(node.address.is_loopback for node in spec.nodes)
    ways = Ways(hosts, readiness, settings.limits, straight=straight)
    return Surroundings(spec, hosts, settings, ways, readiness, kubeconfig, installing)


def _api_key(spec: ClusterSpec) -> ProbeKey:
    """The probe of the API through the address that everybody uses."""
    api = spec.kubernetes.api
    with_api = [node for node in spec.servers if Role.CONTROL_PLANE in node.roles] or spec.servers
    label = {ApiMode.VIP: VIP, ApiMode.EXTERNAL: BALANCER}.get(api.mode) or with_api[0].name
    return ProbeKey(ProbeKind.API, label, API_PORT if api.mode is ApiMode.FIRST_SERVER else api.port)


def _api_questions(around: Surroundings) -> list[Question]:
    servers = around.spec.nodes_with(Role.CONTROL_PLANE)
    targets = {node.name: Target(str(node.address), API_PORT, node.name) for node in servers}
    shared = _api_key(around.spec)
    if shared.target not in targets:
        targets[shared.target] = Target(str(around.spec.api_address), shared.port)
    return [ApiQuestion(around, label, target, is_shared=label == shared.target) for label, target in targets.items()]


def _vip_questions(around: Surroundings, gateways: list[Node], *, with_keepalived: bool) -> list[Question]:
    gateway = around.spec.gateway
    if gateway.mode is not GatewayMode.KEEPALIVED or gateway.vip is None or not gateways:
        return []
    return [HolderQuestion(around, gateways, str(gateway.vip.ip), with_keepalived=with_keepalived)]


def _gateway_questions(around: Surroundings, gateways: list[Node]) -> list[Question]:
    """Every gateway port on every gateway, and through the address in front of them."""
    gateway = around.spec.gateway
    places = [(node.name, str(node.address), node.name) for node in gateways]
    if gateway.mode is GatewayMode.KEEPALIVED and gateway.vip is not None:
        places.append((VIP, str(gateway.vip.ip), ""))
    elif gateway.mode is GatewayMode.EXTERNAL and gateway.address is not None:
        places.append((BALANCER, str(gateway.address), ""))
    return [
        GatewayQuestion(around, label, Target(address, port, node))
        for label, address, node in places
        for port in ports_in_front(around.spec.profile, Reach.USERS)
    ]
