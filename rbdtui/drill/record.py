"""What a drill keeps in the site: ``drills/<id>.json``, its published shape, written before anything is stopped."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from rbdtui.atomic import sync_directory, write_atomic

DIRECTORY: Final = "drills"
SCHEMA: Final = 1


class Part(StrEnum):
    """What a drill stops."""

    HOLDER = "holder"
    """keepalived on the node that holds the VIP."""
    GATEWAY = "gateway"
    """Rainbond's gateway on that node."""
    SERVER = "server"
    """RKE2 with all containers on one server, its etcd member included."""
    POWER = "power"
    """A whole server, switched off by the operator's hand."""


class Outcome(StrEnum):
    """How one part ended."""

    PASSED = "passed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class Gap:
    """How long one port did not answer."""

    address: str
    port: int
    gap_s: float | None
    """Longest time between two answers that had failures in between; 0 without one, None when it never came back."""
    probes: int
    failures: int


@dataclass(slots=True)
class PartResult:
    """What came of one part."""

    part: Part
    node: str
    began_at: float
    """Unix time."""
    holder_before: str = ""
    took_over: str = ""
    """Who held the VIP afterwards; empty where that is unknown or there is none."""
    gaps: list[Gap] = field(default_factory=list)
    normal_after_s: float | None = None
    """From putting back to a healthy site; None when that was not seen."""
    outcome: Outcome = Outcome.INTERRUPTED
    reason: str = ""
    """Why it failed, a sentence in the operator's language or raw; empty when it passed."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """A unit that is, or is about to be, stopped by us."""

    node: str
    unit: str


@dataclass(slots=True)
class Record:
    """One drill."""

    drill: str
    site: str
    began_at: float
    operator: str = ""
    ended_at: float | None = None
    stopped: list[Stopped] = field(default_factory=list)
    """What has not been put back yet."""
    parts: list[PartResult] = field(default_factory=list)
    schema: int = SCHEMA

    @property
    def passed(self) -> bool:
        """Whether every part ended as it should."""
        return bool(self.parts) and all(part.outcome is Outcome.PASSED for part in self.parts)


_RECORD: Final = TypeAdapter(Record)


def new_record(site: str, operator: str) -> Record:
    """A record named by the time in UTC."""
    now = time.time()
    return Record(time.strftime("%Y%m%d-%H%M%S", time.gmtime(now)), site, now, operator)


def save(site_dir: Path, record: Record) -> None:
    """Have it on the disk as it is now; raises `OSError`."""
    directory = site_dir / DIRECTORY
    if not directory.is_dir():
        directory.mkdir(mode=0o700)
        sync_directory(site_dir)
    write_atomic(directory / f"{record.drill}.json", json.dumps(asdict(record), ensure_ascii=False).encode())


def records(site_dir: Path) -> Iterator[Record]:
    """The drills of a site, oldest first; what cannot be read is left out."""
    for file in sorted((site_dir / DIRECTORY).glob("*.json")):
        try:
            yield _RECORD.validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue
