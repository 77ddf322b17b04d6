"""Whether RKE2 still saves snapshots of etcd by its schedule: nobody would miss them before they are needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.spec.model import Node, Role
from rbdtui.spec.snapshot_schedule import LATE_S, longest_gap_s, snapshot_directory
from rbdtui.transport.answers import age_s, parse_answer
from rbdtui.transport.base import TransportError
from rbdtui.transport.scripts import script
from rbdtui.words import T

SNAPSHOT: Final = ProbeKind("snapshot", 37, column="etcd", is_measured=True)
_HOUR_S: Final = 3600.0
_LIST_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SnapshotAges:
    """What a node has."""

    data_s: float | None
    """For how long it has had data of etcd; None without."""
    newest_s: float | None
    """How old its newest snapshot is; None without one."""
    count: int


def judge_snapshots(node: str, asked: str, seen: SnapshotAges, gap_s: float) -> Answer:
    """Late is what is older than the longest pause of the schedule; a young cluster has none yet."""
    key, every = ProbeKey(SNAPSHOT, node), round(gap_s / _HOUR_S, 1)
    evidence = f"data {seen.data_s} s, {seen.count} snapshots, newest {seen.newest_s} s"
    limit_s = gap_s + LATE_S
    if seen.newest_s is None:
        if seen.data_s is None or seen.data_s <= limit_s:
            return Answer(key, ProbeState.EXPECTED, T("probe.snapshot.none_yet"), None, asked, evidence)
        return Answer(key, ProbeState.DEGRADED, T("probe.snapshot.none", every=every), None, asked, evidence)
    hours = round(max(0.0, seen.newest_s) / _HOUR_S, 1)
    state = ProbeState.DEGRADED if seen.newest_s > limit_s else ProbeState.OK
    word = "late" if state is ProbeState.DEGRADED else "good"
    detail = T(f"probe.snapshot.{word}", hours=hours, every=every, count=seen.count)  # words: probe.snapshot.*
    return Answer(key, state, detail, None, asked, evidence)


class SnapshotQuestion:
    """The ages of one node's snapshots."""

    def __init__(self, around: ProbeContext, node: Node, gap_s: float) -> None:
        self._around, self._node, self._gap_s = around, node.name, gap_s
        self._directory = snapshot_directory(around.spec)
        self.keys = (ProbeKey(SNAPSHOT, node.name),)
        self.interval_s = around.settings.cadence.slow_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        """List them; a node that cannot be asked says nothing about its snapshots."""
        asked = f"rbdtui/etcd-snapshot-ages {self._directory} on {self._node}"
        try:
            done = await self._around.hosts[self._node].must(
                script("etcd-snapshot-ages"), self._directory, timeout_s=self._around.settings.limits.script_s,
                output_limit_bytes=_LIST_BYTES,
            )  # fmt: skip
            seen = parse_answer(self._node, "etcd-snapshot-ages", lambda: _ages(done.text))
        except TransportError as error:
            unasked = T("probe.snapshot.unasked", node=self._node)
            post(Answer(self.keys[0], ProbeState.UNKNOWN, unasked, None, asked, str(error)))
            return
        post(judge_snapshots(self._node, asked, seen, self._gap_s))


def _ages(text: str) -> SnapshotAges:
    head, *lines = text.splitlines()
    word, data = head.split(" ")
    if word != "data":
        raise ValueError(head[:100])
    ages = [age_s(line.split(" ", 1)[0]) for line in lines if line.strip()]
    return SnapshotAges(None if data == "-" else age_s(data), min(ages, default=None), len(ages))


def _questions(around: ProbeContext) -> Iterator[Question]:
    gap_s = longest_gap_s(around.spec)
    if gap_s is None or around.spec.is_existing:
        return
    for node in around.spec.nodes_with(Role.ETCD):
        yield SnapshotQuestion(around, node, gap_s)


PROBE: Final = Probe("snapshot", (SNAPSHOT,), _questions)
