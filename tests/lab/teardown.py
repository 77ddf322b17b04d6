"""Taking a lab down by its name alone, so that it works after a failure, a crash, and for a lab that is half up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from tests.lab import cgroup, claims, wire
from tests.lab.cache import cache_root, file_lock, remove_tree
from tests.lab.layout import check_name, group_prefix
from tests.lab.shell import LabError, Progress


def lab_directory(lab: str) -> Path:
    """Where the disks and the plan of a lab are."""
    return cache_root() / "labs" / lab


def demolish(lab: str, directory: Path) -> None:
    """End every process of a lab and remove its links, rules, mounts and disks; what fails does not stop the rest."""
    check_name(lab)
    failures: list[str] = []
    steps: list[tuple[Callable[[str], None], str]] = [
        (cgroup.kill_all, group) for group in cgroup.groups(group_prefix(lab))
    ]
    steps += [(wire.stop_detours, lab)]
    steps += [(wire.remove_squatter, name) for name in wire.squatters(lab)]
    steps += [(wire.remove_links, lab)]
    for step, argument in steps:
        try:
            step(argument)
        except LabError as error:
            failures.append(str(error))
    try:
        remove_tree(directory)
    except LabError as error:
        failures.append(str(error))
    if failures:
        raise LabError(f"lab {lab!r} is not wholly down: {'; '.join(failures)}")
    claims.release(lab)


def take_down(lab: str) -> None:
    """Demolish a lab while no other process works on it."""
    claim = claims.find_claim(lab)
    directory = Path(claim.directory) if claim else lab_directory(lab)
    with working_on(lab):
        demolish(lab, directory)


def clear_abandoned(progress: Progress) -> None:
    """Take down every lab whose owner has died without doing so."""
    for claim in claims.all_claims():
        if claim.abandoned:
            progress(f"taking down lab {claim.lab!r}, left over from a crash")
            take_down(claim.lab)


def working_on(lab: str) -> AbstractContextManager[None]:
    """Hold the lock of one lab."""
    return file_lock(cache_root() / "labs" / f"{lab}.lock", timeout_s=120, busy=f"another process works on lab {lab!r}")
