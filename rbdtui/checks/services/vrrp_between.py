"""Whether VRRP passes between those that are to carry the virtual address: IP protocol 112.

Where it does not pass, each takes the others for dead, and all of them carry the address at once (RFC 5798, section
6.4.2: who hears nothing for the master's down interval becomes the master).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.services.between import (
    GROUP,
    VRRP,
    Between,
    BetweenQuestion,
    evidence_of,
    try_between,
    ways_in_words,
)
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.transport.base import Host

_FIELD: Final = "gateway.vip"


class VrrpBetweenCheck:
    """Each of those that are to carry the address hears each other one."""

    name = "vrrp-between"
    field = _FIELD
    limit_s = 40.0

    def question(self, view: ClusterView) -> BetweenQuestion | None:
        """Those that have answered; None for fewer than two."""
        spec = view.spec
        if spec.gateway.vip is None or not spec.has_vip:
            return None
        there = {node.name for node, _ in view.answered()}
        addresses = {node.name: spec.vrrp_address(node) for node in spec.vip_nodes if node.name in there}
        return BetweenQuestion(addresses, VRRP, spec.gateway.unicast) if len(addresses) > 1 else None

    async def ask(self, question: BetweenQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> Between:
        """Have all of them send and listen at once."""
        del secret
        return await try_between(question, hosts)

    def judge(self, question: BetweenQuestion, answer: Between | None, view: ClusterView) -> Iterator[Finding]:
        """One error for all ways that are shut, and who could not try."""
        if answer is None:
            answer = Between(untried=dict.fromkeys(question.addresses, f"no answer within {self.limit_s:g} s"))
        if answer.lost:
            yield view.finding(
                "RBD-VIP-115", Severity.ERROR, field=_FIELD, evidence=evidence_of(question, answer),
                pairs=ways_in_words(answer.lost, list(question.addresses)),
                way="unicast" if question.unicast else f"multicast, {GROUP}",
            )  # fmt: skip
        if answer.untried:
            yield view.finding(
                "RBD-VIP-116", Severity.INFO, field=_FIELD, nodes=", ".join(answer.untried),
                evidence="\n".join(f"{name}: {words}" for name, words in answer.untried.items()),
            )  # fmt: skip


CHECK: Final = VrrpBetweenCheck()
