"""Whether a balancer leads to each API server of a cluster of ours that runs: told by their certificates.

Before an installation its ports are tried with listeners of ours (`balancer.py`); once servers have them, this is what
can still be told. Of 9345 and of the ports of gateways it cannot: see `rbdtui.probes.led_to`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.probes.led_to import ONCE_LIMITS, ApiFront, LedTo, Verdict, api_front, look_through
from rbdtui.probes.routes import ProbeRoutes, Readiness
from rbdtui.spec.balanced import API_PORT
from rbdtui.transport.base import Host
from rbdtui.words import Text

_CODES: Final = {
    Verdict.MISSED: ("RBD-LB-125", Severity.WARNING),
    Verdict.ONE: ("RBD-LB-126", Severity.WARNING),
    Verdict.NOBODY: ("RBD-LB-127", Severity.WARNING),
    Verdict.STICKY: ("RBD-LB-128", Severity.INFO),
    Verdict.ALIKE: ("RBD-LB-129", Severity.INFO),
}
"""None is an error: a run must be able to mend our own pair, and of somebody else's balancer much cannot be told."""


@dataclass(frozen=True, slots=True)
class BalancedApiQuestion:
    """The balancer, and who can be asked over SSH."""

    front: ApiFront
    nodes: tuple[str, ...]


class BalancedApiCheck:
    """Every API server of ours that answers by itself is met through the balancer as well."""

    name = "balanced-api"
    field = "kubernetes.api.address"
    limit_s = 30.0

    def question(self, view: ClusterView) -> BalancedApiQuestion | None:
        """The balancer in front of API servers of ours, once one of them listens."""
        front = api_front(view.spec)
        if front is None or not any(_runs(name, view) for name in front.names):
            return None
        return BalancedApiQuestion(front, tuple(name for name in front.names if name in view.facts))

    async def ask(self, question: BalancedApiQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> LedTo:
        """Who shows which certificate, by itself and through the balancer; nothing is changed anywhere."""
        # Simulated hosts live on loopback, where this machine's own services would answer for them.
        straight = not ip_address(question.front.address).is_loopback
        asked = {name: hosts[name] for name in question.nodes}
        ways = ProbeRoutes(asked, Readiness(), ONCE_LIMITS, straight=straight)
        return await look_through(question.front, ways, ONCE_LIMITS, question.nodes)

    def judge(self, question: BalancedApiQuestion, answer: LedTo | None, view: ClusterView) -> Iterable[Finding]:
        """Servers that were not met, and others that were."""
        return judge(question.front, answer, view)


def _runs(name: str, view: ClusterView) -> bool:
    """Whether an API server of ours listens on a node."""
    if not view.is_ours(name):
        return False
    return any(each.protocol == "tcp" and each.port == API_PORT for each in view.facts[name].listeners)


def judge(front: ApiFront, answer: LedTo | None, view: ClusterView) -> Iterator[Finding]:
    """All findings; None stands for no answer within the limit."""
    place = view.place(front.field)
    params: dict[str, str | int | float | Text] = {"address": front.address, "port": front.port}
    if answer is None:
        yield Finding("RBD-LB-124", Severity.WARNING, place, {"address": front.address})
        return
    if answer.strangers:
        yield Finding("RBD-LB-130", Severity.WARNING, place, params, answer.evidence)
    if answer.verdict not in _CODES or (answer.verdict is Verdict.NOBODY and answer.strangers):
        return
    code, severity = _CODES[answer.verdict]
    told: dict[str, str | int | float | Text] = {
        **params, "hosts": ", ".join(answer.missing), "met": ", ".join(answer.servers), "count": len(answer.own),
        "places": len(answer.met),
    }  # fmt: skip
    yield Finding(code, severity, place, told, answer.evidence)


CHECK: Final = BalancedApiCheck()
