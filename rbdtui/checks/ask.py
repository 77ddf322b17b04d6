"""Has the hosts try the network: connections between them by their own sshd, and the VIP by their neighbour tables."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Final

from rbdtui.checks.network import VipAnswer
from rbdtui.checks.ports import Way
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Host, Reach, ReachResult
from rbdtui.transport.scripts import script

_REACH_TIMEOUT_S: Final = 3.0
_VIP_TIMEOUT_S: Final = 2.5
"""A neighbour answers in milliseconds; the kernel asks for it three times, a second apart, and then gives up."""
_STALE_AFTER_S: Final = 9.0
"""By then the kernel has given up a neighbour that no longer answers: 5 s of delay, then three probes."""
_PER_HOST: Final = 16
_OTHERS: Final = 2


async def try_ways(host: Host, ways: Sequence[Way], addresses: Mapping[str, str]) -> dict[Way, ReachResult]:
    """Try all connections that start at a host; ends early when its sshd does not forward. Raises `TransportError`."""
    slots = asyncio.Semaphore(_PER_HOST)
    forbidden = asyncio.Event()

    async def one(way: Way) -> tuple[Way, ReachResult] | None:
        async with slots:
            if forbidden.is_set():
                return None
            result = await host.reach(addresses[way.target], way.port, timeout_s=_REACH_TIMEOUT_S)
            if result.reach is Reach.FORBIDDEN:
                forbidden.set()
            return way, result

    answers = await asyncio.gather(*(one(way) for way in ways))
    return dict(answer for answer in answers if answer is not None)


async def look_for_vip(host: Host, spec: ClusterSpec) -> VipAnswer:
    """Ask for the VIP from a gateway host and look who is behind it. Raises `TransportError`.

    A neighbour that is in the table but does not answer may be gone already: the host then forgets it and asks anew.
    The host's own search for a neighbour takes longer than ours, so that one that fails earlier was begun for an
    earlier question, perhaps before the neighbour came: the host then asks anew, too.
    """
    vip = spec.gateway.vip
    assert vip is not None
    address = str(vip.ip)
    answer = await _look_once(host, address, spec.kubernetes.api.port)
    if not answer.macs and answer.reach is not None and answer.reach.reach is Reach.UNREACHABLE:
        answer = await _look_once(host, address, spec.kubernetes.api.port)
    if _only_neighbour(answer):
        forgotten = await host.must(script("neighbour"), address, "forget")
        if "forgotten" not in forgotten.text:
            await asyncio.sleep(_STALE_AFTER_S)
        answer = await _look_once(host, address, spec.kubernetes.api.port)
    if _only_neighbour(answer):
        others = [await _look_once(host, str(other), spec.kubernetes.api.port) for other in _others(spec)]
        answer = replace(answer, for_all=bool(others) and all(other.macs == answer.macs for other in others))
    return answer


def _only_neighbour(answer: VipAnswer) -> bool:
    """Whether somebody has the hardware address, but nobody takes or refuses a connection."""
    return bool(answer.macs) and answer.reach is not None and answer.reach.reach not in (Reach.OPEN, Reach.REFUSED)


def _others(spec: ClusterSpec) -> list[IPv4Address]:
    """Two addresses of the VIP's network that the plan gives to nobody.

    The network of a cloud answers to every address by itself, with one hardware address for all of them.
    """
    vip = spec.gateway.vip
    assert vip is not None
    planned = {vip.ip, spec.api_address, *(node.address for node in spec.nodes)}
    size = vip.network.num_addresses
    places = (vip.network[size - 2 - number] for number in range(min(size - 2, len(planned) + _OTHERS)))
    return [place for place in places if place not in planned][:_OTHERS]


async def _look_once(host: Host, address: str, port: int) -> VipAnswer:
    reach = await host.reach(address, port, timeout_s=_VIP_TIMEOUT_S)
    otherwise = ("ping",) if reach.reach is Reach.FORBIDDEN else ()
    looked = await host.must(script("neighbour"), address, *otherwise)
    lines = [line.split() for line in looked.text.splitlines()]
    if ["own"] in lines:
        return VipAnswer(own=True)
    macs = dict.fromkeys(words[1].lower() for words in lines if words[:1] == ["neighbour"] and len(words) == 3)
    return VipAnswer(reach, tuple(macs), tried=reach.reach is not Reach.FORBIDDEN or ["pinged"] in lines)
