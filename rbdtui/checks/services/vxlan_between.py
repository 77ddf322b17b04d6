"""Whether VXLAN passes between the nodes: UDP, by which pods of one node reach those of another.

Where it does not pass, all nodes become ready, and then half of what runs on them finds neither DNS nor each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.checks.hosts.ports import vxlan_port
from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.services.between import Between, BetweenQuestion, evidence_of, try_between, ways_in_words
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.transport.base import Host

_FIELD: Final = "nodes"


class VxlanBetweenCheck:
    """Each node of the cluster hears each other one."""

    name = "vxlan-between"
    field = _FIELD
    limit_s = 60.0

    def question(self, view: ClusterView) -> BetweenQuestion | None:
        """Those that have answered, by the addresses that Kubernetes gives them; None for fewer than two."""
        spec = view.spec
        port = vxlan_port(spec)
        there = {node.name for node, _ in view.answered()}
        addresses = {node.name: node.cluster_address for node in spec.managed_cluster_nodes if node.name in there}
        return BetweenQuestion(addresses, str(port)) if port and len(addresses) > 1 else None

    async def ask(self, question: BetweenQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> Between:
        """Have all of them send and listen at once, but those whose port is taken, as in a cluster at work."""
        del secret
        return await try_between(question, hosts)

    def judge(self, question: BetweenQuestion, answer: Between | None, view: ClusterView) -> Iterator[Finding]:
        """One error for all ways that are shut, and who could not try."""
        if answer is None:
            answer = Between(untried=dict.fromkeys(question.addresses, f"no answer within {self.limit_s:g} s"))
        if answer.lost:
            yield view.finding(
                "RBD-NET-115", Severity.ERROR, field=_FIELD, evidence=evidence_of(question, answer),
                pairs=ways_in_words(answer.lost, list(question.addresses)), port=question.way,
            )  # fmt: skip
        if answer.untried:
            yield view.finding(
                "RBD-NET-116", Severity.INFO, field=_FIELD, nodes=", ".join(answer.untried), port=question.way,
                evidence="\n".join(f"{name}: {words}" for name, words in answer.untried.items()),
            )  # fmt: skip


CHECK: Final = VxlanBetweenCheck()
