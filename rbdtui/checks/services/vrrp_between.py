"""Whether VRRP passes between the gateways: IP protocol 112, which no connection of TCP can tell anything of.

Where it does not pass, each gateway takes the others for dead, and all of them carry the virtual address at once
(RFC 5798, section 6.4.2: who hears nothing for the master's down interval becomes the master).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script

_FIELD: Final = "gateway.vip"
TRY_S: Final = 2.0
_ROUNDS: Final = 2
"""Hosts do not begin at the same moment; what has not come in the first round is tried once more."""
_GROUP: Final = "224.0.0.18"
_NO_INTERPRETER: Final = 3
_MOST_PAIRS_TOLD: Final = 6

Pair = tuple[str, str]
"""Who sends, and who should hear it: names of nodes."""


@dataclass(frozen=True, slots=True)
class BetweenQuestion:
    """The gateways that have answered, and how keepalived will speak to them."""

    addresses: Mapping[str, IPv4Address]
    """Each node's own address that its announcements come from."""
    unicast: bool


@dataclass(frozen=True, slots=True)
class Between:
    """What came of it."""

    lost: frozenset[Pair] = frozenset()
    unsent: Mapping[str, str] = field(default_factory=dict)
    """By node: why it cannot even send, in its own words."""
    untried: Mapping[str, str] = field(default_factory=dict)
    """By node: why it could not try, in its own words."""


@dataclass(slots=True)
class _Told:
    """What one node has said in one round."""

    heard: set[str] = field(default_factory=set)
    unsent: str = ""
    trouble: str = ""


class VrrpBetweenCheck:
    """Each gateway hears each other one."""

    name = "vrrp-between"
    field = _FIELD
    limit_s = 40.0

    def question(self, view: ClusterView) -> BetweenQuestion | None:
        """Those that are to carry the address and have answered; None for fewer than two."""
        spec = view.spec
        if spec.gateway.vip is None or not spec.has_vip:
            return None
        there = {node.name for node, _ in view.answered()}
        addresses = {node.name: spec.vrrp_address(node) for node in spec.vip_nodes if node.name in there}
        return BetweenQuestion(addresses, spec.gateway.unicast) if len(addresses) > 1 else None

    async def ask(self, question: BetweenQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> Between:
        """Have all of them send and listen at once, twice where something did not arrive."""
        del secret
        untried: dict[str, str] = {}
        unsent: dict[str, str] = {}
        addresses = dict(question.addresses)
        lost = {(source, target) for source in addresses for target in addresses if source != target}
        for _ in range(_ROUNDS):
            told = await _round(BetweenQuestion(addresses, question.unicast), hosts)
            untried |= {name: said.trouble for name, said in told.items() if said.trouble}
            unsent = {name: said.unsent for name, said in told.items() if said.unsent}
            addresses = {name: address for name, address in addresses.items() if name not in untried}
            lost = {
                (source, target)
                for source, target in lost
                if source in addresses and target in addresses and source not in told[target].heard
            }
            if not lost:
                break
        return Between(frozenset(lost), unsent, untried)

    def judge(self, question: BetweenQuestion, answer: Between | None, view: ClusterView) -> Iterator[Finding]:
        """One error for all ways that are shut, and who could not try."""
        if answer is None:
            answer = Between(untried=dict.fromkeys(question.addresses, f"no answer within {self.limit_s:g} s"))
        if answer.lost:
            order = {name: index for index, name in enumerate(question.addresses)}
            pairs = sorted(answer.lost, key=lambda pair: (order[pair[0]], order[pair[1]]))
            evidence = [
                *(f"{source} ({question.addresses[source]}) -> {target}" for source, target in pairs),
                *(f"{name}: {words}" for name, words in answer.unsent.items()),
            ]
            yield view.finding(
                "RBD-VIP-115", Severity.ERROR, field=_FIELD, evidence="\n".join(evidence),
                pairs=_words(pairs), way="unicast" if question.unicast else f"multicast, {_GROUP}",
            )  # fmt: skip
        if answer.untried:
            yield view.finding(
                "RBD-VIP-116", Severity.INFO, field=_FIELD, nodes=", ".join(answer.untried),
                evidence="\n".join(f"{name}: {words}" for name, words in answer.untried.items()),
            )  # fmt: skip


CHECK: Final = VrrpBetweenCheck()


def _words(pairs: list[Pair]) -> str:
    """``a -> b`` for a few of them; both directions are one ``a <-> b``."""
    said = []
    for source, target in pairs:
        if (target, source) not in pairs:
            said.append(f"{source} -> {target}")
        elif pairs.index((source, target)) < pairs.index((target, source)):
            said.append(f"{source} <-> {target}")
    more = len(said) - _MOST_PAIRS_TOLD
    return ", ".join(said[:_MOST_PAIRS_TOLD]) + (f" (+{more})" if more > 0 else "")


async def _round(question: BetweenQuestion, hosts: Mapping[str, Host]) -> dict[str, _Told]:
    mark = secrets.token_hex(8)
    said = await asyncio.gather(*(_one(name, question, hosts[name], mark) for name in question.addresses))
    return dict(zip(question.addresses, said, strict=True))


async def _one(name: str, question: BetweenQuestion, host: Host, mark: str) -> _Told:
    own = str(question.addresses[name])
    names = {str(address): other for other, address in question.addresses.items()}
    targets = [address for address in names if address != own] if question.unicast else [_GROUP]
    try:
        result = await host.run(script("vrrp-between"), own, f"{TRY_S:g}", mark, *targets)
    except TransportError as error:
        return _Told(trouble=f"{type(error).__name__}: {error}")
    lines = [line.split(maxsplit=2) for line in result.text.splitlines()]
    if result.exit_status == _NO_INTERPRETER:
        return _Told(trouble="python3, perl: not found")
    if ["tried"] not in lines:
        return _Told(trouble=result.error_text.strip()[-300:] or f"exit {result.exit_status}")
    told = _Told(heard={names[words[1]] for words in lines if words[0] == "heard" and words[1] in names})
    told.unsent = "; ".join(" ".join(words[1:]) for words in lines if words[:1] == ["unsent"])[:300]
    return told
