"""The one loop of everything that waits for hosts: look, and look again, until it is so or time is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from rbdtui.errors import StepError

Found = TypeVar("Found")


async def wait_for(look: Callable[[], Awaitable[Found | StepError]], *, limit_s: float, every_s: float) -> Found:
    """Look until a look finds something else than an error, and give that.

    ``limit_s`` counts from now. Raises the error of the last look when it is over, and at once what a look raises.
    """
    deadline = time.monotonic() + limit_s
    while isinstance(found := await look(), StepError):
        if time.monotonic() > deadline:
            raise found
        await asyncio.sleep(every_s)
    return found
