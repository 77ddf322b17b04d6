"""Faults inside one host that take more than a command: a full disk, a killed service, a wrong clock, new host keys."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from tests.lab.base import FILES
from tests.lab.booted import Booted
from tests.lab.cache import Cache, digest
from tests.lab.shell import LabError, run

_BALLAST = ".lab-ballast"
_CLOCK_LIBRARY = "/usr/local/lib/lab-clock.so"
_CLOCK_OFFSET = "/etc/lab-clock-offset"

_FILL = """
cd {path} || exit 1
free_kib() {{ df --output=avail -k . | tail -1; }}
too_many_kib() {{ echo $(($(free_kib) - {leave_kib})); }}
[ "$(too_many_kib)" -le 0 ] || fallocate -l "$(too_many_kib)k" {ballast}
[ "$(too_many_kib)" -le 0 ] || head -c "$(too_many_kib)k" /dev/zero > {ballast}2
readlink -f .
"""


def fill(booted: Booted, path: str, leave_mib: int) -> None:
    """Fill the file system that holds a directory of the host; what fills it is remembered for `drain`."""
    script = _FILL.format(path=shlex.quote(path), leave_kib=int(leave_mib) * 1024, ballast=_BALLAST)
    place = booted.inside(script, timeout_s=120).stdout.strip()
    with _ballast_list(booted).open("a") as handle:
        handle.write(f"{place}\n")


def drain(booted: Booted) -> None:
    """Remove everything that `fill` has put on the host."""
    listed = _ballast_list(booted)
    if not listed.exists():
        raise LabError(f"{booted.host.name}: nothing was filled")
    for place in sorted(set(listed.read_text().splitlines())):
        booted.inside(f"cd {shlex.quote(place)} && rm -f {_BALLAST} {_BALLAST}2")
    listed.unlink()


def kill_service(booted: Booted, service: str) -> None:
    """SIGKILL to the main process of a service; `LabError` when it does not run."""
    unit = shlex.quote(service)
    shown = booted.inside(f"systemctl show --property=MainPID --value -- {unit}").stdout.strip()
    if shown in ("", "0"):
        raise LabError(f"{booted.host.name}: service {service} does not run")
    booted.inside(f"kill -KILL {int(shown)}")


def skew(booted: Booted, seconds: float, cache: Cache) -> None:
    """Shift the time of day for every program that starts on the host from now on, and for those shifted before."""
    if not (booted.root / _CLOCK_LIBRARY.lstrip("/")).exists():
        shutil.copy(_clock_library(cache), booted.root / _CLOCK_LIBRARY.lstrip("/"))
    offset = int(seconds * 10**9).to_bytes(8, "little", signed=True)
    octal = "".join(f"\\0{byte:o}" for byte in offset)
    write = f"printf %b '{octal}' | dd of={_CLOCK_OFFSET} conv=notrunc status=none"
    # Written in place: running programs have the file mapped.
    booted.inside(f"{write} && echo {_CLOCK_LIBRARY} > /etc/ld.so.preload")


def new_host_keys(booted: Booted) -> None:
    """Replace the host's SSH keys, as after a new installation under the same address."""
    booted.inside("rm -f /etc/ssh/ssh_host_* && ssh-keygen -q -A && systemctl restart ssh", timeout_s=120)


def _ballast_list(booted: Booted) -> Path:
    return booted.directory / "ballast"


def _clock_library(cache: Cache) -> Path:
    source = FILES / "clock.c"

    def build(place: Path) -> None:
        run(["cc", "-O2", "-shared", "-fPIC", "-o", place / "clock.so", source])

    return cache.entry("clock", digest(source), build) / "clock.so"
