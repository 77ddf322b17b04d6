"""Runs questions, each at its own pace, and keeps what they answer: trackers, changes, and readers of changes."""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from rbdtui.probes.hysteresis import Tracker
from rbdtui.probes.model import Answer, HealthEvent, ProbeKey, ProbeState
from rbdtui.probes.question import Following, Question
from rbdtui.probes.settings import Settings
from rbdtui.probes.turns import Turns
from rbdtui.together import together
from rbdtui.transport.base import unexpected
from rbdtui.words import T

_CHANGES_KEPT: Final = 500
_EVENTS_KEPT: Final = 1000
"""How many events wait for a slow reader; older ones are dropped, the snapshot has the truth."""
_HASTE: Final = 5
"""How much faster is asked while an answer differs from the state, so that it soon counts or is soon forgotten."""


class HealthEvents:
    """Changes of state from the moment it was made, as an asynchronous iterator; ends when the monitor ends."""

    def __init__(self) -> None:
        self._waiting: deque[HealthEvent] = deque(maxlen=_EVENTS_KEPT)
        self._changed = asyncio.Event()
        self._ended = False

    def put(self, event: HealthEvent) -> None:
        """Hand an event to the reader."""
        self._waiting.append(event)
        self._changed.set()

    def end(self) -> None:
        """No more events will come."""
        self._ended = True
        self._changed.set()

    def __aiter__(self) -> HealthEvents:
        return self

    async def __anext__(self) -> HealthEvent:
        while not self._waiting:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._waiting.popleft()


class Board:
    """Runs questions and keeps a tracker for each of their probes."""

    def __init__(self, stages: Sequence[Sequence[Question]], settings: Settings, clock: Callable[[], float]) -> None:
        self._stages = stages
        self._settings = settings
        self.keep: Callable[[HealthEvent, Answer], HealthEvent | None] = _changes_only
        """What becomes of an event among the changes; it may be kept elsewhere, too."""
        self._readers: weakref.WeakSet[HealthEvents] = weakref.WeakSet()
        self.clock = clock
        self.changes: deque[HealthEvent] = deque(maxlen=_CHANGES_KEPT)
        self._hurried = asyncio.Event()
        self.arriving: Callable[[], bool] = lambda: False
        """Whether a first installation is under way: what it brings is not missed before it was there once."""
        self._arrived: set[ProbeKey] = set()
        now = clock()
        keys = [key for stage in stages for question in stage for key in question.keys]
        keys.sort(key=lambda key: key.kind.rank)
        self.trackers = {key: Tracker(key, settings.hysteresis, T("probe.waiting"), now) for key in keys}

    async def run(self) -> None:
        """Ask everything at its own pace until cancelled."""
        questions = [question for stage in self._stages for question in stage]
        targets = (question.keys[0].target for question in questions)
        turns = Turns(targets, asyncio.get_running_loop().time(), self._settings.cadence.gateway_s)
        try:
            async with asyncio.TaskGroup() as group:
                for question in questions:
                    group.create_task(self._keep_asking(question, turns))
        finally:
            for reader in list(self._readers):
                reader.end()

    async def once(self) -> None:
        """Ask everything one time, stage after stage."""
        for stage in self._stages:
            await together(*(self._ask(question) for question in stage))

    def poll_now(self) -> None:
        """Ask everything now that waits for its turn; to be called in the loop of `run`."""
        self._hurried.set()
        self._hurried = asyncio.Event()

    def events(self) -> HealthEvents:
        """A new reader of changes."""
        reader = HealthEvents()
        self._readers.add(reader)
        return reader

    async def _keep_asking(self, question: Question, turns: Turns) -> None:
        loop, interval_s, follows = asyncio.get_running_loop(), question.interval_s, isinstance(question, Following)
        while True:
            begin = loop.time()
            await self._ask(question, follows=follows)
            if any(self.trackers[key].unsettled for key in question.keys):
                due = begin + interval_s / _HASTE
            else:
                due = turns.next_s(question.keys[0].target, interval_s, begin)
            # A question that took longer than its interval still leaves the target a moment of peace.
            await self._pause(max(due - loop.time(), interval_s / 10))

    async def _pause(self, pause_s: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._hurried.wait()

    async def _ask(self, question: Question, *, follows: bool = False) -> None:
        """One round of one question; probes that it leaves without an answer become unknown."""
        answered: set[ProbeKey] = set()

        def post(answer: Answer) -> None:
            answered.add(answer.key)
            self._take(answer)

        try:
            if follows and isinstance(question, Following):
                await question.follow(post)
                return
            async with asyncio.timeout(question.limit_s):
                await question.ask(post)
            return
        except TimeoutError:
            reason = T("probe.late", limit_s=question.limit_s)
        except Exception as error:  # a probe that breaks must not take the others with it
            reason = unexpected(question.keys[0].target, error)
        for key in question.keys:
            if key not in answered:
                self._take(Answer(key, ProbeState.UNKNOWN, reason))

    def _take(self, answer: Answer) -> None:
        if answer.state is ProbeState.OK:
            self._arrived.add(answer.key)
        elif answer.key.kind.is_brought and answer.key not in self._arrived and self.arriving():
            answer = replace(answer, state=ProbeState.EXPECTED)
        event = self.trackers[answer.key].feed(answer, self.clock())
        if event is None:
            return
        if (change := self.keep(event, answer)) is not None:
            self.changes.append(change)
        for reader in list(self._readers):
            reader.put(event)


def _changes_only(event: HealthEvent, _: Answer) -> HealthEvent | None:
    """First answers are no changes."""
    return None if event.first else event
