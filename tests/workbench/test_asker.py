"""What is asked while something is typed: late enough, never twice, and only the newest question counts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.live.asker import Asker
from tests.waiting import until


class Asked:
    """An asker of which every question waits until it is let go."""

    def __init__(self, background: BackgroundLoop, debounce_s: float) -> None:
        self.put: list[tuple[str, int]] = []
        self.cancelled: list[tuple[str, int]] = []
        self.told = 0
        self.open: set[int] = set()
        lock = threading.RLock()
        self.asker: Asker[str, int, str] = Asker(background, self.ask, self.tell, lock=lock, debounce_s=debounce_s)

    async def ask(self, key: str, question: int) -> str:
        self.put.append((key, question))
        try:
            while question not in self.open:
                await asyncio.sleep(0.005)
        except asyncio.CancelledError:
            self.cancelled.append((key, question))
            raise
        return f"{key}{question}"

    def tell(self) -> None:
        self.told += 1


@pytest.fixture
def background() -> Iterator[BackgroundLoop]:
    loop = BackgroundLoop()
    yield loop
    loop.close()


async def test_a_question_that_changes_at_once_is_put_in_its_last_form_only(background: BackgroundLoop) -> None:
    at = Asked(background, 0.2)
    at.open |= set(range(10))
    for question in range(5):
        at.asker.follow({"a": question})
    assert at.asker.waiting == ("a",)
    await until(lambda: at.asker.answers == {"a": "a4"})
    assert at.put == [("a", 4)]
    assert at.told == 1


async def test_the_same_question_is_not_asked_twice_and_another_key_not_disturbed(background: BackgroundLoop) -> None:
    at = Asked(background, 0.0)
    at.open |= {1, 2}
    at.asker.follow({"a": 1})
    await until(lambda: at.asker.answers == {"a": "a1"})
    at.asker.follow({"a": 1, "b": 2})
    await until(lambda: at.asker.answers == {"a": "a1", "b": "b2"})
    assert at.put == [("a", 1), ("b", 2)]
    at.open.discard(1)
    at.asker.put("a", 1, at_once=True)
    assert at.asker.answers == {"b": "b2"}
    at.open.add(1)
    await until(lambda: at.put[2:] == [("a", 1)] and "a" in at.asker.answers)


async def test_an_answer_to_an_older_question_is_never_taken_in(background: BackgroundLoop) -> None:
    at = Asked(background, 0.0)
    at.asker.follow({"a": 1})
    await until(lambda: at.put == [("a", 1)])
    at.asker.follow({"a": 2})
    at.open |= {1, 2}
    await until(lambda: at.asker.answers == {"a": "a2"})
    assert at.cancelled == [("a", 1)]
    assert at.told == 1


async def test_what_is_no_longer_wanted_is_given_up(background: BackgroundLoop) -> None:
    at = Asked(background, 0.0)
    at.asker.follow({"a": 1, "b": 2})
    await until(lambda: len(at.put) == 2)
    at.asker.follow({"b": 2})
    await until(lambda: at.cancelled == [("a", 1)])
    assert at.asker.questions == {"b": 2}
    at.asker.close()
    await until(lambda: at.cancelled == [("a", 1), ("b", 2)])
    assert at.asker.waiting == ()
    assert at.told == 0
