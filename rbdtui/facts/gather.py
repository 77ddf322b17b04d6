"""Asks hosts everything at once: all of them in parallel, each in one round trip, a dead one delaying nobody."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from rbdtui.facts.clock import ClockBounds, reading_of
from rbdtui.facts.compose import compose, split_outputs
from rbdtui.facts.fact import Answers
from rbdtui.facts.model import NodeFacts
from rbdtui.facts.table import FACTS, assemble
from rbdtui.together import together
from rbdtui.transport.answers import not_understood
from rbdtui.transport.base import CommandResult, Host, TransportError
from rbdtui.transport.scripts import Script, script

OnFacts = Callable[[str, NodeFacts | TransportError], None]

FACTS_TIMEOUT_S: Final = 60.0
_CLOCK_TIMEOUT_S: Final = 10.0
_FACTS_BYTES: Final = 2 << 20
"""Of all facts together; those that can be long have limits of their own."""
_SHARP_S: Final = 0.05
"""A smaller uncertainty cannot change what is said about a clock."""
_CLOSE_S: Final = 0.25
"""Clocks that are this close to the jump host's cannot differ by more than what is tolerated."""
_EXTRA_READINGS: Final = 3


@cache
def facts_script() -> Script:
    """The script that asks everything."""
    return compose(FACTS)


async def gather(host: Host) -> NodeFacts:
    """Ask one host everything; raises `TransportError` when it cannot be asked at all."""
    await host.connect()
    bounds = ClockBounds()
    result = await _timed(host, facts_script(), bounds, FACTS_TIMEOUT_S)
    gathered_at = time.time()
    for _ in range(_EXTRA_READINGS):
        if bounds.uncertainty_s <= _SHARP_S or bounds.largest_s <= _CLOSE_S:
            break
        await _timed(host, script("clock"), bounds, _CLOCK_TIMEOUT_S)
    answers = Answers(split_outputs(result.text, result.error_text))
    return assemble(host.name, answers, clock=bounds.clock(), gathered_at=gathered_at)


async def _timed(host: Host, asked: Script, bounds: ClockBounds, timeout_s: float) -> CommandResult:
    """Run a script that tells the host's time, and take in each reading with the moments around it."""
    sent_at = time.time()

    def take(line: str) -> None:
        reading = reading_of(line)
        if reading is not None:
            bounds.add(reading, sent_at, time.time())

    return await host.must(asked, timeout_s=timeout_s, output_limit_bytes=_FACTS_BYTES, on_line=take)


async def gather_all(
    hosts: Mapping[str, Host], on_facts: OnFacts | None = None
) -> dict[str, NodeFacts | TransportError]:
    """Ask all hosts in parallel; errors are values, and ``on_facts`` gets each answer as soon as it is there."""

    async def one(name: str, host: Host) -> tuple[str, NodeFacts | TransportError]:
        answer: NodeFacts | TransportError
        try:
            answer = await gather(host)
        except TransportError as error:
            answer = error
        except Exception as error:  # one server's odd answer must not take the others' with it
            answer = not_understood(name, facts_script().name, error)
        if on_facts is not None:
            on_facts(name, answer)
        return name, answer

    return dict(await together(*(one(name, host) for name, host in hosts.items())))
