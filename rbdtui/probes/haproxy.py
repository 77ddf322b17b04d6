"""The pair of balancers in front of a cluster: whether HAProxy runs on each, and what it finds up behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from rbdtui.probes.haproxy_page import ServerSeen, proxy_name, read_page
from rbdtui.probes.model import Answer, Expectation, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.spec.balanced import Behind, Forwarded, forwarded_by_pair
from rbdtui.spec.model import Node
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import PREFIX
from rbdtui.words import T, Text

HAPROXY: Final = ProbeKind("haproxy", 45, column="lb", is_brought=True)
"""HAProxy on a balancer, and how many of the servers behind it it leads to."""
_ASKED: Final = f"{PREFIX}haproxy-status"


class BalancerQuestion:
    """What HAProxy on one balancer says of the servers behind it."""

    def __init__(self, around: ProbeContext, node: Node) -> None:
        self._around = around
        self._node = node.name
        self.keys = (ProbeKey(HAPROXY, node.name),)
        self.interval_s = around.settings.cadence.vip_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        key, limit_s = self.keys[0], self._around.settings.limits.script_s
        if not self._around.readiness.usable(self._node):
            post(Answer(key, ProbeState.UNKNOWN, T("probe.haproxy.unasked"), None, _ASKED))
            return
        try:
            async with asyncio.timeout(limit_s):
                seen = await read_page(self._around.hosts[self._node], timeout_s=limit_s)
        except (TransportError, TimeoutError) as error:
            reason = error.text if isinstance(error, TransportError) else T("probe.late", limit_s=limit_s)
            post(Answer(key, ProbeState.UNKNOWN, T("probe.unasked", reason=reason), None, _ASKED))
            return
        post(judge_balancer(self._node, seen, self._wanted()))

    def _wanted(self) -> list[Forwarded]:
        """The ports behind which something should be up now: nothing of Rainbond's before Rainbond is there."""
        forwarded = forwarded_by_pair(self._around.spec)
        if self._around.installing:
            return []
        installed = self._around.kubeconfig is not None and self._around.kubeconfig.exists()
        rainbond = self._around.expectation() is Expectation.OPEN
        return [each for each in forwarded if (rainbond if each.behind is Behind.GATEWAY else installed)]


def judge_balancer(node: str, seen: Sequence[ServerSeen] | None, wanted: Sequence[Forwarded]) -> Answer:
    """Down without HAProxy or with a port behind which all are down; degraded while some server of a port is."""
    key = ProbeKey(HAPROXY, node)
    if seen is None:
        return Answer(key, ProbeState.DOWN, T("probe.haproxy.silent"), None, _ASKED)
    evidence = "\n".join(f"{each.proxy} {each.server} {each.status} {each.check}" for each in seen)
    found = {(each.proxy, each.server): each for each in seen}
    down: dict[int, list[str]] = {}
    for each in wanted:
        down[each.port] = [node.name for node in each.nodes if not _is_up(found, each, node)]
    dead = [each.port for each in wanted if len(down[each.port]) == len(each.nodes)]
    state, detail = _told(dead, down, wanted)
    return Answer(key, state, detail, None, _ASKED, evidence)


def _is_up(found: Mapping[tuple[str, str], ServerSeen], forwarded: Forwarded, node: Node) -> bool:
    seen = found.get((proxy_name(forwarded.port), node.name))
    return seen is not None and seen.is_up


def _told(dead: Sequence[int], down: Mapping[int, list[str]], wanted: Sequence[Forwarded]) -> tuple[ProbeState, Text]:
    if not wanted:
        return ProbeState.OK, T("probe.haproxy.waits")
    if dead:
        return ProbeState.DOWN, T("probe.haproxy.dead", ports=", ".join(map(str, dead)))
    missing = {port: names for port, names in down.items() if names}
    if missing:
        nodes = ", ".join(dict.fromkeys(name for names in missing.values() for name in names))
        return ProbeState.DEGRADED, T("probe.haproxy.some", nodes=nodes, ports=", ".join(map(str, missing)))
    count = len({node.name for each in wanted for node in each.nodes})
    return ProbeState.OK, T("probe.haproxy.all", ports=", ".join(str(each.port) for each in wanted), count=count)


def _questions(around: ProbeContext) -> Iterator[Question]:
    for node in around.carriers if around.spec.has_balancers else ():
        yield BalancerQuestion(around, node)


PROBE: Final = Probe("haproxy", (HAPROXY,), _questions, Stage.GATEWAYS, during_runs=True)
