"""Several things at once: none outlasts whoever asked, and each is given up once."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Awaitable
from pathlib import Path

import pytest

from rbdtui.together import together


class Worker:
    """Works for a while, and takes its time to clean up when it is given up."""

    def __init__(self, takes_s: float = 5, *, error: Exception | None = None, cleaning_s: float = 0.02) -> None:
        self.takes_s, self.error, self.cleaning_s = takes_s, error, cleaning_s
        self.cancelled, self.is_clean = 0, False

    async def work(self) -> float:
        try:
            await asyncio.sleep(self.takes_s)
            if self.error is not None:
                raise self.error
            return self.takes_s
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            await asyncio.sleep(self.cleaning_s)
            self.is_clean = True


async def test_what_comes_of_them_is_in_their_order() -> None:
    assert await together(*(Worker(takes_s).work() for takes_s in (0.03, 0.01, 0.02))) == (0.03, 0.01, 0.02)
    assert await together() == ()


async def test_who_waits_and_is_cancelled_leaves_when_all_have_cleaned_up() -> None:
    workers = [Worker(cleaning_s=0), Worker(cleaning_s=0.1), Worker(0)]
    waiting = asyncio.create_task(together(*(each.work() for each in workers)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [(each.cancelled, each.is_clean) for each in workers] == [(1, True), (1, True), (0, True)]


async def test_a_second_cancellation_does_not_hurry_them() -> None:
    worker = Worker(cleaning_s=0.1)
    waiting = asyncio.create_task(together(worker.work(), Worker().work()))
    await asyncio.sleep(0.02)
    waiting.cancel()
    await asyncio.sleep(0.02)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (worker.cancelled, worker.is_clean) == (1, True)


async def test_the_first_failure_is_told_when_the_others_have_ended() -> None:
    slow = Worker(cleaning_s=0.1)
    first = Worker(0.01, error=KeyError("first"), cleaning_s=0)
    with pytest.raises(KeyError, match="first"):
        await together(Worker(0).work(), slow.work(), first.work())
    assert (slow.cancelled, slow.is_clean) == (1, True)


async def test_a_time_limit_is_told_as_one() -> None:
    worker = Worker()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await together(worker.work(), Worker().work())
    assert worker.is_clean


async def test_one_that_was_cancelled_by_somebody_else_is_not_taken_for_done() -> None:
    other: Awaitable[float] = asyncio.create_task(Worker().work())
    assert isinstance(other, asyncio.Task)
    asyncio.get_running_loop().call_later(0.02, other.cancel)
    with pytest.raises(asyncio.CancelledError):
        await together(other, Worker(0.05).work())


def test_nothing_is_left_to_go_on_by_itself() -> None:
    """``asyncio.gather`` ends with the first that fails or is given up; the others go on without anybody."""
    root = Path(__file__).resolve().parent.parent
    found = [
        f"{file.relative_to(root)}:{node.lineno}"
        for folder in ("rbdtui", "screens")
        for file in (root / folder).rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "asyncio.gather"
        if not any(keyword.arg == "return_exceptions" for keyword in node.keywords)
    ]
    assert found == []
