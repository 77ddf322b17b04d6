"""Whether a host was started anew since it was last seen well, told until everything of it is well again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rbdtui.probes.host_sample import HEALTH, HostSample
from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState, ProbeStatus
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.words import T

RESTART: Final = ProbeKind("restart", 95, column="node", is_measured=True)
_NAMED: Final = 4


def judge_restart(node: str, sample: HostSample, known: str | None, unwell: Iterable[ProbeStatus]) -> Answer:
    """``known`` is the boot during which all of the node was last well; ``unwell`` what is not, or not asked yet."""
    key = ProbeKey(RESTART, node)
    evidence = f"boot {sample.boot or '?'}, last well during {known or '?'}"
    if not sample.boot or known in (None, sample.boot):
        return Answer(key, ProbeState.OK, T("probe.restart.no"), None, HEALTH, evidence, sample.boot)
    waiting = [status.key.id for status in unwell]
    if waiting:
        more = len(waiting) - _NAMED
        names = ", ".join(waiting[:_NAMED]) + (f" +{more}" if more > 0 else "")
        return Answer(key, ProbeState.DEGRADED, T("probe.restart.not_yet", names=names), None, HEALTH, evidence)
    return Answer(key, ProbeState.OK, T("probe.restart.recovered"), None, HEALTH, evidence, sample.boot)


class RestartQuestion:
    """The boots of all hosts; asks nobody, all has been told to others."""

    def __init__(self, around: ProbeContext) -> None:
        self._around = around
        self.keys = tuple(ProbeKey(RESTART, node.name) for node in around.spec.managed_nodes)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        samples = await self._around.all_samples()
        standing = list(self._around.standing())
        for key in self.keys:
            sample = samples[key.target]
            if sample is None:
                post(Answer(key, ProbeState.UNKNOWN, T("probe.restart.unasked"), None, HEALTH))
                continue
            unwell = [one for one in standing if one.key.target == key.target and one.key != key and not one.state.good]
            post(judge_restart(key.target, sample, self._around.boots.get(key.target), unwell))
            if sample.boot and (not unwell or key.target not in self._around.boots):
                self._around.boots[key.target] = sample.boot


def _questions(around: ProbeContext) -> Iterator[Question]:
    if around.spec.managed_nodes:
        yield RestartQuestion(around)


PROBE: Final = Probe("restart", (RESTART,), _questions, Stage.WHOLE)
