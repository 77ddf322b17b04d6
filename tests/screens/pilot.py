"""A pilot that waits for what has been asked for to be drawn, instead of for a processor that is idle.

Textual's own waits until the process hardly works, at least a fiftieth of a second and at most one for every key: that
is slow on a quiet machine, and on a busy one it goes on too early.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from collections.abc import Sequence
from typing import Final

from textual import events
from textual.app import App
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.message import Message
from textual.message_pump import MessagePump
from textual.pilot import Pilot
from textual.screen import Screen

LIMIT_S: Final = 20.0
_QUIET_ROUNDS: Final = 3
"""So often in a row nothing may have been on its way; what a task has yet to begin shows up in between."""


class Traffic:
    """Counts the messages of a program: to be given to ``run_test`` as its message hook."""

    def __init__(self) -> None:
        self.messages = 0

    def __call__(self, message: Message) -> None:
        """Count one more."""
        self.messages += 1


class SwiftPilot(Pilot[int]):
    """Presses keys; each has done what it does, and that is drawn, when the call returns."""

    def __init__(self, app: App[int], traffic: Traffic) -> None:
        super().__init__(app)
        self._traffic = traffic

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, named as Textual names them."""
        for key in keys:
            self.app.post_message(_key_event(key))
            await self._drained()

    async def pause(self, delay: float | None = None) -> None:
        """Return when nothing is left to draw, after so many seconds."""
        if delay is not None:
            await asyncio.sleep(delay)
        await self._drained()

    async def _drained(self) -> None:
        """Return when no message is on its way to any part of the program and all of it is drawn."""
        app, end, quiet = self.app, time.monotonic() + LIMIT_S, 0
        while quiet < _QUIET_ROUNDS and not _over(app):
            before = self._traffic.messages
            parts = [app, *(part for screen in app.screen_stack for part in screen.walk_children(with_self=True))]
            ours = await _passed(app, parts, end)
            busy = self._traffic.messages - before > ours
            quiet = 0 if _draw(app) or busy else quiet + 1


def _over(app: App[int]) -> bool:
    return not app.is_running or app._exit or app._exception is not None


async def _passed(app: App[int], parts: Sequence[MessagePump], end: float) -> int:
    """Return how many parts have come to what was behind all their messages; the rest has gone meanwhile."""
    waits = []
    for part in parts:
        passed = asyncio.Event()
        if part.call_later(passed.set):
            waits.append((part, passed))
    while any(not passed.is_set() and not (part._closing or part._closed) for part, passed in waits):
        assert time.monotonic() < end, "the program does not come to rest"
        await asyncio.sleep(0)
        if _over(app):
            break
    return sum(passed.is_set() for _, passed in waits)


def _draw(app: App[int]) -> bool:
    """Draw now what would be drawn at the next tick; whether there was anything."""
    screen: Screen[object] = app.screen
    busy = bool(screen._layout_required or screen._repaint_required or screen._dirty_widgets or screen._callbacks)
    busy = busy or app._resize_event is not None
    with screen._context():
        screen._on_timer_update()
    return busy


def _key_event(key: str) -> events.Key:
    if len(key) == 1 and not key.isalnum():
        key = _character_to_key(key)
    name = _get_unicode_name_from_key(REPLACED_KEYS.get(key, key))
    try:
        return events.Key(key, unicodedata.lookup(name))
    except KeyError:
        return events.Key(key, key if len(key) == 1 else None)
