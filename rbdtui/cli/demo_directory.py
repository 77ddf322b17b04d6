"""The demo's own directory, gone with it; what a demo that was killed left behind goes when the next one starts."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rbdtui.bounded_json import read_json
from rbdtui.engine.lock import holder_of
from rbdtui.errors import SentenceError
from rbdtui.plain_file import open_plain
from rbdtui.site import Site

PREFIX: Final = "rbdtui-demo-"
SITE_NAME: Final = "site"
_MARK: Final = "demo.json"
_MARK_LIMIT_BYTES: Final = 4096
RUNNER_END_S: Final = 5.0
"""How long a runner may take to end when the demo does."""
_PROC: Final = Path("/proc")


@contextmanager
def demo_directory() -> Iterator[Path]:
    """A directory for one demo, marked with its process; those of demos that were killed are removed before."""
    remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        directory = Path(name)
        mark = {"pid": os.getpid(), "started": _start_of(os.getpid())}
        (directory / _MARK).write_text(json.dumps(mark), encoding="utf-8")
        yield directory


def remove_leftovers() -> None:
    """Remove directories of demos whose process is gone, only our own with our mark; a run there ends first."""
    for entry in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        if _is_own(entry) and _is_left(entry):
            with suppress(OSError, SentenceError):
                end_run(Site(entry / SITE_NAME))
            shutil.rmtree(entry, ignore_errors=True)


def end_run(site: Site) -> None:
    """End the runner of a run under way: the servers that it works on were the demo's, and vanish with it."""
    deadline = time.monotonic() + RUNNER_END_S
    ending = signal.SIGTERM
    while (holder := holder_of(site)) is not None and holder.pid > 0:
        if time.monotonic() > deadline:
            ending = signal.SIGKILL
        with suppress(ProcessLookupError):
            os.kill(holder.pid, ending)
        time.sleep(0.1)
        if ending is signal.SIGKILL:
            return


def _is_own(directory: Path) -> bool:
    """Whether it is a directory, no link to one, that only this user can have filled."""
    try:
        status = directory.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def _is_left(directory: Path) -> bool:
    """Whether its mark names a process that is gone; without a mark that can be read it is nobody's to remove."""
    try:
        with open_plain(directory / _MARK) as file:
            mark = read_json(file.read(_MARK_LIMIT_BYTES))
        pid, started = mark["pid"], mark["started"]
        if not isinstance(pid, int) or not isinstance(started, str) or not started:
            return False
        return _start_of(pid) != started
    except (OSError, ValueError, TypeError, LookupError):
        return False


def _start_of(pid: int) -> str:
    """When a process began, as this boot and ticks since (proc(5), field 22); empty when there is none."""
    try:
        ticks = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19]
        return f"{(_PROC / 'sys/kernel/random/boot_id').read_text().strip()} {ticks}"
    except (OSError, IndexError):
        return ""
