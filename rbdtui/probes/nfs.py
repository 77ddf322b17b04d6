"""The NFS server that the plan has made: whether it runs, and gives its directory away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Final

from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.nfs_state import NfsState, read_state
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.wire import Place, connection
from rbdtui.spec import nfs_ports
from rbdtui.spec.model import Node
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import PREFIX
from rbdtui.words import T

NFS: Final = ProbeKind("nfs", 101, column="svc", is_shared=True, is_brought=True)
"""Where all volumes are: what has its data there waits while it is down."""
_ASKED: Final = f"{PREFIX}nfs-server look"
_FULL_PERCENT: Final = 90


class NfsQuestion:
    """What the NFS server says of itself on its own host."""

    def __init__(self, around: ProbeContext, node: Node) -> None:
        self._around = around
        self._node = node.name
        self._address = str(node.cluster_address)
        self._path = around.spec.storage.path or ""
        self.keys = (ProbeKey(NFS, CLUSTER),)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        key, limit_s = self.keys[0], self._around.settings.limits.script_s
        asked = f"{_ASKED} {self._path}"
        if not self._around.readiness.usable(self._node):
            post(await self._from_nodes(key))
            return
        try:
            async with asyncio.timeout(limit_s):
                state = await read_state(self._around.hosts[self._node], self._path)
        except (TransportError, TimeoutError) as error:
            reason = error.text if isinstance(error, TransportError) else T("probe.late", limit_s=limit_s)
            post(Answer(key, ProbeState.UNKNOWN, T("probe.unasked", reason=reason), None, asked))
            return
        post(judge_server(key, state, self._path, asked))

    async def _from_nodes(self, key: ProbeKey) -> Answer:
        """What the nodes meet there, of a server that does not let us in: it may be off, or serve all the same."""
        asked, connect_s = f"TCP {self._address}:{nfs_ports.NFS}", self._around.settings.limits.connect_s

        async def question(place: Place) -> bool:
            async with connection(place, tls=None, server_name=None, connect_s=connect_s, handshake_s=0):
                return True

        reply = await self._around.ask_from_nodes(self._address, nfs_ports.NFS, question)
        params: dict[str, str | int] = {"node": self._node, "port": nfs_ports.NFS}
        if reply.met:
            return Answer(key, ProbeState.UNKNOWN, T("probe.nfs.unasked", **params), None, asked)
        if not reply.told:
            return Answer(key, ProbeState.UNKNOWN, T("probe.nfs.nobody", **params), None, asked, reply.evidence)
        return Answer(key, ProbeState.DOWN, T("probe.nfs.unreachable", **params), None, asked, reply.evidence)


def judge_server(key: ProbeKey, state: NfsState, path: str, asked: str) -> Answer:
    """Down when nothing is served; degraded when there is hardly any room left for what is written."""
    evidence = state.evidence()
    clients = state.clients(path)
    if not state.runs:
        return Answer(key, ProbeState.DOWN, T("probe.nfs.stopped", state=state.unit), None, asked, evidence)
    if not clients:
        return Answer(key, ProbeState.DOWN, T("probe.nfs.withheld", path=path), None, asked, evidence)
    used = round(100 * (1 - state.free_kib / state.size_kib)) if state.size_kib else 0
    free_gib = round(state.free_kib / 1024**2, 1)
    if used >= _FULL_PERCENT:
        detail = T("probe.nfs.full", path=path, percent=used, free_gib=free_gib)
        return Answer(key, ProbeState.DEGRADED, detail, None, asked, evidence)
    detail = T("probe.nfs.serves", path=path, clients=", ".join(sorted(clients)), free_gib=free_gib)
    return Answer(key, ProbeState.OK, detail, None, asked, evidence)


def _questions(around: ProbeContext) -> Iterator[Question]:
    node = around.spec.nfs_node
    if node is not None and node in around.spec.managed_nodes:
        yield NfsQuestion(around, node)


PROBE: Final = Probe("nfs", (NFS,), _questions, during_runs=True)
