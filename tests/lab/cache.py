"""What is dear to make is made once: entries named by a hash of what goes into them, built aside and renamed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.lab.shell import LabError, Progress, run

CACHE_VARIABLE = "RBDTUI_LAB_CACHE"
DEFAULT_ROOT = Path("/var/cache/rbdtui-lab")


def cache_root() -> Path:
    """Where the cache and the disks of running labs are."""
    return Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_ROOT)


@contextmanager
def file_lock(path: Path, *, timeout_s: float, busy: str) -> Iterator[None]:
    """Hold an exclusive lock on a file; the kernel releases it if this process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + timeout_s
    with path.open("a") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise LabError(f"{busy}: still so after {timeout_s:g} s ({path})") from None
                time.sleep(0.1)
        yield


def digest(*ingredients: str | Path) -> str:
    """Twelve hex digits over texts and files (name and content); a directory stands for all files below it."""
    total = hashlib.sha256()
    for ingredient in ingredients:
        if isinstance(ingredient, str):
            total.update(f"text {len(ingredient)} {ingredient}".encode())
            continue
        files = sorted(p for p in ingredient.rglob("*") if p.is_file()) if ingredient.is_dir() else [ingredient]
        for file in files:
            data = file.read_bytes()
            total.update(f"file {file.relative_to(ingredient.parent)} {len(data)} ".encode() + data)
    return total.hexdigest()[:12]


class Cache:
    """Directories that are complete or absent, safe against two builders at once."""

    def __init__(self, root: Path, progress: Progress) -> None:
        self.root = root
        self._progress = progress

    def place(self, kind: str, key: str) -> Path:
        """Where the entry is when it is there."""
        return self.root / f"{kind}-{key}"

    def entry(self, kind: str, key: str, build: Callable[[Path], None], *, wait_s: float = 1800) -> Path:
        """The directory `kind-key`; when it is missing, `build` fills an empty one that then takes its place."""
        place = self.place(kind, key)
        if place.is_dir():
            os.utime(place)
            return place
        with file_lock(self.root / "locks" / f"{kind}.lock", timeout_s=wait_s, busy=f"another process builds {kind}"):
            if place.is_dir():
                return place
            for broken in self.root.glob(f"{kind}-*.building"):
                remove_tree(broken)
            aside = place.with_name(place.name + ".building")
            aside.mkdir(parents=True)
            begin = time.monotonic()
            self._progress(f"building {kind}")
            build(aside)
            aside.rename(place)
            self._progress(f"built {kind} in {time.monotonic() - begin:.0f} s")
        return place


def prune(cache: Cache) -> list[str]:
    """Remove all entries but the one of each kind that was used last; gives the names of those removed."""
    newest: dict[str, Path] = {}
    old: list[Path] = []
    complete = [place for place in cache.root.glob("*-*") if place.suffix != ".building"]
    for place in sorted(complete, key=lambda place: place.stat().st_mtime_ns):
        kind = place.name.partition("-")[0]
        if kind in newest:
            old.append(newest[kind])
        newest[kind] = place
    for place in old:
        remove_tree(place)
    return [place.name for place in old]


def mounts_below(path: Path) -> list[Path]:
    """Mount points at or below a path, the deepest first."""
    prefix = str(path.resolve())
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = line.split()[4].encode().decode("unicode_escape")
        if point == prefix or point.startswith(prefix + "/"):
            found.append(Path(point))
    return sorted(found, key=lambda point: len(point.parts), reverse=True)


def unmount_below(path: Path) -> None:
    """Unmount everything at or below a path; `LabError` when something stays."""
    for point in mounts_below(path):
        if run(["umount", point], check=False).returncode != 0:
            run(["umount", "-l", point], check=False)
    left = mounts_below(path)
    if left:
        raise LabError(f"still mounted: {', '.join(map(str, left))}")


def remove_tree(path: Path) -> None:
    """Remove a directory, but never what is mounted in it."""
    if path.exists():
        unmount_below(path)
        run(["rm", "-rf", "--one-file-system", path], timeout_s=300)
