"""Whether the virtual address is free: gateways that answered try it and look into their neighbour tables.

A newer address cancels the asking; what was answered for another address is never shown for this one.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

from rbdtui.checks.ask import look_for_vip
from rbdtui.checks.network import VipAnswer
from rbdtui.checks.view import carries_vip
from rbdtui.findings import Finding
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.workbench.background import BackgroundLoop

MOST_WITNESSES: Final = 3
"""So many gateways are asked: they stand in one network, where all see the same."""
LOOK_LIMIT_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class VipLook:
    """What the gateways have said of an address so far."""

    vip: str = ""
    """The address; empty while none is asked about."""
    asking: tuple[str, ...] = ()
    """Gateways that have not answered yet."""
    answers: Mapping[str, VipAnswer] = field(default_factory=dict)
    """By gateway."""
    findings: tuple[Finding, ...] = ()
    """Who has the address, or why that cannot be told."""

    @property
    def witnesses(self) -> tuple[str, ...]:
        """Gateways that could try the address."""
        return tuple(name for name, answer in self.answers.items() if answer.own or answer.tried)


@dataclass(frozen=True, slots=True)
class _Question:
    """What a gateway is asked; the same question is not asked twice."""

    endpoint: Endpoint
    vip: str
    port: int
    """Of the API, which is where the address is tried."""


class VipWatch:
    """Asks gateways about the virtual address of a draft; `on_answer` is called in the background loop."""

    def __init__(
        self,
        background: BackgroundLoop,
        known_hosts: KnownHosts,
        secret: Callable[[str], str],
        on_answer: Callable[[], None],
        *,
        debounce_s: float,
    ) -> None:
        self._background, self._known_hosts, self._secret = background, known_hosts, secret
        self._on_answer, self._debounce_s = on_answer, debounce_s
        self._questions: dict[str, _Question] = {}
        self._answers: dict[str, VipAnswer] = {}
        self._tasks: dict[str, Future[None]] = {}
        self._lock = threading.RLock()

    def follow(self, spec: ClusterSpec | None, gateways: Mapping[str, Endpoint]) -> None:
        """Ask these gateways, as far as they have not been asked about this address yet. Returns at once."""
        wanted: dict[str, _Question] = {}
        if spec is not None and spec.gateway.vip is not None and carries_vip(spec):
            vip, port = str(spec.gateway.vip.ip), spec.kubernetes.api.port
            names = list(gateways)[:MOST_WITNESSES]
            wanted = {name: _Question(gateways[name], vip, port) for name in names}
        with self._lock:
            for name in [name for name, known in self._questions.items() if wanted.get(name) != known]:
                self._forget(name)
            for name, question in wanted.items():
                if spec is not None and name not in self._questions:
                    self._questions[name] = question
                    self._tasks[name] = self._background.submit(self._ask(name, question, spec))

    @property
    def look(self) -> VipLook:
        """What is known of the address, without findings."""
        with self._lock:
            vip = next((question.vip for question in self._questions.values()), "")
            return VipLook(vip, tuple(self._tasks), dict(self._answers))

    def _forget(self, name: str) -> None:
        del self._questions[name]
        self._answers.pop(name, None)
        if (task := self._tasks.pop(name, None)) is not None:
            task.cancel()

    async def _ask(self, name: str, question: _Question, spec: ClusterSpec) -> None:
        await asyncio.sleep(self._debounce_s)
        answer: VipAnswer | None = None
        try:
            async with (
                asyncio.timeout(LOOK_LIMIT_S),
                HostPool({name: question.endpoint}, self._known_hosts, self._secret) as hosts,
            ):
                answer = await look_for_vip(hosts[name], spec)
        except Exception:  # whatever keeps a gateway from answering, its own login says it; here it is no witness
            answer = None
        with self._lock:
            if self._questions.get(name) is not question:
                return
            self._tasks.pop(name, None)
            if answer is not None:
                self._answers[name] = answer
        self._on_answer()
