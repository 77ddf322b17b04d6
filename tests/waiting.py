"""Waiting for what comes about by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

LIMIT_S: Final = 120.0
"""Also of a machine whose processors have five times as much to do as they can."""


async def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    """Return when something is so; raises `TimeoutError`."""
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.02)
