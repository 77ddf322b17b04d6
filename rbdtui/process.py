"""What a process that holds secrets owes them, and whether one is halted.

Its memory goes nowhere, also when it crashes. Sources: core(5), prctl(2) PR_SET_DUMPABLE, proc_pid_fd(5).
"""

from __future__ import annotations

import contextlib
import ctypes
import resource
from pathlib import Path
from typing import Final

_PR_SET_DUMPABLE: Final = 4
_HALTED: Final = frozenset("Tt")
"""Of proc_pid_stat(5): stopped by a signal, or by whoever traces it."""


def keep_memory_private() -> None:
    """Leave no core dump, not even to a program that collects them, and let no other process of the user read along.

    What is started from here dumps no core either. Does what the system lets it do, and never raises.
    """
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def is_halted(pid: int, word: str) -> bool:
    """Whether a process of this machine, with a word in its command line, is halted; False where that is not told.

    The word keeps a process of the same number from being taken for one of another machine.
    """
    try:
        if word.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return False
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[:1]
    except OSError:
        return False
    return bool(state) and state[0] in _HALTED
