"""The pair of MySQL servers that the plan has made: the source is written to, the replica has all of it, and dumps.

Each is asked on its own host as its administrator, whose password is in the vault; while that is closed, only that is
said. A transaction that the source had when it was asked is asked for at the replica afterwards, so that what is under
way does not look lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.probes.gtid import count_gtids, missing_gtids, shown_gtids
from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.mysql_host_state import ASKED, MysqlHostState, read_host_state
from rbdtui.probes.mysql_own import MysqlServerState, MysqlTalkError, read_server
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.spec.model import Node
from rbdtui.spec.mysql_accounts import ADMIN_SECRET
from rbdtui.transport.base import TransportError
from rbdtui.words import T, Text

SOURCE: Final = ProbeKind("mysql-source", 103, column="svc", is_shared=True, is_brought=True)
REPLICA: Final = ProbeKind("mysql-replica", 104, column="svc", is_shared=True, is_brought=True)
SEMI_SYNC: Final = ProbeKind("mysql-semi-sync", 113, column="svc", is_shared=True, is_brought=True)
DUMP: Final = ProbeKind("mysql-dump", 105, column="svc", is_shared=True, is_brought=True)
_LATE_S: Final = 5
"""Seconds behind the source that a replica on the same network does not reach while it keeps up."""
_OLD_DUMP_S: Final = 36 * 3600
"""A night was left out."""


@dataclass(frozen=True, slots=True)
class _Unasked:
    """Why a server was not asked, or did not answer."""

    reason: Text
    is_down: bool = False
    evidence: str = ""


class PairQuestion:
    """What both servers say of themselves."""

    def __init__(self, around: ProbeContext, source: Node, replica: Node) -> None:
        self._around = around
        self._source, self._replica = source, replica
        self._port = around.spec.mysql.port
        self.keys = (ProbeKey(SOURCE, CLUSTER), ProbeKey(REPLICA, CLUSTER), ProbeKey(SEMI_SYNC, CLUSTER))
        self.interval_s = around.settings.cadence.services_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        above = await self._state(self._source)
        below = await self._state(self._replica)
        asked = f"MySQL login on {self._source.name} to 127.0.0.1:{self._port}"
        post(judge_source(self.keys[0], self._source.name, above, asked))
        post(judge_semi_sync(self.keys[2], self._source.name, self._replica.name, above, asked))
        asked = f"MySQL login on {self._replica.name} to 127.0.0.1:{self._port}"
        address = f"{self._source.cluster_address}:{self._port}"
        post(judge_replica(self.keys[1], self._replica.name, address, above, below, asked))

    async def _state(self, node: Node) -> MysqlServerState | _Unasked:
        password, limit_s = self._around.secret(ADMIN_SECRET), self._around.settings.limits.script_s
        if password is None:
            return _Unasked(T("probe.mysql_pair.no_vault"))
        if not self._around.readiness.usable(node.name):
            return _Unasked(T("probe.mysql_pair.no_host", node=node.name))
        try:
            async with asyncio.timeout(limit_s):
                return await read_server(self._around.hosts[node.name], self._port, password)
        except MysqlTalkError as error:
            reason = T("probe.mysql_pair.refused", node=node.name, words=str(error))
            return _Unasked(reason, is_down=True, evidence=f"{error.number} {error}")
        except TransportError as error:
            return _Unasked(error.text)
        except TimeoutError:
            return _Unasked(T("probe.late", limit_s=limit_s))


def judge_source(key: ProbeKey, node: str, state: MysqlServerState | _Unasked, asked: str) -> Answer:
    """Down when Rainbond cannot write; a source that copies itself is none."""
    if isinstance(state, _Unasked):
        return _unasked(key, state, asked)
    evidence = state.evidence()
    if state.super_read_only:
        return Answer(key, ProbeState.DOWN, T("probe.mysql_pair.closed", node=node), None, asked, evidence)
    if state.replication is not None:
        detail = T("probe.mysql_pair.copies_too", node=node, source=state.replication.source)
        return Answer(key, ProbeState.DEGRADED, detail, None, asked, evidence)
    detail = T("probe.mysql_pair.open", node=node, version=state.version, count=state.replicas)
    return Answer(key, ProbeState.OK, detail, None, asked, evidence)


def judge_replica(
    key: ProbeKey,
    node: str,
    source: str,
    above: MysqlServerState | _Unasked,
    below: MysqlServerState | _Unasked,
    asked: str,
) -> Answer:
    """Down when it does not copy, or is not the same any more; degraded when it is behind, or may be written to."""
    if isinstance(below, _Unasked):
        return _unasked(key, below, asked)
    evidence, copying = below.evidence(), below.replication
    known = above if isinstance(above, MysqlServerState) else None

    def told(state: ProbeState, detail: Text) -> Answer:
        return Answer(key, state, detail, None, asked, evidence)

    if copying is None and not below.super_read_only and known is not None and not known.super_read_only:
        return told(ProbeState.DOWN, T("probe.mysql_pair.two_sources", node=node, source=source))
    if copying is None or copying.source != source:
        return told(ProbeState.DOWN, T("probe.mysql_pair.copies_nobody", node=node, source=source))
    if known is not None and (own := missing_gtids(below.executed, known.executed)) and _is_older(known, own):
        evidence = f"{evidence}\n{shown_gtids(own)}"
        return told(ProbeState.DOWN, T("probe.mysql_pair.diverged", node=node, count=count_gtids(own)))
    if not copying.runs:
        words = copying.errors.partition("\n")[0]
        threads = {"receives": copying.receives, "applies": copying.applies, "words": words}
        return told(ProbeState.DOWN, T("probe.mysql_pair.stopped", node=node, **threads))
    if not below.super_read_only:
        return told(ProbeState.DEGRADED, T("probe.mysql_pair.writable", node=node))
    left = count_gtids(below.lacks(known)) if known is not None else 0
    if copying.lag_s is None or copying.lag_s > _LATE_S:
        lag = copying.lag_s if copying.lag_s is not None else -1
        return told(ProbeState.DEGRADED, T("probe.mysql_pair.behind", node=node, seconds=lag, count=left))
    return told(ProbeState.OK, T("probe.mysql_pair.copies", node=node, seconds=copying.lag_s, count=left))


def judge_semi_sync(key: ProbeKey, source: str, replica: str, above: MysqlServerState | _Unasked, asked: str) -> Answer:
    """Degraded while the source tells writes as done that it alone has: a failover may lose them."""
    if isinstance(above, _Unasked):
        detail = T("probe.mysql_pair.semi_sync_unknown", reason=above.reason)
        return Answer(key, ProbeState.UNKNOWN, detail, None, asked, above.evidence)
    seen, names = above.semi_sync, {"source": source, "replica": replica}
    if seen.is_safe:
        detail = T("probe.mysql_pair.acknowledged", **names)
        return Answer(key, ProbeState.OK, detail, None, asked, seen.evidence())
    detail = T("probe.mysql_pair.unacknowledged", **names)
    if seen.waits is None:
        detail = T("probe.mysql_pair.no_semi_sync", source=source)
    return Answer(key, ProbeState.DEGRADED, detail, None, asked, seen.evidence())


def _is_older(above: MysqlServerState, own: object) -> bool:
    """Whether what the source lacks is no mere write that came after it was asked: those are of its own number."""
    return not (isinstance(own, dict) and set(own) <= {above.uuid.lower()})


def _unasked(key: ProbeKey, why: _Unasked, asked: str) -> Answer:
    state = ProbeState.DOWN if why.is_down else ProbeState.UNKNOWN
    return Answer(key, state, why.reason, None, asked, why.evidence)


class DumpQuestion:
    """When the databases were last dumped, on either host: it is the replica's work, unless it is alone."""

    def __init__(self, around: ProbeContext, nodes: tuple[Node, Node]) -> None:
        self._around, self._nodes = around, nodes
        self.keys = (ProbeKey(DUMP, CLUSTER),)
        self.interval_s = around.settings.cadence.services_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        states: dict[str, MysqlHostState] = {}
        for node in self._nodes:
            if self._around.readiness.usable(node.name):
                try:
                    async with asyncio.timeout(self._around.settings.limits.script_s):
                        states[node.name] = await read_host_state(self._around.hosts[node.name])
                except (TransportError, TimeoutError):
                    continue
        post(judge_dumps(self.keys[0], states, time.time()))


def judge_dumps(key: ProbeKey, states: dict[str, MysqlHostState], now_s: float) -> Answer:
    """Degraded once a night was left out."""
    if not states:
        return Answer(key, ProbeState.UNKNOWN, T("probe.mysql_pair.dumps_unasked"), None, ASKED)
    node, newest = max(states.items(), key=lambda item: item[1].newest_dump_s)
    evidence = "\n".join(f"{name}: {state.dumps} dumps" for name, state in states.items())
    if not newest.dumps:
        return Answer(key, ProbeState.DEGRADED, T("probe.mysql_pair.no_dump"), None, ASKED, evidence)
    hours = round((now_s - newest.newest_dump_s) / 3600)
    state = ProbeState.DEGRADED if now_s - newest.newest_dump_s > _OLD_DUMP_S else ProbeState.OK
    detail = T("probe.mysql_pair.dumped", node=node, hours=hours, count=newest.dumps)
    return Answer(key, state, detail, None, ASKED, evidence)


def _questions(around: ProbeContext) -> Iterator[Question]:
    pair = around.spec.mysql_pair
    if pair is not None and not around.spec.is_existing:
        yield PairQuestion(around, *pair)
        yield DumpQuestion(around, pair)


PROBE: Final = Probe("mysql-pair", (SOURCE, REPLICA, SEMI_SYNC, DUMP), _questions)
