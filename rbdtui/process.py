"""What a process that holds secrets owes them: its memory goes nowhere, also when it crashes.

Sources: core(5), prctl(2) PR_SET_DUMPABLE, proc_pid_fd(5).
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def keep_memory_private() -> None:
    """Leave no core dump, not even to a program that collects them, and let no other process of the user read along.

    What is started from here dumps no core either. Does what the system lets it do, and never raises.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
