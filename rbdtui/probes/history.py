"""What a site remembers of its health: changes of state in a bounded file, and a memory for the next look.

One process at a time writes, the first that watches; others read. A power cut may cost the last lines, and a damaged
line is left out.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rbdtui.atomic import write_atomic
from rbdtui.bounded_json import is_time, read_json
from rbdtui.locking import try_lock
from rbdtui.plain_file import open_plain
from rbdtui.probes.model import HealthEvent, ProbeState
from rbdtui.words import Text

FILE_LIMIT_BYTES: Final = 512 * 1024
"""Of the file that is written to; with the one before it, this is half of what is kept."""
_LINE_LIMIT_BYTES: Final = 8 * 1024
_EVIDENCE_CHARACTERS: Final = 600
_MEMORY_LIMIT_BYTES: Final = 4 << 20
LATENCIES_KEPT: Final = 60
"""Of each probe, for the lines of bars after a restart."""
_MOST_PROBES: Final = 10_000


@dataclass(frozen=True, slots=True)
class PastEvent:
    """A change of state as it is kept."""

    at: float
    """Unix time on the machine that watched."""
    probe: str
    """Id of the probe."""
    old: ProbeState
    new: ProbeState
    detail: Text
    evidence: str = ""
    """What came back, raw, its beginning."""
    unwatched: bool = False
    """Whether it happened while nobody watched, so that its time is when it was seen."""

    def to_json(self) -> dict[str, object]:
        """A line of the file."""
        return {
            "at": round(self.at, 3), "probe": self.probe, "old": self.old.value, "new": self.new.value,
            "detail": self.detail.to_json(), "evidence": self.evidence, "unwatched": self.unwatched,
        }  # fmt: skip

    @staticmethod
    def from_json(data: Mapping[str, object]) -> PastEvent:
        """Read what `to_json` gave; raises `ValueError`, `TypeError` or `LookupError` on any other shape."""
        at, detail = data["at"], data["detail"]
        if not isinstance(at, int | float) or not is_time(at) or not isinstance(detail, Mapping):
            raise ValueError("not an event")
        return PastEvent(
            float(at), str(data["probe"])[:200], ProbeState(str(data["old"])), ProbeState(str(data["new"])),
            Text.from_json(detail), str(data.get("evidence", "")), data.get("unwatched") is True,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next look begins with."""

    boots: Mapping[str, str] = field(default_factory=dict)
    """By node, during which of its boots all of it was last seen well."""
    latencies_ms: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    """By probe, its last latencies, oldest first."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """By probe, its last fact, such as who held the virtual address."""


class HealthHistory:
    """The history in a directory, which is made when there is something to keep."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock: int | None = None

    @property
    def _file(self) -> Path:
        return self._directory / "events.jsonl"

    @property
    def _older(self) -> Path:
        return self._directory / "events.1.jsonl"

    def events(self) -> list[PastEvent]:
        """All that is kept, oldest first; lines that cannot be read are left out. Raises `OSError`."""
        return [event for file in (self._older, self._file) for event in _events_in(file)]

    def states(self) -> dict[str, ProbeState]:
        """The last state of each probe that is told of; raises `OSError`."""
        return {event.probe: event.new for event in self.events()}

    def record(self, event: HealthEvent, evidence: str = "") -> None:
        """Keep a change, unless another process does; raises `OSError`."""
        if not self._writes():
            return
        past = PastEvent(
            event.at, event.key.id, event.old, event.new, event.detail, evidence[:_EVIDENCE_CHARACTERS], event.first
        )
        line = json.dumps(past.to_json(), ensure_ascii=True).encode() + b"\n"
        if len(line) > _LINE_LIMIT_BYTES:
            return
        if self._file.exists() and self._file.stat().st_size + len(line) > FILE_LIMIT_BYTES:
            os.replace(self._file, self._older)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._file, flags, 0o600)
        try:
            # What a crash left of a line ends here, so that it spoils no other.
            os.write(descriptor, b"\n" + line if _ends_open(self._file) else line)
        finally:
            os.close(descriptor)

    def memory(self) -> Memory:
        """What was remembered; nothing when there is none, or it cannot be read."""
        try:
            with open_plain(self._directory / "last.json") as file:
                data = read_json(file.read(_MEMORY_LIMIT_BYTES))
            boots = {str(node): str(boot) for node, boot in data["boots"].items()}
            latencies = {str(probe): tuple(_latencies(values)) for probe, values in data["latencies_ms"].items()}
            facts = {str(probe): str(fact) for probe, fact in data.get("facts", {}).items()}
        except (OSError, ValueError, TypeError, LookupError, AttributeError):
            return Memory()
        return Memory(boots, latencies, facts)

    def remember(self, memory: Memory) -> None:
        """Keep what the next look begins with, unless another process does; raises `OSError`."""
        if not self._writes():
            return
        latencies = {
            probe: [None if value is None else round(value, 1) for value in values[-LATENCIES_KEPT:]]
            for probe, values in list(memory.latencies_ms.items())[:_MOST_PROBES]
        }
        told = {"boots": dict(memory.boots), "latencies_ms": latencies, "facts": dict(memory.facts)}
        content = json.dumps(told).encode()
        write_atomic(self._directory / "last.json", content)

    def close(self) -> None:
        """Let others write."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _writes(self) -> bool:
        if self._lock is not None:
            return True
        self._directory.mkdir(mode=0o700, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(self._directory / "lock", flags, 0o600)
        if try_lock(descriptor):
            self._lock = descriptor
            return True
        os.close(descriptor)
        return False


def _events_in(file: Path) -> Iterator[PastEvent]:
    try:
        opened = open_plain(file)
    except FileNotFoundError:
        return
    with opened:
        content = opened.read(FILE_LIMIT_BYTES + _LINE_LIMIT_BYTES)
    for line in content.splitlines():
        with suppress(ValueError, TypeError, LookupError):
            yield PastEvent.from_json(read_json(line))


def _ends_open(file: Path) -> bool:
    """Whether the last line of a file has no end."""
    with file.open("rb") as opened:
        if not opened.seek(0, os.SEEK_END):
            return False
        opened.seek(-1, os.SEEK_END)
        return opened.read(1) != b"\n"


def _latencies(values: Iterable[object]) -> Iterator[float | None]:
    """Latencies as they were kept; what is none is left out."""
    newest = deque(values, maxlen=LATENCIES_KEPT)
    for value in newest:
        if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6):
            yield value if value is None else float(value)
