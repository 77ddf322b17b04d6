"""Judges what the hosts found out about the network between them: which ports get through, and whether the VIP is free.

What a connection tried before the installation can tell: *open* and *refused* both mean that the way is free, since a
host that nothing listens on refuses by itself; no answer or a rejection means that a packet filter is in between. A
filter that rejects with a TCP reset or "port unreachable" looks like a refusal and cannot be told from one. UDP 8472
(VXLAN) and VRRP cannot be tried at all without a listener.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from rbdtui.checks.ports import Way
from rbdtui.checks.view import ClusterView, PlaceOf
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Reach, ReachResult

_FREE: Final = (Reach.OPEN, Reach.REFUSED)
_VRRP_MAC: Final = re.compile(r"00:00:5e:00:01:([0-9a-f]{2})")
"""The hardware address of a virtual router; its last byte is the router id (RFC 5798)."""


_CLOUD_MACS: Final = frozenset({"ee:ff:ff:ff:ff:ff"})
"""What the networks of Alibaba's cloud answer with for every address."""


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


@dataclass(frozen=True, slots=True)
class NetworkAnswers:
    """Everything that the hosts found out by trying."""

    ways: Mapping[Way, ReachResult] = field(default_factory=dict)
    vip: Mapping[str, VipAnswer] = field(default_factory=dict)
    """By gateway node."""


def check_network(
    spec: ClusterSpec,
    facts_by_node: Mapping[str, NodeFacts],
    answers: NetworkAnswers,
    place: PlaceOf,
    *,
    cluster_id: str = "",
) -> list[Finding]:
    """All findings on the network between the hosts."""
    view = ClusterView(spec, facts_by_node, place, spec.profile.limits, cluster_id)
    return [*_forwarding(view, answers.ways), *_matrix(view, answers.ways), *_vip(view, answers.vip)]


def _forwarding(view: ClusterView, ways: Mapping[Way, ReachResult]) -> Iterator[Finding]:
    """One warning for all hosts whose sshd does not connect for us."""
    closed = sorted({way.source for way, result in ways.items() if result.reach is Reach.FORBIDDEN})
    if closed:
        detail = next(result.detail for result in ways.values() if result.reach is Reach.FORBIDDEN)
        yield view.finding("RBD-NET-112", Severity.WARNING, nodes=", ".join(closed), evidence=detail)


def _matrix(view: ClusterView, ways: Mapping[Way, ReachResult]) -> Iterator[Finding]:
    """Ways that are shut: one finding per target when all tried from everywhere are, else one per pair of nodes."""
    tried: dict[str, list[tuple[Way, ReachResult]]] = {}
    order = {node.name: index for index, node in enumerate(view.spec.nodes)}
    for way, result in sorted(ways.items(), key=lambda item: (order[item[0].source], item[0].port)):
        if result.reach is not Reach.FORBIDDEN:
            tried.setdefault(way.target, []).append((way, result))
    for target in (node.name for node in view.spec.nodes):
        results = tried.get(target, [])
        shut = [(way, result) for way, result in results if result.reach not in _FREE]
        sources = list(dict.fromkeys(way.source for way, _ in shut))
        shut_ports = {way.port for way, _ in shut}
        everywhere = all(result.reach not in _FREE for way, result in results if way.port in shut_ports)
        if shut and everywhere and len(sources) > 1:
            yield _shut(view, "RBD-NET-111", target, ", ".join(sources), shut)
            continue
        for source in sources:
            yield _shut(view, "RBD-NET-110", target, source, [item for item in shut if item[0].source == source])


def _shut(view: ClusterView, code: str, target: str, source: str, shut: Sequence[tuple[Way, ReachResult]]) -> Finding:
    ports = ", ".join(str(port) for port in sorted({way.port for way, _ in shut}))
    lines = [f"{way.source} -> {way.target}:{way.port} {result.reach} {result.detail}".rstrip() for way, result in shut]
    address = str(view.spec.node(target).address)
    return view.finding(
        code, Severity.ERROR, node=target, target=target, source=source, address=address, ports=ports,
        evidence="\n".join(lines[:40]),
    )  # fmt: skip


def _vip(view: ClusterView, answers: Mapping[str, VipAnswer]) -> Iterator[Finding]:
    """Nobody but our own keepalived answers to the VIP; one finding for all gateways that see the same."""
    vip = view.spec.gateway.vip
    if vip is None:
        return
    own_macs = {
        interface.mac: node.name for node, facts in view.answered() for interface in facts.interfaces if interface.mac
    }
    seen: dict[str, list[str]] = {}
    silent: list[str] = []
    for name, answer in ((node.name, answers[node.name]) for node in view.spec.nodes if node.name in answers):
        for mac in answer.macs:
            if not view.is_ours(own_macs.get(mac, "")):
                seen.setdefault(mac, []).append(name)
        if not answer.macs and answer.reach is not None and answer.reach.reach in _FREE:
            silent.append(name)
    held_by_us = any(facts.interface_of(vip.ip) and view.is_ours(node.name) for node, facts in view.answered())
    for_all = _CLOUD_MACS | {mac for answer in answers.values() if answer.for_all for mac in answer.macs}
    if proxies := sorted(for_all & seen.keys()):
        common = {"vip": str(vip.ip), "mac": proxies[0]}
        yield view.finding("RBD-VIP-111", Severity.WARNING, field="gateway.vip", evidence=proxies[0], **common)
    for mac, witnesses in seen.items():
        if mac in for_all:
            continue
        yield _taken(view, str(vip.ip), mac, own_macs.get(mac, ""), witnesses)
    if answers and not seen and not any(answer.tried for answer in answers.values()):
        yield view.finding(
            "RBD-VIP-110", Severity.WARNING, field="gateway.vip", vip=str(vip.ip), nodes=", ".join(answers)
        )
    if silent and not seen and not held_by_us:
        yield view.finding(
            "RBD-VIP-106", Severity.ERROR, field="gateway.vip", vip=str(vip.ip), witnesses=", ".join(silent)
        )


def _taken(view: ClusterView, vip: str, mac: str, holder: str, witnesses: Sequence[str]) -> Finding:
    common = {"vip": vip, "mac": mac, "witnesses": ", ".join(witnesses)}
    if holder:
        return view.finding("RBD-VIP-107", Severity.ERROR, field="gateway.vip", holder=holder, evidence=mac, **common)
    router = _VRRP_MAC.fullmatch(mac)
    if router:
        number = int(router[1], 16)
        return view.finding("RBD-VIP-109", Severity.ERROR, field="gateway.vip", router=number, evidence=mac, **common)
    return view.finding("RBD-VIP-105", Severity.ERROR, field="gateway.vip", evidence=mac, **common)
