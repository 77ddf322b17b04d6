"""How long the disk that etcd will write to takes for a write: etcd waits for each, and so does the whole cluster.

etcd asks for less than 10 ms at the 99th percentile (etcd-io/etcd, Documentation/faq.md, "wal_fsync_duration").
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.findings import Finding, Place, Severity
from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script
from rbdtui.words import Text

ETCD_DIRECTORY: Final = "/var/lib/rancher/rke2/server/db"
_LIMIT_S: Final = 15.0
_SLOW_MS: Final = 10.0
_TOO_SLOW_MS: Final = 25.0
_ENOUGH: Final = 10
"""With fewer writes nothing is said of a percentile."""


@dataclass(frozen=True, slots=True)
class DiskSpeed:
    """Times of single writes of 8 KiB, without what starting a program takes."""

    directory: str
    writes: int
    median_ms: float
    p99_ms: float


async def try_disk(host: Host, directory: str = ETCD_DIRECTORY) -> DiskSpeed | None:
    """Time writes on a host; None when too few came about. Raises `TransportError`."""
    result = await host.run(script("fsync-try"), directory, timeout_s=_LIMIT_S)
    if not result.ok:
        return None  # Full, read-only or guarded: the checks on file systems tell it.
    return parse_answer(host.name, "fsync-try", lambda: read_times(result.text))


def read_times(text: str) -> DiskSpeed | None:
    """What the script printed; None when it is too little."""
    head, *lines = text.splitlines()
    pairs = [line.split() for line in lines]
    writes, empty = ([whole_number(pair[place]) / 1e6 for pair in pairs] for place in (0, 1))
    if len(writes) < _ENOUGH:
        return None
    median = statistics.median(writes) - statistics.median(empty)
    # What a busy processor adds, it adds to both: the tail of the one is taken from the tail of the other.
    p99 = _percentile(writes) - _percentile(empty)
    return DiskSpeed(head.removeprefix("directory "), len(writes), max(0.0, median), max(0.0, p99))


def _percentile(values: Sequence[float]) -> float:
    """The 99th; the largest of less than a hundred."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * 99 // 100) - 1)]


def slow_disk(node: str, speed: DiskSpeed, place: Place) -> Iterator[Finding]:
    """An error only where most writes are slow, so that a single hiccup of a good disk stops nobody."""
    if speed.p99_ms <= _SLOW_MS:
        return
    is_error = speed.p99_ms > _TOO_SLOW_MS and speed.median_ms > _SLOW_MS
    params: dict[str, str | int | float | Text] = {
        "node": node,
        "path": speed.directory,
        "ms": round(speed.p99_ms),
        "median": round(speed.median_ms, 1),
    }
    evidence = f"{speed.writes} x 8 KiB: median {speed.median_ms:.1f} ms, p99 {speed.p99_ms:.1f} ms"
    code, severity = ("RBD-DISK-115", Severity.ERROR) if is_error else ("RBD-DISK-114", Severity.WARNING)
    yield Finding(code, severity, place, params, evidence)
