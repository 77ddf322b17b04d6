"""Packets that hosts send to each other all at once: which ways between them are shut.

For what no connection of TCP can tell anything of: protocols of their own, and UDP, where silence is no answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import ClassVar, Final

from rbdtui.checks.services.asking import KnownSecret
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.together import together
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script

_ROUNDS_S: Final = (1.0, 3.0)
"""Hosts do not begin at the same moment; what has not come in the first round is tried once more, for longer."""
VRRP: Final = "vrrp"
GROUP: Final = "224.0.0.18"
_NO_INTERPRETER, _TAKEN = 3, 5
_MOST_WAYS_TOLD: Final = 6

Pair = tuple[str, str]
"""Who sends, and who should hear it: names of nodes."""


@dataclass(frozen=True, slots=True)
class BetweenQuestion:
    """Hosts that have answered, and what they send."""

    addresses: Mapping[str, IPv4Address]
    """Each node's own address that its packets come from."""
    way: str
    """`VRRP`, or a UDP port."""
    unicast: bool = True


@dataclass(frozen=True, slots=True)
class Between:
    """What came of it."""

    lost: frozenset[Pair] = frozenset()
    unsent: Mapping[str, str] = field(default_factory=dict)
    """By node: why it cannot even send, in its own words."""
    untried: Mapping[str, str] = field(default_factory=dict)
    """By node: why it could not try, in its own words."""
    taken: frozenset[str] = frozenset()
    """Nodes where the port is somebody's already."""


@dataclass(slots=True)
class _Told:
    """What one node has said in one round."""

    heard: set[str] = field(default_factory=set)
    unsent: str = ""
    trouble: str = ""
    is_taken: bool = False


class BetweenCheck:
    """What checks of such packets share: one error for all ways that are shut, one note for who could not try."""

    field: str
    limit_s: float
    shut_code: ClassVar[str]
    untried_code: ClassVar[str]

    async def ask(self, question: BetweenQuestion, hosts: Mapping[str, Host], secret: KnownSecret) -> Between:
        """Have all of them send and listen at once, but those whose port is taken, as in a cluster at work."""
        del secret
        return await try_between(question, hosts)

    def judge(self, question: BetweenQuestion, answer: Between | None, view: ClusterView) -> Iterator[Finding]:
        """One error for all ways that are shut, and who could not try."""
        if answer is None:
            answer = Between(untried=dict.fromkeys(question.addresses, f"no answer within {self.limit_s:g} s"))
        if answer.lost:
            pairs = ways_in_words(answer.lost, list(question.addresses))
            evidence = evidence_of(question, answer)
            yield view.finding(
                self.shut_code, Severity.ERROR, field=self.field, evidence=evidence, pairs=pairs, port=question.way
            )
        if answer.untried:
            nodes = ", ".join(answer.untried)
            evidence = "\n".join(f"{name}: {words}" for name, words in answer.untried.items())
            yield view.finding(
                self.untried_code, Severity.INFO, field=self.field, evidence=evidence, nodes=nodes, port=question.way
            )


def able(view: ClusterView, addresses: Mapping[str, IPv4Address]) -> dict[str, IPv4Address]:
    """Those that have answered and hold the address that they are to send from; of the others RBD-NET-101 tells."""
    return {
        name: address
        for name, address in addresses.items()
        if (facts := view.facts.get(name)) is not None
        if not facts.interfaces or facts.interface_of(address) is not None
    }


async def try_between(question: BetweenQuestion, hosts: Mapping[str, Host]) -> Between:
    """Have all of them send and listen at once, twice where something did not arrive."""
    untried: dict[str, str] = {}
    unsent: dict[str, str] = {}
    taken: set[str] = set()
    addresses = dict(question.addresses)
    lost = {(source, target) for source in addresses for target in addresses if source != target}
    for seconds in _ROUNDS_S:
        told = await _round(BetweenQuestion(addresses, question.way, question.unicast), hosts, seconds)
        untried |= {name: said.trouble for name, said in told.items() if said.trouble}
        taken |= {name for name, said in told.items() if said.is_taken}
        unsent = {name: said.unsent for name, said in told.items() if said.unsent}
        addresses = {name: address for name, address in addresses.items() if name not in untried and name not in taken}
        lost = {
            (source, target)
            for source, target in lost
            if source in addresses and target in addresses and source not in told[target].heard
        }
        if not lost:
            break
    return Between(frozenset(lost), unsent, untried, frozenset(taken))


def ways_in_words(lost: Iterable[Pair], nodes: Sequence[str]) -> str:
    """``a -> b`` for a few of them; both directions are ``a <-> b``, and what nobody reaches ``* -> b``."""
    order = {name: index for index, name in enumerate(nodes)}
    pairs = sorted(lost, key=lambda pair: (order[pair[0]], order[pair[1]]))
    known = set(pairs)
    deaf = [target for target in nodes if len(nodes) > 2 and sum(each[1] == target for each in pairs) == len(nodes) - 1]
    said = [f"* -> {target}" for target in deaf]
    for source, target in pairs:
        if target in deaf:
            continue
        if (target, source) not in known or source in deaf:
            said.append(f"{source} -> {target}")
        elif order[source] < order[target]:
            said.append(f"{source} <-> {target}")
    more = len(said) - _MOST_WAYS_TOLD
    return ", ".join(said[:_MOST_WAYS_TOLD]) + (f" (+{more})" if more > 0 else "")


def evidence_of(question: BetweenQuestion, answer: Between) -> str:
    """Every way that is shut, a line each, and what hosts said that cannot send."""
    lines = [] if question.unicast else [f"multicast, {GROUP}"]
    lines += [f"{source} ({question.addresses[source]}) -> {target}" for source, target in sorted(answer.lost)]
    return "\n".join([*lines, *(f"{name}: {words}" for name, words in answer.unsent.items())])


async def _round(question: BetweenQuestion, hosts: Mapping[str, Host], seconds: float) -> dict[str, _Told]:
    mark = secrets.token_hex(8)
    said = await together(*(_one(name, question, hosts[name], mark, seconds) for name in question.addresses))
    return dict(zip(question.addresses, said, strict=True))


async def _one(name: str, question: BetweenQuestion, host: Host, mark: str, seconds: float) -> _Told:
    own = str(question.addresses[name])
    names = {str(address): other for other, address in question.addresses.items()}
    targets = [address for address in names if address != own] if question.unicast else [GROUP]
    try:
        result = await host.run(script("packets-between"), question.way, own, f"{seconds:g}", mark, *targets)
    except TransportError as error:
        return _Told(trouble=f"{type(error).__name__}: {error}")
    lines = [line.split(maxsplit=2) for line in result.text.splitlines()]
    if result.exit_status == _TAKEN:
        return _Told(is_taken=True)
    if result.exit_status == _NO_INTERPRETER:
        return _Told(trouble="python3, perl: not found")
    if ["tried"] not in lines:
        return _Told(trouble=result.error_text.strip()[-300:] or f"exit {result.exit_status}")
    told = _Told(heard={names[words[1]] for words in lines if words[:1] == ["heard"] and words[1] in names})
    told.unsent = "; ".join(" ".join(words[1:]) for words in lines if words[:1] == ["unsent"])[:300]
    return told
