"""What a monitor takes up from the history of its site, and gives to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Final

from rbdtui.probes.board import Board
from rbdtui.probes.history import HealthHistory, Memory, PastEvent
from rbdtui.probes.model import Answer, HealthEvent, ProbeKey, ProbeState
from rbdtui.probes.question import ProbeContext

_REMEMBER_S: Final = 60.0
_SHOWN: Final = 200
"""How many changes from before are taken up."""


class Past:
    """Ties a board to a history; a disk that fails costs the history, not the watch."""

    def __init__(self, history: HealthHistory, board: Board, around: ProbeContext) -> None:
        self._history, self._board, self._around = history, board, around
        memory, events = history.memory(), list[PastEvent]()
        with suppress(OSError):
            events = history.events()
        around.boots = dict(memory.boots)
        self._facts = dict(memory.facts)
        self._states = {event.probe: event.new for event in events}
        keys = {key.id: key for key in board.trackers}
        board.changes.extend(_taken_up(events[-_SHOWN:], keys))
        for key, tracker in board.trackers.items():
            tracker.recall(memory.latencies_ms.get(key.id, ()))
        board.keep = self._keep

    def _keep(self, event: HealthEvent, answer: Answer) -> HealthEvent | None:
        """The change that an event is; a first answer is one when it is not what was last known."""
        probe = event.key.id
        known, known_fact = self._states.get(probe, ProbeState.OK), self._facts.get(probe, answer.fact)
        if answer.fact:
            self._facts[probe] = answer.fact
        as_before = (known is event.new or (known.good and event.new.good)) and answer.fact in ("", known_fact)
        if event.first and as_before:
            return None
        change = replace(event, old=known) if event.first else event
        self._states[probe] = event.new
        with suppress(OSError):
            self._history.record(change, answer.evidence)
        return replace(change, first=False)

    def remember(self) -> None:
        """Keep what the next look begins with."""
        latencies = {key.id: tracker.status().latencies_ms for key, tracker in self._board.trackers.items()}
        with suppress(OSError):
            self._history.remember(Memory(self._around.boots, latencies, self._facts))

    def close(self) -> None:
        """Let other processes write the history, until there is more to keep."""
        self._history.close()

    @asynccontextmanager
    async def remembering(self) -> AsyncIterator[None]:
        """Remember now and then, and at the end of the block."""
        task = asyncio.create_task(self._often())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            self.remember()
            self.close()

    async def _often(self) -> None:
        while True:
            await asyncio.sleep(_REMEMBER_S)
            self.remember()


def _taken_up(events: list[PastEvent], keys: dict[str, ProbeKey]) -> Iterator[HealthEvent]:
    for past in events:
        if (key := keys.get(past.probe)) is not None:
            yield HealthEvent(key, past.old, past.new, past.detail, None, past.at)
