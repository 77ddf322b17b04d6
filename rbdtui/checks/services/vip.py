"""Whether the virtual address is free: gateways try it and look into their neighbour tables."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Final

from rbdtui.checks.services.asking import Asking
from rbdtui.checks.view import ClusterView
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Host, Reach, ReachResult
from rbdtui.transport.scripts import script

_FIELD: Final = "gateway.vip"
_TIMEOUT_S: Final = 2.5
"""A neighbour answers in milliseconds; the kernel asks for it three times, a second apart, and then gives up."""
_STALE_AFTER_S: Final = 9.0
"""By then the kernel has given up a neighbour that no longer answers: 5 s of delay, then three probes."""
_OTHERS: Final = 2
_VRRP_MAC: Final = re.compile(r"00:00:5e:00:01:([0-9a-f]{2})")
"""The hardware address of a virtual router; its last byte is the router id (RFC 5798)."""
_CLOUD_MACS: Final = frozenset({"ee:ff:ff:ff:ff:ff"})
"""What the networks of Alibaba's cloud answer with for every address."""
_ANSWERS: Final = (Reach.OPEN, Reach.REFUSED)


@dataclass(frozen=True, slots=True)
class VipQuestion:
    """What gateways are asked about."""

    address: IPv4Address
    port: int
    """Of the API, which is where the address is tried."""
    others: tuple[IPv4Address, ...]
    """Addresses of the same network that the plan gives to nobody."""


@dataclass(frozen=True, slots=True)
class VipAnswer:
    """What a gateway host sees of the VIP from outside."""

    reach: ReachResult | None = None
    """A TCP connection tried to it; None when the host holds the address itself."""
    macs: tuple[str, ...] = ()
    """Hardware addresses that the neighbour table has for it."""
    own: bool = False
    """Whether the host holds the address itself."""
    tried: bool = True
    """Whether the host could be made to ask for the address at all."""
    for_all: bool = False
    """Whether the same hardware address answers to other addresses of the network: the network itself does."""

    @property
    def is_witness(self) -> bool:
        """Whether the host can tell something about the address."""
        return self.own or self.tried


class VipCheck:
    """Nobody but our own keepalived answers to the virtual address."""

    name = "vip"
    field = _FIELD
    logs_in = False

    def question(self, spec: ClusterSpec) -> VipQuestion | None:
        """The address, where keepalived is to carry one."""
        vip = spec.gateway.vip
        if vip is None or not spec.has_vip:
            return None
        return VipQuestion(vip.ip, spec.kubernetes.api.port, _others(spec))

    def hosts(self, spec: ClusterSpec) -> Sequence[str]:
        """Those that are to carry it."""
        return [node.name for node in spec.vip_nodes]

    async def ask(self, question: VipQuestion, asking: Asking) -> VipAnswer:
        """Ask for the VIP from a gateway host and look who is behind it. Raises `TransportError`.

        A neighbour that is in the table but does not answer may be gone already: the host then forgets it and asks
        anew. The host's own search for a neighbour takes longer than ours, so that one that fails earlier was begun
        for an earlier question, perhaps before the neighbour came: the host then asks anew, too.
        """
        host = asking.host
        assert host is not None, "only gateways are asked"
        address, port = str(question.address), question.port
        answer = await _look_once(host, address, port)
        if not answer.macs and answer.reach is not None and answer.reach.reach is Reach.UNREACHABLE:
            answer = await _look_once(host, address, port)
        if _only_neighbour(answer):
            forgotten = await host.must(script("neighbour"), address, "forget")
            if "forgotten" not in forgotten.text:
                await asyncio.sleep(_STALE_AFTER_S)
            answer = await _look_once(host, address, port)
        if _only_neighbour(answer):
            others = [await _look_once(host, str(other), port) for other in question.others]
            answer = replace(answer, for_all=bool(others) and all(other.macs == answer.macs for other in others))
        return answer

    def judge(self, question: VipQuestion, answers: Mapping[str, VipAnswer], view: ClusterView) -> Iterator[Finding]:
        """One finding for all gateways that see the same."""
        vip = str(question.address)
        own_macs = {
            interface.mac: node.name
            for node, facts in view.answered()
            for interface in facts.interfaces
            if interface.mac
        }
        seen: dict[str, list[str]] = {}
        silent: list[str] = []
        for name, answer in ((node.name, answers[node.name]) for node in view.spec.nodes if node.name in answers):
            for mac in answer.macs:
                if not view.is_ours(own_macs.get(mac, "")):
                    seen.setdefault(mac, []).append(name)
            if not answer.macs and answer.reach is not None and answer.reach.reach in _ANSWERS:
                silent.append(name)
        held_by_us = any(
            facts.interface_of(question.address) and view.is_ours(node.name) for node, facts in view.answered()
        )
        for_all = _CLOUD_MACS | {mac for answer in answers.values() if answer.for_all for mac in answer.macs}
        if proxies := sorted(for_all & seen.keys()):
            common = {"vip": vip, "mac": proxies[0]}
            yield view.finding("RBD-VIP-111", Severity.WARNING, field=_FIELD, evidence=proxies[0], **common)
        for mac, witnesses in seen.items():
            if mac not in for_all:
                yield _taken(view, vip, mac, own_macs.get(mac, ""), witnesses)
        if answers and not seen and not any(answer.tried for answer in answers.values()):
            yield view.finding("RBD-VIP-110", Severity.WARNING, field=_FIELD, vip=vip, nodes=", ".join(answers))
        if silent and not seen and not held_by_us:
            yield view.finding("RBD-VIP-106", Severity.ERROR, field=_FIELD, vip=vip, witnesses=", ".join(silent))


CHECK: Final = VipCheck()


def _others(spec: ClusterSpec) -> tuple[IPv4Address, ...]:
    """Two addresses of the VIP's network that the plan gives to nobody.

    The network of a cloud answers to every address by itself, with one hardware address for all of them.
    """
    vip = spec.gateway.vip
    assert vip is not None
    planned = {vip.ip, spec.api_address, *(own for node in spec.nodes for own in node.addresses)}
    size = vip.network.num_addresses
    places = (vip.network[size - 2 - number] for number in range(min(size - 2, len(planned) + _OTHERS)))
    return tuple(place for place in places if place not in planned)[:_OTHERS]


def _only_neighbour(answer: VipAnswer) -> bool:
    """Whether somebody has the hardware address, but nobody takes or refuses a connection."""
    return bool(answer.macs) and answer.reach is not None and answer.reach.reach not in _ANSWERS


async def _look_once(host: Host, address: str, port: int) -> VipAnswer:
    reach = await host.reach(address, port, timeout_s=_TIMEOUT_S)
    otherwise = ("ping",) if reach.reach is Reach.FORBIDDEN else ()
    looked = await host.must(script("neighbour"), address, *otherwise)
    lines = [line.split() for line in looked.text.splitlines()]
    if ["own"] in lines:
        return VipAnswer(own=True)
    macs = dict.fromkeys(words[1].lower() for words in lines if words[:1] == ["neighbour"] and len(words) == 3)
    return VipAnswer(reach, tuple(macs), tried=reach.reach is not Reach.FORBIDDEN or ["pinged"] in lines)


def _taken(view: ClusterView, vip: str, mac: str, holder: str, witnesses: Sequence[str]) -> Finding:
    common = {"vip": vip, "mac": mac, "witnesses": ", ".join(witnesses)}
    if holder:
        return view.finding("RBD-VIP-107", Severity.ERROR, field=_FIELD, holder=holder, evidence=mac, **common)
    router = _VRRP_MAC.fullmatch(mac)
    if router:
        number = int(router[1], 16)
        return view.finding("RBD-VIP-109", Severity.ERROR, field=_FIELD, router=number, evidence=mac, **common)
    return view.finding("RBD-VIP-105", Severity.ERROR, field=_FIELD, evidence=mac, **common)
