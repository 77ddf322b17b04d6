"""Asks while something is being typed: each question a moment after its last change, and none that was given up.

Used by whatever follows a draft: of each key it is the newest question that counts, and what was answered to an older
one is never taken in.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from rbdtui.workbench.background import BackgroundLoop

KeyT = TypeVar("KeyT", bound=Hashable)
QuestionT = TypeVar("QuestionT")
AnswerT = TypeVar("AnswerT")


@dataclass(slots=True, eq=False)
class _Asked(Generic[QuestionT, AnswerT]):
    """One time that a question was put."""

    question: QuestionT
    task: Future[None] | None = None
    """None once there is an answer."""
    answers: list[AnswerT] = field(default_factory=list)
    """None or one."""
    answered_at: float = 0.0
    """As seconds of `time.monotonic`."""


class Asker(Generic[KeyT, QuestionT, AnswerT]):
    """Puts questions in the background loop.

    ``ask`` must not raise. ``began`` and ``took`` are called in the background loop with the lock held, ``told`` after
    it without the lock.
    """

    def __init__(
        self,
        background: BackgroundLoop,
        ask: Callable[[KeyT, QuestionT], Awaitable[AnswerT]],
        told: Callable[[], None],
        *,
        lock: threading.RLock,
        debounce_s: float,
        began: Callable[[KeyT], None] | None = None,
        took: Callable[[KeyT, AnswerT], None] = lambda _, __: None,
    ) -> None:
        self._background, self._lock, self._debounce_s = background, lock, debounce_s
        self._ask, self._told, self._began, self._took = ask, told, began, took
        self._asked: dict[KeyT, _Asked[QuestionT, AnswerT]] = {}

    @property
    def questions(self) -> Mapping[KeyT, QuestionT]:
        """The newest question of each key."""
        with self._lock:
            return {key: asked.question for key, asked in self._asked.items()}

    @property
    def waiting(self) -> tuple[KeyT, ...]:
        """Keys that have no answer yet."""
        with self._lock:
            return tuple(key for key, asked in self._asked.items() if asked.task is not None)

    @property
    def answers(self) -> Mapping[KeyT, AnswerT]:
        """The answers to the newest questions, as far as they are there."""
        with self._lock:
            return {key: asked.answers[0] for key, asked in self._asked.items() if asked.answers}

    @property
    def answered_at(self) -> Mapping[KeyT, float]:
        """When the newest questions were answered, as seconds of `time.monotonic`."""
        with self._lock:
            return {key: asked.answered_at for key, asked in self._asked.items() if asked.answers}

    def follow(self, wanted: Mapping[KeyT, QuestionT]) -> None:
        """Ask what is new, and give up what is no longer wanted. Returns at once."""
        with self._lock:
            for key in self._asked.keys() - wanted.keys():
                self.give_up(key)
            for key, question in wanted.items():
                if key not in self._asked or self._asked[key].question != question:
                    self.put(key, question)

    def put(self, key: KeyT, question: QuestionT, *, at_once: bool = False) -> None:
        """Ask, in place of what was asked before; without ``at_once`` when nothing newer comes for a moment."""
        with self._lock:
            self.give_up(key)
            asked = self._asked[key] = _Asked(question)
            asked.task = self._background.submit(self._run(key, asked, 0.0 if at_once else self._debounce_s))

    def give_up(self, key: KeyT) -> None:
        """Forget a question and whatever will be answered to it."""
        with self._lock:
            if (asked := self._asked.pop(key, None)) is not None and asked.task is not None:
                asked.task.cancel()

    def close(self) -> None:
        """Give everything up."""
        self.follow({})

    async def _run(self, key: KeyT, asked: _Asked[QuestionT, AnswerT], delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        if self._began is not None:
            with self._lock:
                if self._asked.get(key) is not asked:
                    return
                self._began(key)
            self._told()
        answer = await self._ask(key, asked.question)
        with self._lock:
            if self._asked.get(key) is not asked:
                return
            asked.task = None
            asked.answers.append(answer)
            asked.answered_at = time.monotonic()
            self._took(key, answer)
        self._told()
