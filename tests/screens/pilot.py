"""A pilot that waits for what has been asked for to be drawn, instead of for a processor that is idle.

Textual's own waits until the process hardly works, at least a fiftieth of a second and at most one for every key: that
is slow on a quiet machine, and on a busy one it goes on too early.
"""

from __future__ import annotations

import asyncio
import time
import unicodedata
from typing import Final

from textual import events
from textual.app import App
from textual.keys import REPLACED_KEYS, _character_to_key, _get_unicode_name_from_key
from textual.pilot import Pilot
from textual.screen import Screen

from screens.app import RbdTuiApp

LIMIT_S: Final = 60.0
"""Only a program that never rests waits so long: machines that test have other work, too."""
TICK_S: Final = 0.005
"""Between looks at what a timer of Textual's will do."""


class SwiftPilot(Pilot[int]):
    """Presses keys; each has done what it does, and that is drawn, when the call returns."""

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, named as Textual names them."""
        for key in keys:
            self.app.post_message(key_event(key))
            await drained(self.app)

    async def pause(self, delay: float | None = None) -> None:
        """Return when nothing is left to draw, after so many seconds."""
        if delay is not None:
            await asyncio.sleep(delay)
        await drained(self.app)


async def drained(app: App[int]) -> None:
    """Return when no part of a program could go on without time passing, and all of it is drawn."""
    end, loop = time.monotonic() + LIMIT_S, asyncio.get_running_loop()
    while not _over(app):
        assert time.monotonic() < end, f"the program does not come to rest: {_unrest(app)}"
        if loop._ready or _draw(app):  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        elif app._resize_event is not None or app._batch_count:
            await asyncio.sleep(TICK_S)
        elif isinstance(app, RbdTuiApp) and app._draw_timer is not None:
            app._draw_timer.stop()
            app._draw()
        elif isinstance(app, RbdTuiApp) and app.key_order.busy:
            await asyncio.sleep(TICK_S)
        elif not loop._ready:  # type: ignore[attr-defined]
            return


def _unrest(app: App[int]) -> str:
    """What there still is to do."""
    loop, screen = asyncio.get_running_loop(), app.screen
    ready = [repr(handle)[:200] for handle in list(loop._ready)[:5]]  # type: ignore[attr-defined]
    dirty = (screen._layout_required, screen._repaint_required, len(screen._dirty_widgets), screen._callbacks)
    waits = (app._resize_event, app._batch_count)
    keys = app.key_order.busy if isinstance(app, RbdTuiApp) else None
    return f"{ready=} {dirty=} {waits=} {keys=}"


def _over(app: App[int]) -> bool:
    return not app.is_running or app._exit or app._exception is not None


def _draw(app: App[int]) -> bool:
    """Draw now what would be drawn at the next tick; whether there was anything."""
    if app._batch_count:
        return False
    screen: Screen[object] = app.screen
    dirty = bool(screen._layout_required or screen._repaint_required or screen._dirty_widgets or screen._callbacks)
    with app._context():
        screen._on_timer_update()
    return dirty


def key_event(key: str) -> events.Key:
    """What a terminal tells of a key, named as Textual names it."""
    if len(key) == 1 and not key.isalnum():
        key = _character_to_key(key)
    name = _get_unicode_name_from_key(REPLACED_KEYS.get(key, key))
    try:
        return events.Key(key, unicodedata.lookup(name))
    except KeyError:
        return events.Key(key, key if len(key) == 1 else None)
