"""etcd, member by member: asked at its metrics port on the host's loopback, else through kubectl on the host.

RKE2 has every member serve ``/health`` and ``/metrics`` in plain HTTP on 127.0.0.1:2381
(k3s-io/k3s:pkg/etcd/etcd.go, listenMetricsURLs); ``/health`` reads through the quorum, so one healthy member proves it.
How many members there are stands in no metric of etcd 3.5; kubectl on a host asks for the list.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.routes import Limits, ProbeRoutes
from rbdtui.probes.wire import HttpAnswer, Place, http_get
from rbdtui.spec.model import Role
from rbdtui.together import together
from rbdtui.transport.answers import LARGEST_NUMBER, UNREADABLE, whole_number
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T

ETCD: Final = ProbeKind("etcd", 70, column="etcd", is_brought=True)
"""One member."""
ETCD_QUORUM: Final = ProbeKind("etcd-quorum", 80, column="etcd", is_shared=True, is_brought=True)
"""All members together."""
_ROUNDS_PER_LIST: Final = 4
"""In how many rounds all is asked once, of members that are well: starting kubectl for a list of members is work for
the host, and metrics are long."""

METRICS_PORT: Final = 2381
_METRIC: Final = re.compile(
    r"^(etcd_server_has_leader|etcd_server_is_leader|etcd_server_is_learner|etcd_mvcc_db_total_size_in_bytes) (\S+)$",
    re.MULTILINE,
)
_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class EtcdMember:
    """What one member says."""

    healthy: bool
    has_leader: bool
    is_leader: bool
    is_learner: bool
    size_bytes: int
    """Of its database file."""
    evidence: str
    latency_ms: float | None = None
    members: int = 0
    """How many members the cluster has, as this one knows; 0 when it did not say."""


@dataclass(frozen=True, slots=True)
class EtcdSilence:
    """Why a member says nothing."""

    asked: bool
    """Whether its host could be asked, so that the silence is the member's own."""
    evidence: str = ""


async def ask_member(
    ways: ProbeRoutes, host: Host, limits: Limits, known: EtcdMember | None = None
) -> EtcdMember | EtcdSilence:
    """Ask a host's member; never raises. What is ``known`` of one that is well is not asked again."""

    async def question(place: Place) -> EtcdMember:
        if known is None:
            return read_metrics(*await together(*(_get(place, path, limits) for path in ("/health", "/metrics"))))
        health = await _get(place, "/health", limits)
        if not _is_healthy(health):
            return read_metrics(health, await _get(place, "/metrics", limits))
        return replace(known, latency_ms=health.latency_ms)

    reply = await ways.ask_on(host.name, "127.0.0.1", METRICS_PORT, question)
    if reply.value is not None:
        return reply.value
    if reply.met:
        return EtcdSilence(True, reply.evidence)
    return await ask_by_kubectl(host, limits)


async def _get(place: Place, path: str, limits: Limits) -> HttpAnswer:
    host = f"127.0.0.1:{METRICS_PORT}"
    return await http_get(place, path, host=host, connect_s=limits.connect_s, answer_s=limits.answer_s)


def _is_healthy(health: HttpAnswer) -> bool:
    return health.status == 200 and b'"health":"true"' in health.body.replace(b" ", b"")


def read_metrics(health: HttpAnswer, metrics: HttpAnswer) -> EtcdMember:
    """What ``/health`` and ``/metrics`` tell."""
    text = metrics.body.decode("utf-8", "replace")
    values = dict(_METRIC.findall(text))
    picked = "\n".join(f"{name} {value}" for name, value in values.items())
    return EtcdMember(
        healthy=_is_healthy(health),
        has_leader=values.get("etcd_server_has_leader") == "1",
        is_leader=values.get("etcd_server_is_leader") == "1",
        is_learner=values.get("etcd_server_is_learner") == "1",
        size_bytes=_whole(values.get("etcd_mvcc_db_total_size_in_bytes", "")),
        evidence=f"{health.evidence}\n{picked}",
        latency_ms=health.latency_ms,
    )


def _whole(number: str) -> int:
    """A Prometheus number such as ``2.4576e+07``."""
    try:
        return min(int(float(number)), LARGEST_NUMBER)
    except UNREADABLE:
        return 0


async def ask_by_kubectl(host: Host, limits: Limits) -> EtcdMember | EtcdSilence:
    """Ask a host's member for its status and the list of members, by the script; never raises."""
    try:
        result = await host.run(script("etcd-members"), timeout_s=limits.script_s)
    except TransportError as error:
        return EtcdSilence(False, str(error))
    if not result.ok:
        return EtcdSilence(True, result.error_text)
    return read_gateway_answers(result.text)


def read_gateway_answers(text: str) -> EtcdMember | EtcdSilence:
    """What the script's two lines of JSON tell: the member list, and this member's status."""
    try:
        listed, status = (json.loads(line) for line in text.splitlines()[:2])
        own_id, leader = str(status["header"]["member_id"]), str(status.get("leader", "0"))
        members = list(listed["members"])
        return EtcdMember(
            healthy=not status.get("errors"),
            has_leader=leader != "0",
            is_leader=leader == own_id,
            is_learner=any(str(m.get("ID")) == own_id and m.get("isLearner") is True for m in members),
            size_bytes=whole_number(str(status.get("dbSize", 0))),
            members=len(members),
            evidence=text,
        )
    except UNREADABLE:
        return EtcdSilence(True, text)


def judge_member(node: str, member: EtcdMember | EtcdSilence, asked: str) -> Answer:
    """What a member's words are worth."""
    key = ProbeKey(ETCD, node)
    if isinstance(member, EtcdSilence):
        state = ProbeState.DOWN if member.asked else ProbeState.UNKNOWN
        detail = T("probe.etcd.silent") if member.asked else T("probe.etcd.unasked", node=node)
        return Answer(key, state, detail, None, asked, member.evidence)
    size_mb = f"{member.size_bytes / _MIB:.0f}"
    if not member.healthy or not member.has_leader:
        detail = T("probe.etcd.unhealthy") if member.has_leader else T("probe.etcd.leaderless")
        return Answer(key, ProbeState.DOWN, detail, member.latency_ms, asked, member.evidence)
    if member.is_learner:
        return Answer(key, ProbeState.DEGRADED, T("probe.etcd.learner"), member.latency_ms, asked, member.evidence)
    detail = T("probe.etcd.leader", size_mb=size_mb) if member.is_leader else T("probe.etcd.member", size_mb=size_mb)
    return Answer(key, ProbeState.OK, detail, member.latency_ms, asked, member.evidence)


def judge_quorum(members: Mapping[str, EtcdMember | EtcdSilence], known: int, asked: str) -> Answer:
    """All members that the spec plans, by node, taken together with how many etcd itself knows (0: it did not say)."""
    key = ProbeKey(ETCD_QUORUM, CLUSTER)
    planned = len(members)
    talking = {node: member for node, member in members.items() if isinstance(member, EtcdMember)}
    healthy = [node for node, member in talking.items() if member.healthy and member.has_leader]
    unasked = [node for node, member in members.items() if isinstance(member, EtcdSilence) and not member.asked]
    leaders = [node for node, member in talking.items() if member.is_leader]
    if not healthy:
        lost = planned - len(unasked) > planned - (planned // 2 + 1)
        state = ProbeState.DOWN if lost else ProbeState.UNKNOWN
        detail = T("probe.etcd.quorum_lost", planned=planned) if lost else T("probe.etcd.quorum_unasked")
        return Answer(key, state, detail, None, asked)
    size_mb = f"{max(member.size_bytes for member in talking.values()) / _MIB:.0f}"
    leader = ", ".join(leaders) or "?"
    detail = T("probe.etcd.quorum", healthy=len(healthy), planned=planned, leader=leader, size_mb=size_mb)
    as_planned = len(healthy) == planned and known in (0, planned) and len(leaders) == 1
    state = ProbeState.OK if as_planned else ProbeState.DEGRADED
    if known not in (0, planned) and len(healthy) == planned:
        detail = T("probe.etcd.other_count", known=known, planned=planned)
    return Answer(key, state, detail, None, asked, fact=", ".join(leaders))


def _is_well(member: EtcdMember | EtcdSilence | None) -> bool:
    return isinstance(member, EtcdMember) and member.healthy and member.has_leader and not member.is_learner


class EtcdQuestion:
    """Every planned member of etcd, and all of them together."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self._rounds = 0
        self._known = 0
        self._last: dict[str, EtcdMember | EtcdSilence] = {}
        self._members = [node.name for node in around.spec.nodes_with(Role.ETCD)]
        members = (ProbeKey(ETCD, name) for name in self._members)
        self.keys = (*members, ProbeKey(ETCD_QUORUM, CLUSTER))
        self.interval_s = around.settings.cadence.etcd_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        if self._rounds % _ROUNDS_PER_LIST == 0 or not all(_is_well(self._last.get(name)) for name in self._members):
            self._last = {}
        answers = await together(*(self._member(name, post) for name in self._members))
        members = self._last = dict(zip(self._members, answers, strict=True))
        if self._rounds % _ROUNDS_PER_LIST == 0:
            self._known = await self._count(members)
        self._rounds += 1
        asked = f"GET http://127.0.0.1:{METRICS_PORT}/health: {', '.join(self._members)}"
        post(judge_quorum(members, self._known, asked))

    async def _count(self, members: Mapping[str, EtcdMember | EtcdSilence]) -> int:
        """How many members etcd knows, as the first healthy one tells; 0 when none does."""
        for name, member in members.items():
            if isinstance(member, EtcdMember) and member.healthy:
                told = await ask_by_kubectl(self._around.hosts[name], self._around.settings.limits)
                if isinstance(told, EtcdMember):
                    return told.members
        return 0

    async def _member(self, name: str, post: Post) -> EtcdMember | EtcdSilence:
        member: EtcdMember | EtcdSilence = EtcdSilence(asked=False)
        around, last = self._around, self._last.get(name)
        known = last if isinstance(last, EtcdMember) else None
        if around.readiness.usable(name):
            try:
                async with asyncio.timeout(around.settings.limits.script_s * 2):
                    member = await ask_member(around.ways, around.hosts[name], around.settings.limits, known)
            except TimeoutError:
                member = EtcdSilence(asked=False)
        post(judge_member(name, member, f"GET http://127.0.0.1:{METRICS_PORT}/health"))
        return member


def _questions(around: ProbeContext) -> Iterator[Question]:
    if around.spec.managed_nodes and around.spec.nodes_with(Role.ETCD):
        yield EtcdQuestion(around)


PROBE: Final = Probe("etcd", (ETCD, ETCD_QUORUM), _questions)
