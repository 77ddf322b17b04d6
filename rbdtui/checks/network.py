"""Judges what the hosts found out about the network between them: which ports get through.

What a connection tried before the installation can tell: *open* and *refused* both mean that the way is free, since a
host that nothing listens on refuses by itself; no answer or a rejection means that a packet filter is in between. A
filter that rejects with a TCP reset or "port unreachable" looks like a refusal and cannot be told from one. VXLAN and
VRRP cannot be tried at all without a listener: see `rbdtui.checks.services.between`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rbdtui.checks.hosts.ports import Way
from rbdtui.checks.view import ClusterView, PlaceOf
from rbdtui.facts.model import NodeFacts
from rbdtui.findings import Finding, Severity
from rbdtui.spec.model import ClusterSpec, Node
from rbdtui.transport.base import Reach, ReachResult

_FREE: Final = (Reach.OPEN, Reach.REFUSED)


def check_network(
    spec: ClusterSpec,
    facts_by_node: Mapping[str, NodeFacts],
    tried: Mapping[Way, ReachResult],
    place: PlaceOf,
    *,
    cluster_id: str = "",
) -> list[Finding]:
    """All findings on the connections that hosts tried between them."""
    view = ClusterView(spec, facts_by_node, place, spec.profile.limits, cluster_id)
    return [*_forwarding(view, tried), *_matrix(view, tried)]


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
    for target in (node.name for node in view.spec.nodes if not _is_elsewhere(view, node)):
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


def _is_elsewhere(view: ClusterView, node: Node) -> bool:
    """Whether the host does not have the address that the plan gives it, which is told of it: nobody can reach it."""
    facts = view.facts.get(node.name)
    return facts is not None and bool(facts.interfaces) and facts.interface_of(node.cluster_address) is None


def _shut(view: ClusterView, code: str, target: str, source: str, shut: Sequence[tuple[Way, ReachResult]]) -> Finding:
    ports = ", ".join(str(port) for port in sorted({way.port for way, _ in shut}))
    lines = [f"{way.source} -> {way.target}:{way.port} {result.reach} {result.detail}".rstrip() for way, result in shut]
    address = str(view.spec.node(target).cluster_address)
    return view.finding(
        code, Severity.ERROR, node=target, target=target, source=source, address=address, ports=ports,
        evidence="\n".join(lines[:40]),
    )  # fmt: skip
