"""The end of the terminal: signals, a parent that is gone, a line that hangs up; the screen leaves, the run stays."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from screens.app import RbdTuiApp

LOOK_EVERY_S: Final = 1.0
PATIENCE_S: Final = 5.0
"""How long a screen may take to leave; one that is stuck in writing to a dead terminal never does."""


def watch_terminal(app: RbdTuiApp) -> None:
    """Leave cleanly on SIGHUP and SIGTERM, and when the terminal or whoever started us is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGHUP, signal.SIGTERM):
        loop.add_signal_handler(number, app.leave, 128 + number)
    watch = threading.Thread(target=_watch, args=(app, loop, os.getppid()), name="rbdtui-terminal", daemon=True)
    watch.start()


def _watch(app: RbdTuiApp, loop: asyncio.AbstractEventLoop, parent: int) -> None:
    while app.is_running:
        time.sleep(LOOK_EVERY_S)
        if os.getppid() != parent or not os.isatty(0):
            break
    else:
        return
    status = 128 + signal.SIGHUP
    loop.call_soon_threadsafe(app.leave, status)
    time.sleep(PATIENCE_S)
    if app.workbench is not None:
        app.workbench.keep_now()
    os._exit(status)
