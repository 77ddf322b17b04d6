"""Which lab has which quarter of the lab's network on this machine, across processes and users of different caches."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.lab.cache import file_lock
from tests.lab.layout import QUARTERS
from tests.lab.shell import LabError, Progress

_PLACE = Path("/run/rbdtui-lab")
_WAIT_S = 300


@dataclass(frozen=True, slots=True)
class Owner:
    """The process a lab is for; a lab without one stays until it is taken down."""

    pid: int
    start_ticks: str

    @property
    def alive(self) -> bool:
        """Whether that very process still runs."""
        return _start_ticks(self.pid) == self.start_ticks


@dataclass(frozen=True, slots=True)
class Claim:
    """One lab's hold on a quarter."""

    lab: str
    quarter: int
    directory: str
    boot_id: str
    owner: Owner | None

    @property
    def abandoned(self) -> bool:
        """Whether the lab is left over from a crash: its owner has died, or this machine was booted since."""
        return self.boot_id != _boot_id() or (self.owner is not None and not self.owner.alive)


def this_process() -> Owner:
    """The calling process as an owner."""
    return Owner(os.getpid(), _start_ticks(os.getpid()) or "")


def all_claims() -> list[Claim]:
    """Every claim on this machine."""
    found = []
    for file in sorted(_PLACE.glob("quarter-*.json")):
        data = json.loads(file.read_text())
        owner = data.pop("owner")
        found.append(Claim(**data, owner=Owner(**owner) if owner else None))
    return found


def find_claim(lab: str) -> Claim | None:
    """The claim of a lab, if it has one."""
    return next((claim for claim in all_claims() if claim.lab == lab), None)


def take(lab: str, wanted_quarter: int | None, directory: Path, owner: Owner | None, progress: Progress) -> int:
    """Claim a quarter: the wanted one or the first that is or becomes free; `LabError` when it or the name is taken."""
    end = time.monotonic() + _WAIT_S
    while (quarter := _try_take(lab, wanted_quarter, directory, owner)) is None:
        if time.monotonic() > end:
            raise LabError(f"all quarters are taken, by {', '.join(claim.lab for claim in all_claims())}")
        progress("waiting for a quarter of the network: all are taken")
        time.sleep(5)
    return quarter


def _try_take(lab: str, wanted_quarter: int | None, directory: Path, owner: Owner | None) -> int | None:
    with _locked():
        held = {claim.quarter: claim for claim in all_claims()}
        for claim in held.values():
            if claim.lab == lab:
                raise LabError(f"lab {lab!r} is up already: `python -m tests.lab --lab {lab} down`")
        if wanted_quarter in held:
            raise LabError(f"quarter {wanted_quarter} belongs to lab {held[wanted_quarter].lab!r}")
        free = [number for number in range(len(QUARTERS)) if number not in held]
        if not free:
            return None
        quarter = free[0] if wanted_quarter is None else wanted_quarter
        claim = Claim(lab, quarter, str(directory), _boot_id(), owner)
        aside = _PLACE / f"quarter-{quarter}.new"
        aside.write_text(json.dumps(asdict(claim)))
        aside.rename(_file(quarter))
    return quarter


def release(lab: str) -> None:
    """Give up what a lab holds."""
    with _locked():
        for claim in all_claims():
            if claim.lab == lab:
                _file(claim.quarter).unlink()


@contextmanager
def _locked() -> Iterator[None]:
    with file_lock(_PLACE / "lock", timeout_s=30, busy="another process claims a quarter"):
        yield


def _file(quarter: int) -> Path:
    return _PLACE / f"quarter-{quarter}.json"


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start_ticks(pid: int) -> str | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return None
