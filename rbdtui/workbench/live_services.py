"""What the hosts see of the services that they will use, while these are being typed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rbdtui.checks import services
from rbdtui.checks.services import AnyServiceCheck, judge_service
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.workbench.asker import Asker
from rbdtui.workbench.background import BackgroundLoop

MOST_WITNESSES: Final = 3
"""So many hosts are asked: they stand in one network, where all see the same."""
ASK_LIMIT_S: Final = 45.0


@dataclass(frozen=True, slots=True)
class ServiceLook:
    """What the hosts have said of one service so far."""

    question: Any = None
    """What they are asked, the check's own; None while there is nothing to ask or nobody to be asked."""
    asking: tuple[str, ...] = ()
    """Hosts that have not answered yet."""
    answers: Mapping[str, Any] = field(default_factory=dict)
    """By host, the check's own."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Key:
    check: str
    node: str


@dataclass(frozen=True, slots=True)
class _Question:
    """What one host is asked; the same question is not asked twice."""

    endpoint: Endpoint
    asked: Any


class ServiceWatch:
    """Asks hosts of a draft about all services; `told` is called in the background loop."""

    def __init__(
        self,
        background: BackgroundLoop,
        known_hosts: KnownHosts,
        secret: Callable[[str], str],
        told: Callable[[], None],
        *,
        lock: threading.RLock,
        debounce_s: float,
    ) -> None:
        self._known_hosts, self._secret = known_hosts, secret
        self._checks: dict[str, AnyServiceCheck] = {check.name: check for check in services.SERVICE_CHECKS}
        self._asker: Asker[_Key, _Question, Any] = Asker(background, self._ask, told, lock=lock, debounce_s=debounce_s)

    def follow(self, spec: ClusterSpec | None, reachable: Mapping[str, Endpoint]) -> None:
        """Ask these hosts, as far as they have not been asked the same yet. Returns at once."""
        wanted: dict[_Key, _Question] = {}
        for check in self._checks.values() if spec is not None else ():
            assert spec is not None
            question = check.question(spec)
            if question is not None:
                names = [name for name in check.hosts(spec) if name in reachable][:MOST_WITNESSES]
                wanted |= {_Key(check.name, name): _Question(reachable[name], question) for name in names}
        self._asker.follow(wanted)

    def looks(self, view: ClusterView) -> dict[str, ServiceLook]:
        """What is known of each service that is asked about, by the name of its check."""
        questions, waiting, answers = self._asker.questions, self._asker.waiting, self._asker.answers
        found: dict[str, ServiceLook] = {}
        for name, check in self._checks.items():
            asked = next((question.asked for key, question in questions.items() if key.check == name), None)
            if asked is not None:
                asking = tuple(key.node for key in waiting if key.check == name)
                said = {key.node: answer for key, answer in answers.items() if key.check == name and answer is not None}
                found[name] = ServiceLook(asked, asking, said, tuple(judge_service(check, said, view)))
        return found

    def close(self) -> None:
        """Stop asking."""
        self._asker.close()

    async def _ask(self, key: _Key, question: _Question) -> Any:
        """What a host says; None when it could not be asked."""
        try:
            async with (
                asyncio.timeout(ASK_LIMIT_S),
                HostPool({key.node: question.endpoint}, self._known_hosts, self._secret) as hosts,
            ):
                return await self._checks[key.check].ask(question.asked, hosts[key.node])
        except Exception:  # whatever keeps a host from answering, its own login says it; here it is no witness
            return None
