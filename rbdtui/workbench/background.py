"""One thread with an event loop of its own for all that talks to hosts.

A terminal that stops reading blocks the loop that draws; work on hosts must not stand still with it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Final, TypeVar

_T = TypeVar("_T")
_TURNS_TO_CLOSE: Final = 4


class BackgroundLoop:
    """Runs coroutines away from the screen; start it once, close it at the end."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="rbdtui-hosts", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.close()

    def submit(self, work: Coroutine[object, object, _T]) -> Future[_T]:
        """Start a coroutine; its result or error is in the future, which can be cancelled."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self, limit_s: float = 3.0) -> None:
        """Cancel what is under way and end the thread, after a bounded wait."""
        if not self._thread.is_alive():
            return
        ending = asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        try:
            ending.result(limit_s)
        except TimeoutError:
            ending.cancel()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(limit_s)


async def _cancel_all() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    # Connections that were given up close a turn or two of the loop later.
    for _ in range(_TURNS_TO_CLOSE):
        await asyncio.sleep(0)
