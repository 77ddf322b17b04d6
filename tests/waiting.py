"""Waiting for what comes about by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], object], limit_s: float = 60) -> None:
    """Return when something is so; raises `TimeoutError`."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)
