"""The copy of the made NFS server's directory: how far behind it is, whether it is taken, all watched."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.nfs_copy_state import ASKED, NfsCopyState, read_copy_state
from rbdtui.probes.nfs_state import NfsState, read_state
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.spec.model import Node
from rbdtui.transport.base import Host, TransportError
from rbdtui.words import T, Text

COPY: Final = ProbeKind("nfs-copy", 109, column="svc", is_shared=True, is_brought=True)
TAKER: Final = ProbeKind("nfs-copy-server", 111, column="svc", is_shared=True, is_brought=True)
WATCHES: Final = ProbeKind("nfs-copy-watches", 112, column="svc", is_shared=True, is_brought=True)
LATE_S: Final = 120
"""Seconds that a copy is behind only while there is much to copy."""
LOST_S: Final = 900
"""Longer than the time between two passes that nobody asks for (assets/templates/nfs-copy.sh)."""
_FULL_PERCENT: Final = 90
_WATCHED_PERCENT: Final = 80
"""Of what one user may watch: others watch, too."""
Answered = TypeVar("Answered")


@dataclass(frozen=True, slots=True)
class _Unasked:
    """Why a server was not asked, or did not answer."""

    reason: Text


class CopyQuestion:
    """What both servers say of the copy."""

    def __init__(self, around: ProbeContext, source: Node, copy: Node) -> None:
        self._around = around
        self._source, self._copy = source.name, copy.name
        self._path = around.spec.storage.path or ""
        self.keys = (ProbeKey(COPY, CLUSTER), ProbeKey(TAKER, CLUSTER), ProbeKey(WATCHES, CLUSTER))
        self.interval_s = around.settings.cadence.services_s
        self.limit_s = around.settings.limits.script_s * 4

    async def ask(self, post: Post) -> None:
        giving = await self._asked(self._source, read_copy_state)
        post(judge_copy(self.keys[0], self._source, self._copy, giving))
        post(judge_watches(self.keys[2], self._source, giving))
        taking = await self._asked(self._copy, read_copy_state)
        directory = await self._asked(self._copy, lambda host: read_state(host, self._path))
        post(judge_taker(self.keys[1], self._copy, self._path, taking, directory))

    async def _asked(self, node: str, ask: Callable[[Host], Awaitable[Answered]]) -> Answered | _Unasked:
        limit_s = self._around.settings.limits.script_s
        if not self._around.readiness.usable(node):
            return _Unasked(T("probe.nfs_copy.no_host", node=node))
        try:
            async with asyncio.timeout(limit_s):
                return await ask(self._around.hosts[node])
        except TransportError as error:
            return _Unasked(error.text)
        except TimeoutError:
            return _Unasked(T("probe.late", limit_s=limit_s))


def judge_copy(key: ProbeKey, source: str, copy: str, state: NfsCopyState | _Unasked) -> Answer:
    """Down when nothing is copied, or not for long; degraded while it is behind."""
    if isinstance(state, _Unasked):
        return Answer(key, ProbeState.UNKNOWN, state.reason, None, ASKED)
    behind = state.behind_s
    params: dict[str, str | int] = {"source": source, "copy": copy, "seconds": behind if behind is not None else -1}

    def told(verdict: ProbeState, word: str, **more: str | int) -> Answer:
        detail = T(f"probe.nfs_copy.{word}", **params, **more)  # words: probe.nfs_copy.*
        return Answer(key, verdict, detail, None, ASKED, state.evidence())

    if state.push != "active":
        return told(ProbeState.DOWN, "stopped", state=state.push)
    if behind is None and not state.failed:
        return told(ProbeState.DEGRADED, "first")
    late = ProbeState.DOWN if behind is None or behind > LOST_S else ProbeState.DEGRADED
    if state.failed:
        return told(late, "failed", words=state.failed)
    if behind is not None and behind > LATE_S:
        return told(late, "behind")
    return told(ProbeState.OK, "copied")


def judge_taker(
    key: ProbeKey, copy: str, path: str, state: NfsCopyState | _Unasked, directory: NfsState | _Unasked
) -> Answer:
    """Down when nothing is taken; degraded when there is hardly any room left for it."""
    unasked = next((each for each in (state, directory) if isinstance(each, _Unasked)), None)
    if isinstance(state, _Unasked) or isinstance(directory, _Unasked):
        return Answer(key, ProbeState.UNKNOWN, unasked.reason if unasked else T("probe.nfs_copy.no_host", node=copy))
    evidence = f"{state.evidence()}\n{directory.evidence()}"
    used = round(100 * (1 - directory.free_kib / directory.size_kib)) if directory.size_kib else 0
    free_gib = round(directory.free_kib / 1024**2, 1)
    if directory.role == "source":
        verdict, detail = ProbeState.DOWN, T("probe.nfs_copy.promoted", copy=copy, path=path)
    elif directory.role != "copy":
        verdict, detail = ProbeState.DOWN, T("probe.nfs_copy.unmarked", copy=copy, path=path)
    elif state.copy != "active":
        verdict, detail = ProbeState.DOWN, T("probe.nfs_copy.not_taken", copy=copy, state=state.copy)
    elif used >= _FULL_PERCENT:
        verdict, detail = ProbeState.DEGRADED, T("probe.nfs_copy.full", copy=copy, percent=used, free_gib=free_gib)
    else:
        verdict, detail = ProbeState.OK, T("probe.nfs_copy.taken", copy=copy, free_gib=free_gib)
    return Answer(key, verdict, detail, None, ASKED, evidence)


def judge_watches(key: ProbeKey, source: str, state: NfsCopyState | _Unasked) -> Answer:
    """Degraded when changes are not told, or soon will not be: then it is copied by the clock alone."""
    if isinstance(state, _Unasked):
        return Answer(key, ProbeState.UNKNOWN, state.reason, None, ASKED)
    params: dict[str, str | int] = {"source": source, "count": state.directories, "most": state.watches}
    if state.watching.startswith("no "):
        words = state.watching.removeprefix("no ")
        verdict, detail = ProbeState.DEGRADED, T("probe.nfs_copy.unwatched", **params, words=words)
    elif state.directories * 100 > state.watches * _WATCHED_PERCENT:
        verdict, detail = ProbeState.DEGRADED, T("probe.nfs_copy.scarce", **params)
    else:
        verdict, detail = ProbeState.OK, T("probe.nfs_copy.watched", **params)
    return Answer(key, verdict, detail, None, ASKED, state.evidence())


def _questions(around: ProbeContext) -> Iterator[Question]:
    source, copy = around.spec.nfs_node, around.spec.nfs_copy_node
    if source is not None and copy is not None and not around.spec.is_existing:
        yield CopyQuestion(around, source, copy)


PROBE: Final = Probe("nfs-copy", (COPY, TAKER, WATCHES), _questions)
