"""The end of the terminal: signals, a parent that is gone, a line that hangs up; the screen leaves, the run stays."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from rbdtui.workbench.workbench import Workbench


class Leaving(Protocol):
    """A program that can be told to leave."""

    workbench: Workbench | None

    @property
    def is_running(self) -> bool:
        """Whether it is still there."""
        ...

    def leave(self, status: int) -> None:
        """Leave with an exit status."""
        ...


LOOK_EVERY_S: Final = 1.0
PATIENCE_S: Final = 5.0
"""How long a screen may take to leave; one that is stuck in writing to a dead terminal never does."""
PATIENCE_AFTERWARDS_S: Final = 20.0
"""How long the program may take after its screen: the demo has servers to end."""


def watch_terminal(app: Leaving) -> None:
    """Leave cleanly on SIGHUP and SIGTERM, and when the terminal or whoever started us is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGTERM):
        loop.add_signal_handler(number, app.leave, 128 + number)
    watch = threading.Thread(target=_watch, args=(app, loop, os.getppid()), name="rbdtui-terminal", daemon=True)
    watch.start()


def _watch(app: Leaving, loop: asyncio.AbstractEventLoop, parent: int) -> None:
    # Also once the screen is gone: threads that wait for keys of a dead terminal keep a process alive for ever.
    while os.getppid() == parent and os.isatty(0):
        time.sleep(LOOK_EVERY_S)
    status = 128 + signal.SIGHUP
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(app.leave, status)
    time.sleep(PATIENCE_S if app.is_running else PATIENCE_AFTERWARDS_S)
    if app.is_running and app.workbench is not None:
        app.workbench.keep_now()
    os._exit(status)
