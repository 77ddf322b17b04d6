"""Where a screen keeps its draft: every screen that has a site open writes a file of its own, so that none is lost."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.locking import try_lock

MOST_SCREENS: Final = 20
"""More on one site share the last file."""


@dataclass(frozen=True, slots=True)
class DraftFile:
    """One of the site's draft files, ours until `release`; the kernel lets go of it when we die."""

    path: Path
    others: bool
    """Whether another screen has the site open."""
    _lock: int | None
    """Descriptor that holds it; None where locks cannot be made, as on a disk that is full."""

    @classmethod
    def take(cls, directory: Path) -> DraftFile:
        """The first file that nobody has in use, one with unsaved work before others."""
        free: list[tuple[Path, int]] = []
        used = 0
        for number in range(1, MOST_SCREENS + 1):
            path = directory / _name(number)
            lock = _try_lock(path.with_suffix(".lock"), create=not free)
            if lock is None:
                break
            if lock < 0:
                used += 1
            else:
                free.append((path, lock))
        chosen = next((entry for entry in free if entry[0].exists()), free[0] if free else None)
        for path, lock in free:
            if chosen is None or path != chosen[0]:
                os.close(lock)
        if chosen is None:
            return cls(directory / _name(used + 1 if used < MOST_SCREENS else MOST_SCREENS), used > 0, None)
        return cls(chosen[0], used > 0, chosen[1])

    def release(self) -> None:
        """Leave the file to whoever comes next."""
        if self._lock is not None:
            with contextlib.suppress(OSError):
                os.close(self._lock)


def _name(number: int) -> str:
    return "draft.json" if number == 1 else f"draft-{number}.json"


def _try_lock(file: Path, *, create: bool) -> int | None:
    """A descriptor that holds the lock, -1 when somebody else does, None when there is no lock to be had."""
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except OSError:
        return None
    try:
        got = try_lock(descriptor)
    except OSError:
        os.close(descriptor)
        return None
    if not got:
        os.close(descriptor)
        return -1
    return descriptor
