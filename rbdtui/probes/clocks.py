"""The hosts' clocks against each other."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from typing import Final

from rbdtui.probes.host_sample import HEALTH
from rbdtui.probes.model import Answer, ClockReading, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.probes.settings import Thresholds
from rbdtui.words import T

CLOCK: Final = ProbeKind("clock", 30, column="host")


class ClockQuestion:
    """All clocks against each other, from what the hosts have said."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self.keys = tuple(ProbeKey(CLOCK, node.name) for node in around.spec.managed_nodes)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        samples = await self._around.all_samples()
        readings = {node: sample.clock if sample else None for node, sample in samples.items()}
        for answer in judge_clocks(readings, self._around.settings.thresholds, f"{HEALTH}: time"):
            post(answer)


def judge_clocks(readings: Mapping[str, ClockReading | None], thresholds: Thresholds, asked: str) -> list[Answer]:
    """Every node's clock against the median of all; with fewer than three nodes the jump host's has a voice too."""
    offsets = [reading.offset_s for reading in readings.values() if reading]
    if len(offsets) < 3:
        offsets = [0.0] if len(offsets) == 1 else [*offsets, 0.0]
    median = statistics.median(offsets)
    return [_judge_clock(node, reading, median, thresholds, asked) for node, reading in readings.items()]


def _judge_clock(node: str, reading: ClockReading | None, median: float, thresholds: Thresholds, asked: str) -> Answer:
    key = ProbeKey(CLOCK, node)
    if reading is None:
        return Answer(key, ProbeState.UNKNOWN, T("probe.clock.unread"), None, asked)
    skew = reading.offset_s - median
    certain = max(0.0, abs(skew) - reading.uncertainty_s)
    state = ProbeState.OK
    if certain > thresholds.clock_warn_s:
        state = ProbeState.DEGRADED
    if certain > thresholds.clock_bad_s:
        state = ProbeState.DOWN
    offsets = {"skew_s": f"{skew:+.2f}", "offset_s": f"{reading.offset_s:+.2f}"}
    detail = T("probe.clock.skew", **offsets, uncertainty_s=f"{reading.uncertainty_s:.2f}")
    evidence = f"offset {reading.offset_s:+.4f} s ±{reading.uncertainty_s:.4f} s, median {median:+.4f} s"
    return Answer(key, state, detail, None, asked, evidence)


def _questions(around: ProbeContext) -> Iterator[Question]:
    if around.spec.managed_nodes:
        yield ClockQuestion(around)


PROBE: Final = Probe("clock", (CLOCK,), _questions)
