"""Waits until what was typed has reached the draft."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Final

from textual.app import App
from textual.message_pump import MessagePump

LIMIT_S: Final = 1.0
_QUIET_ROUNDS: Final = 8
"""Rounds of the event loop without a message; a letter passes through fewer hands on its way to the draft."""


async def messages_handled(app: App[Any], limit_s: float = LIMIT_S) -> None:
    """Wait until no widget in sight has a message to handle; at most that long, and without drawing anything."""
    deadline = time.monotonic() + limit_s
    quiet = 0
    while quiet < _QUIET_ROUNDS and time.monotonic() < deadline:
        await asyncio.sleep(0)
        quiet = quiet + 1 if all(pump.message_queue_size == 0 for pump in _pumps(app)) else 0


def _pumps(app: App[Any]) -> list[MessagePump]:
    screens = app.screen_stack if app.is_running else []
    return [app, *screens, *(widget for screen in screens for widget in screen.walk_children())]
