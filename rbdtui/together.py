"""Doing several things at once, none of which outlasts whoever asked for them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any, TypeVar, overload

from rbdtui.surely import surely

_A = TypeVar("_A")
_B = TypeVar("_B")
_C = TypeVar("_C")
_D = TypeVar("_D")


@overload
async def together(a: Awaitable[_A], b: Awaitable[_B], /) -> tuple[_A, _B]: ...
@overload
async def together(a: Awaitable[_A], b: Awaitable[_B], c: Awaitable[_C], /) -> tuple[_A, _B, _C]: ...
@overload
async def together(
    a: Awaitable[_A], b: Awaitable[_B], c: Awaitable[_C], d: Awaitable[_D], /
) -> tuple[_A, _B, _C, _D]: ...
@overload
async def together(*works: Awaitable[_A]) -> tuple[_A, ...]: ...
async def together(*works: Awaitable[Any]) -> tuple[Any, ...]:
    """What comes of all of them, in their order; raises what the first of them to fail raised.

    Then, and when whoever waits is cancelled, the others are cancelled once and awaited until they have cleaned up,
    which ``asyncio.gather`` leaves them alone with.
    """
    tasks = [asyncio.ensure_future(work) for work in works]
    failed: list[asyncio.Future[Any]] = []

    def note(task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and task.exception() is not None:
            failed.append(task)

    for task in tasks:
        task.add_done_callback(note)
    try:
        if tasks:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        if pending := [task for task in tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await surely(_ended(pending))
    if failed:
        failed[0].result()
    return tuple(task.result() for task in tasks)


async def _ended(tasks: Collection[asyncio.Future[Any]]) -> None:
    await asyncio.wait(tasks)
