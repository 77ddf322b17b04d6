"""Whether the balancer in front of the API still leads to each API server, one answer for each server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rbdtui.probes.led_to import ApiFront, LedTo, Verdict, api_front, look_through
from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question
from rbdtui.words import Text

BALANCED: Final = ProbeKind("balanced", 47, column="lb", is_brought=True)
"""Whether an API server is met through the balancer."""
_NOT_MET: Final = {Verdict.MISSED: "missed", Verdict.ONE: "one", Verdict.NOBODY: "nobody"}


class BalancedQuestion:
    """All API servers behind a balancer, asked for at once: it takes a dozen of connections, so once a minute."""

    def __init__(self, around: ProbeContext, front: ApiFront) -> None:
        self._around, self._front = around, front
        self.keys = tuple(ProbeKey(BALANCED, name) for name in front.names)
        self.interval_s = around.settings.cadence.slow_s
        self.limit_s = around.settings.limits.script_s * 6

    async def ask(self, post: Post) -> None:
        around = self._around
        nodes = [name for name in self._front.names if around.readiness.usable(name)]
        led = await look_through(self._front, around.ways, around.settings.limits, nodes)
        for name in self._front.names:
            post(judge_balanced(name, led))


def judge_balanced(node: str, led: LedTo) -> Answer:
    """What is said of one server; where nobody can tell it is worth a notice and no more."""
    front, verdict = led.front, led.verdict
    asked = f"TLS hello to {front.address}:{front.port}; GET https://SERVER/readyz"
    facts: dict[str, str | int | float | Text] = {
        "node": node, "address": front.address, "port": front.port,
        "met": ", ".join(led.servers) or "-", "count": len(led.own), "places": len(led.met),
    }  # fmt: skip

    def answer(state: ProbeState, word: str, *, notice: bool = False) -> Answer:
        detail = Text(f"probe.balanced.{word}", facts)  # words: probe.balanced.*
        return Answer(ProbeKey(BALANCED, node), state, detail, None, asked, led.evidence, notice=notice)

    if node not in led.own:
        return answer(ProbeState.UNKNOWN, "silent")
    if verdict is Verdict.UNASKED:
        return answer(ProbeState.UNKNOWN, "unasked")
    if verdict is Verdict.ALIKE:
        return answer(ProbeState.OK, "alike", notice=True)
    if node in led.servers:
        return answer(ProbeState.OK, "met")
    if verdict is Verdict.STICKY:
        return answer(ProbeState.OK, "sticky", notice=True)
    return answer(ProbeState.DEGRADED, _NOT_MET[verdict])


def _questions(around: ProbeContext) -> Iterator[Question]:
    front = api_front(around.spec)
    if front is not None:
        yield BalancedQuestion(around, front)


PROBE: Final = Probe("balanced", (BALANCED,), _questions)
