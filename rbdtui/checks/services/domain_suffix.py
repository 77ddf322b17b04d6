"""Whether names below the domain suffix of applications lead to the gateways, for nodes and for this machine.

Without a suffix Rainbond takes ``<gateway address>.nip.io``, which a public DNS answers
(goodrain/rainbond-operator@v6.2.1-release, controllers/rainbondcluster).
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import Final

from rbdtui.checks.services.asking import THIS_MACHINE, Asking
from rbdtui.checks.services.witnesses import Seen, told_once
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, GatewayMode
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.scripts import script

_FIELD: Final = "rainbond.domain_suffix"
_PUBLIC: Final = "nip.io"
_LIMIT_S: Final = 15.0
_SHOWN: Final = 4


@dataclass(frozen=True, slots=True)
class SuffixQuestion:
    """The suffix, and where names below it should lead."""

    suffix: str
    wanted: tuple[IPv4Address, ...]
    """The gateway address, or those of all gateways where there is none in front of them."""
    gateways: tuple[IPv4Address, ...] = ()
    """The gateways' own."""
    is_chosen: bool = True
    """Whether the plan names it; else it is what Rainbond takes by itself."""


@dataclass(frozen=True, slots=True)
class SuffixAnswer:
    """Where a name that nobody has looked up before leads from one place."""

    addresses: tuple[IPv4Address, ...] = ()
    could_ask: bool = True


class DomainSuffixCheck:
    """Applications can be reached by their names."""

    name = "domain-suffix"
    field = _FIELD
    logs_in = False

    def question(self, spec: ClusterSpec) -> SuffixQuestion | None:
        """The suffix, where the profile has applications with names and it is known where they should lead."""
        wanted = _in_front(spec)
        if "rainbond" not in spec.profile.sections or not wanted:
            return None
        chosen = spec.rainbond.domain_suffix
        gateways = tuple(node.cluster_address for node in spec.gateways)
        return SuffixQuestion(chosen or f"{wanted[0]}.{_PUBLIC}", wanted, gateways, chosen is not None)

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Every node; and for a suffix of the site this machine, which is in its network as applications' users are."""
        chosen = spec.rainbond.domain_suffix is not None
        return [*(node.name for node in spec.cluster_nodes), *([THIS_MACHINE] if chosen else [])]

    async def ask(self, question: SuffixQuestion, asking: Asking) -> SuffixAnswer:
        """Look up a name that nobody has: only a wildcard answers to it. Raises `TransportError`."""
        name = f"rbdtui-{secrets.token_hex(4)}.{question.suffix}"
        if asking.host is None:
            return SuffixAnswer(await _looked_up_here(name))
        result = await asking.host.must(script("resolve"), name, timeout_s=_LIMIT_S)
        lines = result.text.split("\n")
        if lines[0].strip() == "getent absent":
            return SuffixAnswer(could_ask=False)
        found = parse_answer(asking.host.name, "resolve", lambda: tuple(IPv4Address(line) for line in lines if line))
        return SuffixAnswer(tuple(sorted(set(found))))

    def judge(
        self, question: SuffixQuestion, answers: Mapping[str, SuffixAnswer], view: ClusterView
    ) -> Iterator[Finding]:
        """One finding for all places that see the same."""
        yield from told_once(view, answers, lambda _, answer: _look(question, answer), this_machine_too=True)


CHECK: Final = DomainSuffixCheck()


def _in_front(spec: ClusterSpec) -> tuple[IPv4Address, ...]:
    """The address in front of the gateways, or those of the gateways themselves."""
    gateway = spec.gateway
    if gateway.mode in (GatewayMode.KEEPALIVED, GatewayMode.HAPROXY):
        return (gateway.vip.ip,) if gateway.vip is not None else ()
    if gateway.mode is GatewayMode.EXTERNAL:
        return (gateway.address,) if gateway.address is not None else ()
    return tuple(node.cluster_address for node in spec.gateways)


async def _looked_up_here(name: str) -> tuple[IPv4Address, ...]:
    """By this machine's own resolver; none within the time limit is none."""
    try:
        async with asyncio.timeout(_LIMIT_S):
            found = await asyncio.get_running_loop().getaddrinfo(name, 0, family=socket.AF_INET)
    except (OSError, TimeoutError, UnicodeError):
        return ()
    return tuple(sorted({IPv4Address(entry[4][0]) for entry in found}))


def _look(question: SuffixQuestion, answer: SuffixAnswer) -> Iterator[Seen]:
    params = {"suffix": question.suffix, "address": str(question.wanted[0])}
    if not answer.could_ask:
        yield Seen("RBD-DOMAIN-105", Severity.INFO, _FIELD, params)
    elif not answer.addresses:
        code = "RBD-DOMAIN-101" if question.is_chosen else "RBD-DOMAIN-104"
        yield Seen(code, Severity.WARNING, _FIELD, params, f"rbdtui-….{question.suffix}: -")
    elif not set(answer.addresses) <= set(question.wanted):
        others = [address for address in answer.addresses if address not in question.wanted]
        own = set(others) <= set(question.gateways)
        found = {**params, "found": ", ".join(str(address) for address in others[:_SHOWN])}
        evidence = ", ".join(str(address) for address in answer.addresses[:_SHOWN])
        yield Seen("RBD-DOMAIN-103" if own else "RBD-DOMAIN-102", Severity.WARNING, _FIELD, found, evidence)
