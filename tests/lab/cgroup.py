"""Every process of a lab lives in a cgroup named after the lab, so that nothing else can ever be ended by mistake."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

from tests.lab.machine import CGROUP_ROOT, CONTROLLERS
from tests.lab.shell import run, wait_for

_HIERARCHIES = (*CONTROLLERS, "systemd", "unified")
_JOIN = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done; shift; exec "$@"'
_BACKGROUND = 'log=$1; shift; setsid "$@" > "$log" 2>&1 < /dev/null &'
_KILL_S = 20


def joined(group: str, argv: Sequence[str]) -> list[str]:
    """A command that runs `argv` as a member of the cgroup, which is made when it is missing."""
    return ["sh", "-c", _JOIN, "sh", *map(str, _make(group)), "--", *argv]


def start_in_background(group: str, argv: Sequence[str], log: Path) -> None:
    """Start a program in the cgroup, outliving this process and no child of it."""
    run(["sh", "-c", _BACKGROUND, "sh", str(log), *joined(group, argv)])


def members(group: str) -> list[int]:
    """Process ids in the cgroup and below it."""
    found = []
    for file in (CGROUP_ROOT / "pids" / group).rglob("cgroup.procs"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in file.read_text().split()]
    return found


def init_process(group: str) -> int | None:
    """The process that is number 1 of the host whose cgroup this is."""
    for pid in members(group):
        with contextlib.suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            numbers = status.partition("NSpid:")[2].splitlines()[0].split()
            if len(numbers) == 2 and numbers[1] == "1":
                return pid
    return None


def kill_all(group: str) -> None:
    """End every process of the cgroup at once and remove it."""

    def empty() -> bool:
        init = init_process(group)
        # The kernel ends a whole host with its first process: nothing inside sees the others go.
        for pid in ([init] if init else []) + members(group):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not members(group)

    wait_for(f"end of all processes of {group}", empty, timeout_s=_KILL_S)
    wait_for(f"removal of cgroup {group}", lambda: _remove(group), timeout_s=_KILL_S)


def groups(prefix: str) -> list[str]:
    """Names of the cgroups that begin with a prefix."""
    return sorted({place.name for hierarchy in _HIERARCHIES for place in (CGROUP_ROOT / hierarchy).glob(f"{prefix}*")})


def _make(group: str) -> list[Path]:
    made = []
    for hierarchy in _HIERARCHIES:
        parent = CGROUP_ROOT / hierarchy
        place = parent / group
        if not parent.is_dir():
            continue
        if not place.is_dir():
            place.mkdir(exist_ok=True)
            if hierarchy == "cpuset":  # a cpuset that is empty takes no process
                for file in ("cpuset.cpus", "cpuset.mems"):
                    (place / file).write_text((parent / file).read_text())
        made.append(place)
    return made


def _remove(group: str) -> bool:
    for hierarchy in _HIERARCHIES:
        place = CGROUP_ROOT / hierarchy / group
        if place.is_dir():
            for directory, _, _ in os.walk(place, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)
    return not any((CGROUP_ROOT / hierarchy / group).exists() for hierarchy in _HIERARCHIES)
