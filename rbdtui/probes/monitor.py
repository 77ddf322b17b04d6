"""The health of one cluster: the questions of all probes, and the picture that their answers make."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from rbdtui.probes import registry
from rbdtui.probes.api import api_key
from rbdtui.probes.board import Board, HealthEvents
from rbdtui.probes.history import HealthHistory
from rbdtui.probes.model import HealthEvent, HealthSnapshot, ProbeStatus
from rbdtui.probes.past import Past
from rbdtui.probes.question import KnownSecret, Probe, ProbeContext, Question, Stage, no_secret
from rbdtui.probes.routes import ProbeRoutes, Readiness
from rbdtui.probes.settings import Settings
from rbdtui.probes.verdict import verdict
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Host

_LOOK_EVERY_S: Final = 2.0


class HealthMonitor:
    """The health of one cluster.

    ``hosts`` may lack nodes; none needs to be connected. ``kubeconfig`` may appear later. With ``straight=False``,
    and where nodes have loopback addresses, everything is asked through the hosts. What changes is kept in
    ``history``, and what it knows from earlier is taken up. While ``installing`` says that a run is under way and
    there is no kubeconfig yet, which the run writes once the cluster is proven, what has not come yet is not missed.
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
        secret: KnownSecret = no_secret,
        history: HealthHistory | None = None,
        installing: Callable[[], bool] = lambda: False,
    ) -> None:
        around = _surroundings(spec, hosts, kubeconfig, settings or Settings(), straight=straight)
        around.secret = secret
        stages = [_questions(around, *(p for p in registry.PROBES if p.stage is stage)) for stage in Stage]
        self._board = Board(stages, around.settings, clock)
        self._around = around
        self._installing, self._kubeconfig = installing, kubeconfig
        self._arriving_known: tuple[float, bool] = (-_LOOK_EVERY_S, False)
        self._board.arriving = self._arriving
        around.standing = self._standing
        self._past = Past(history, self._board, around) if history is not None else None
        self._api = api_key(spec)

    def _arriving(self) -> bool:
        """Whether a first installation is under way, which is looked for now and then."""
        at, known = self._arriving_known
        now = time.monotonic()
        if now - at >= _LOOK_EVERY_S:
            there = self._kubeconfig is not None and self._kubeconfig.exists()
            known = not there and self._installing()
            self._arriving_known = now, known
        return known

    def _standing(self) -> tuple[ProbeStatus, ...]:
        return tuple(tracker.status() for tracker in self._board.trackers.values())

    async def run(self) -> None:
        """Ask until cancelled."""
        if self._past is None:
            await self._board.run()
            return
        async with self._past.remembering():
            await self._board.run()

    async def once(self) -> HealthSnapshot:
        """Ask every question one time, those first that others build on."""
        await self._board.once()
        if self._past is not None:
            self._past.remember()
            self._past.close()
        return self.snapshot()

    def poll_now(self) -> None:
        """Ask everything now that waits for its turn; to be called in the loop of `run`."""
        self._board.poll_now()

    def events(self) -> HealthEvents:
        """Changes of state from now on; several readers get the same."""
        return self._board.events()

    def snapshot(self) -> HealthSnapshot:
        """The picture as it is now."""
        probes = self._standing()
        health, headline = verdict(probes, self._api, arriving=self._arriving())
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
    around = _surroundings(spec, hosts, None, settings or Settings(), straight=straight)
    gateways = [node for node in spec.gateways if nodes is None or node.name in nodes]
    carriers = [node for node in spec.vip_nodes if nodes is None or node.name in nodes]
    around = replace(around, gateways=gateways, carriers=carriers, installing=True)
    questions = _questions(around, *(probe for probe in registry.PROBES if probe.during_runs))
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
) -> ProbeContext:
    readiness = Readiness()
    # Simulated hosts live on loopback, where this machine's own services would answer for them.
    straight = straight and not any(node.address.is_loopback for node in spec.nodes)
    ways = ProbeRoutes(hosts, readiness, settings.limits, straight=straight)
    return ProbeContext(
        spec, hosts, settings, ways, readiness, kubeconfig, spec.gateways, spec.vip_nodes, installing=False
    )


def _questions(around: ProbeContext, *probes: Probe) -> list[Question]:
    return [question for probe in probes for question in probe.questions(around)]
