"""What the hosts see of the services that they will use, while these are being typed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from rbdtui.checks import services
from rbdtui.checks.services import THIS_MACHINE, AnyServiceCheck, Asking, judge_service
from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.endpoints import Endpoint
from rbdtui.transport.hostkeys import KnownHosts
from rbdtui.transport.pool import HostPool
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.live.asker import Asker

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
    answered_at: Mapping[str, float] = field(default_factory=dict)
    """When each of them answered, as seconds of `time.monotonic`."""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class _Key:
    check: str
    node: str


@dataclass(frozen=True, slots=True)
class _Question:
    """What is asked from one place; the same question is not asked twice."""

    endpoint: Endpoint | None
    """None for this machine."""
    asked: Any
    vault: int
    """Grows with every change of the vault: the answer may be another one then."""


class ServiceWatch:
    """Asks hosts of a draft about all services; `told` is called in the background loop."""

    def __init__(
        self,
        background: BackgroundLoop,
        known_hosts: KnownHosts,
        secret: Callable[[str], str],
        known_secret: KnownSecret,
        told: Callable[[], None],
        *,
        lock: threading.RLock,
        debounce_s: float,
    ) -> None:
        self._known_hosts, self._secret, self._known_secret = known_hosts, secret, known_secret
        self._vault = 0
        self._checks: dict[str, AnyServiceCheck] = {check.name: check for check in services.SERVICE_CHECKS}
        self._asker: Asker[_Key, _Question, Any] = Asker(background, self._ask, told, lock=lock, debounce_s=debounce_s)

    def follow(self, spec: ClusterSpec | None, reachable: Mapping[str, Endpoint], typed_into: str = "") -> None:
        """Ask these hosts, as far as they have not been asked the same yet. Returns at once.

        ``typed_into`` is the part of cluster.yaml that is being typed into: half an address is another machine's, and
        nobody logs in there.
        """
        wanted: dict[_Key, _Question] = {}
        for check in self._checks.values() if spec is not None else ():
            assert spec is not None
            half_typed = check.logs_in and check.field.partition(".")[0] == typed_into
            question = None if half_typed or spec.profile.audit_only else check.question(spec)
            if question is not None:
                hosts = check.hosts(spec)
                names = [name for name in hosts if name in reachable][:MOST_WITNESSES]
                names += [THIS_MACHINE] if THIS_MACHINE in hosts and not self._known_hosts.only_simulated else []
                for name in names:
                    wanted[_Key(check.name, name)] = _Question(reachable.get(name), question, self._vault)
        self._asker.follow(wanted)

    def vault_changed(self) -> None:
        """Have everything asked again at the next `follow`: there may be other passwords."""
        self._vault += 1

    def looks(self, view: ClusterView) -> dict[str, ServiceLook]:
        """What is known of each service that is asked about, by the name of its check."""
        questions, waiting, answers = self._asker.questions, self._asker.waiting, self._asker.answers
        found: dict[str, ServiceLook] = {}
        for name, check in self._checks.items():
            asked = next((question.asked for key, question in questions.items() if key.check == name), None)
            if asked is not None:
                asking = tuple(key.node for key in waiting if key.check == name)
                said = {key.node: answer for key, answer in answers.items() if key.check == name and answer is not None}
                at = {key.node: moment for key, moment in self._asker.answered_at.items() if key.check == name}
                found[name] = ServiceLook(asked, asking, said, at, tuple(judge_service(check, said, view)))
        return found

    def close(self) -> None:
        """Stop asking."""
        self._asker.close()

    async def _ask(self, key: _Key, question: _Question) -> Any:
        """What is seen from there; None when it could not be asked."""
        check, endpoints = self._checks[key.check], {key.node: question.endpoint} if question.endpoint else {}
        try:
            async with (
                asyncio.timeout(ASK_LIMIT_S),
                HostPool(endpoints, self._known_hosts, self._secret) as hosts,
            ):
                return await check.ask(question.asked, Asking(self._known_secret, hosts.get(key.node)))
        except Exception:  # whatever keeps a host from answering, its own login says it; here it is no witness
            return None
