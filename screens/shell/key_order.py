"""Keys act in the order in which they were pressed, however many of them arrive at a stroke.

A slow line delivers several keys in one packet, and a terminal without bracketed paste a whole text. A key goes to
what has the focus when it is handed on; so the next is handed on only once all that the one before has led to, such as
a cell that is done, a dialog that comes up or another section, has come about. Keys that are pressed while a site is
being opened wait for it: of two, the second alone may mean something else.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Final

from textual import events
from textual.app import App
from textual.message_pump import MessagePump

from screens.shell.base import Dialog

ROUNDS: Final = 3
"""At most, from the focus to the program: what a message has led to, and what that has led to."""
LIMIT_S: Final = 1.0
"""After which a key is handed on whatever the program is doing: a late key is better than none."""
MOST_S: Final = 10.0
"""The same by the clock on the wall, where a machine gives the program hardly any time."""
DIALOG_LIMIT_S: Final = 0.3
"""How long a dialog may take to come up before keys go elsewhere."""
LOOK_EVERY_S: Final = 0.01
AT_ONCE_S: Final = 0.001
MOST_HELD: Final = 64
"""A key that was leant on is not a wish."""
ECHO_S: Final = 2.0
"""So long after an answer the same letter is taken for that answer once more."""
_ANSWERS: Final = frozenset({"y", "n"})
_LEAVING: Final = frozenset({"q", "ctrl+q", "ctrl+c"})
"""What acts although keys are held."""


class KeyOrder:
    """Hands keys and pasted texts to a program one at a time."""

    def __init__(self, app: App[int], hand_on: Callable[[events.Event], None]) -> None:
        self._app, self._hand_on = app, hand_on
        self._waiting: deque[tuple[events.Event, bool]] = deque()
        self._handing: asyncio.Task[None] | None = None
        self._held = False
        self._answered, self._answered_at = "", 0.0
        self.at_a_stroke = False
        """Whether the key in hand came together with others, as those of a text that was pasted do."""

    @property
    def busy(self) -> bool:
        """Whether what a key has led to is still to come about."""
        return self._handing is not None

    def hold(self) -> None:
        """Keep keys from now on, but those that leave; what is pasted is dropped, as it may be anything."""
        self._held = True

    def release(self, *, dropped: bool = False) -> None:
        """Hand on what was kept, and what comes from now on; without what was kept where it would meet a question."""
        self._held = False
        if dropped:
            self._waiting.clear()
        elif self._waiting and self._handing is None:
            self._handing = asyncio.create_task(self._hand_on_all())

    def take(self, event: events.Event) -> None:
        """Take the next event; it is handed on at once when nothing is under way."""
        if self._held and not (isinstance(event, events.Key) and event.key in _LEAVING):
            if isinstance(event, events.Key) and len(self._waiting) < MOST_HELD:
                self._waiting.append((event, False))
            return
        if self._held:
            self._hand_on(event)
            return
        self._waiting.append((event, self._handing is not None))
        if self._handing is None:
            self._handing = asyncio.create_task(self._hand_on_all())

    async def _hand_on_all(self) -> None:
        try:
            while self._waiting and self._app.is_running:
                event, behind_another = self._waiting.popleft()
                if self._echoes(event):
                    continue
                self.at_a_stroke = behind_another or bool(self._waiting)
                self._hand_on(event)
                await self._settled()
        finally:
            self._handing = None

    def _echoes(self, event: events.Event) -> bool:
        """Whether a letter that has just answered a question is pressed again, where it would mean something else."""
        key = event.key if isinstance(event, events.Key) and event.key in _ANSWERS else ""
        asked = bool(self._app.screen_stack) and isinstance(self._app.screen, Dialog)
        again = bool(key) and key == self._answered and not asked and time.monotonic() - self._answered_at < ECHO_S
        self._answered, self._answered_at = (key, time.monotonic()) if asked or again else ("", 0.0)
        return again

    async def _settled(self) -> None:
        """Wait until what a key has led to has come about."""
        patience = _Patience(LIMIT_S)
        for _ in range(ROUNDS):
            for pump in list(self._way()):
                await _passed(pump, patience)
            if all(pump._message_queue.empty() for pump in self._way()):
                break
        while not self._is_there() and patience.lasts:
            await patience.look(AT_ONCE_S)
        patience = _Patience(DIALOG_LIMIT_S)
        while self._dialog_to_come() and patience.lasts:
            await patience.look(LOOK_EVERY_S)

    def _way(self) -> Iterator[MessagePump]:
        """Whom a key passes: from what has the focus up to the program."""
        if self._app._exit or not self._app.screen_stack:
            return
        yield from (self._app.focused or self._app.screen).ancestors_with_self

    def _is_there(self) -> bool:
        """Whether the screen that is on top can take keys; also when the program ends."""
        return not self._app.is_running or not self._app.screen_stack or self._app.screen.is_mounted

    def _dialog_to_come(self) -> bool:
        if not self._app.is_running or not self._app.screen_stack or isinstance(self._app.screen, Dialog):
            return False
        return any(worker.group == "dialog" and worker.is_running for worker in self._app.workers)


class _Patience:
    """A time limit that runs only while the program has time to look: else it has had none to do what is waited for."""

    def __init__(self, limit_s: float) -> None:
        self._left_s = limit_s
        self._end = time.monotonic() + MOST_S

    @property
    def lasts(self) -> bool:
        """Whether there is any left."""
        return self._left_s > 0 and time.monotonic() < self._end

    async def look(self, after_s: float, event: asyncio.Event | None = None) -> None:
        """Let the program go on for a moment, or until something happens."""
        try:
            async with asyncio.timeout(after_s):
                await (event or asyncio.Event()).wait()
        except TimeoutError:
            self._left_s -= after_s


async def _passed(pump: MessagePump, patience: _Patience) -> None:
    """Wait until a part of the program has seen to all messages that it has by now."""
    passed = asyncio.Event()
    if not pump.is_running or not pump.call_later(passed.set):
        return
    while not passed.is_set() and pump.is_running and patience.lasts:
        await patience.look(LOOK_EVERY_S, passed)
