"""Putting things back to the end, also for somebody who is told to stop meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

_Result = TypeVar("_Result")


async def surely(work: Coroutine[object, object, _Result]) -> _Result:
    """Await something to its end even while whoever waits is cancelled; the cancellation comes afterwards."""
    task = asyncio.create_task(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    result = task.result()
    if cancelled is not None:
        raise cancelled
    return result
