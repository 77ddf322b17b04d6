"""How a host stands towards the directory that its NFS server gives to others: what its script says, read."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script

EXPORTS_FILE: Final = "/etc/exports.d/rbdtui.exports"
"""Our own table of exports; exports(5) has all that end so read beside ``/etc/exports``."""
LOOK_LIMIT_S: Final = 20.0
_FIELDS: Final = {"path": 3, "space": 5, "unit": 2, "table": 3, "served": 2, "mark": 3}


class PathKind(StrEnum):
    """What stands at a path."""

    ABSENT = "absent"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class NfsState:
    """What a host says; sizes are 0 where it does not tell them."""

    kind: PathKind
    entries: int
    """In the directory."""
    unit: str
    """systemd's word for the state of the NFS server; ``absent`` where there is none."""
    filesystem: str = ""
    size_kib: int = 0
    free_kib: int = 0
    mount: str = ""
    tables: tuple[tuple[str, str], ...] = ()
    """Lines of tables of exports, each with its file."""
    served: tuple[str, ...] = ()
    """Exports in force, as lines of a table."""
    role: str = ""
    """What the mark in the directory says, where it has one: source or copy (`rbdtui.spec.nfs_copy`)."""
    site: str = ""
    """For which site it was marked."""

    @property
    def runs(self) -> bool:
        """Whether the server is up."""
        return self.unit == "active"

    @property
    def others(self) -> tuple[str, ...]:
        """What others than us have it give away."""
        return tuple(line for file, line in self.tables if file != EXPORTS_FILE)

    @property
    def is_ours(self) -> bool:
        """Whether a table of ours is there."""
        return any(file == EXPORTS_FILE for file, _ in self.tables)

    @property
    def own_paths(self) -> tuple[str, ...]:
        """Directories that a table of ours gives away."""
        return tuple(line.split()[0] for file, line in self.tables if file == EXPORTS_FILE)

    def moved_from(self, path: str) -> str:
        """Another directory that a table of ours gives away; empty where there is none."""
        return next((given for given in self.own_paths if given != path), "")

    def clients(self, path: str) -> frozenset[str]:
        """Those who may have a directory now."""
        found = (line.split() for line in self.served)
        return frozenset(who.partition("(")[0] for where, *whos in filter(None, found) if where == path for who in whos)

    def evidence(self) -> str:
        """All of it, raw."""
        space = f"{self.filesystem} {self.size_kib} KiB, {self.free_kib} KiB free, {self.mount}"
        lines = [f"{self.kind} {self.entries}", space, f"nfs-server: {self.unit}"]
        lines += [f"mark: {self.role} of {self.site}"] if self.role else []
        lines += [f"{file}: {line}" for file, line in self.tables]
        return "\n".join([*lines, *(f"exportfs: {line}" for line in self.served)])


async def read_state(host: Host, path: str) -> NfsState:
    """Ask a host; changes nothing. Raises `TransportError`."""
    result = await host.must(script("nfs-server"), "look", path, timeout_s=LOOK_LIMIT_S)
    return parse_answer(host.name, "nfs-server", lambda: parse_state(result.text))


def parse_state(text: str) -> NfsState:
    """Read the script's output; raises `ValueError`."""
    lines = [line.split("\t") for line in text.splitlines() if line]
    if any(len(line) != _FIELDS.get(line[0], 0) for line in lines):
        raise ValueError("a line with another number of fields")
    first = {line[0]: line[1:] for line in reversed(lines)}
    kind, entries = first.get("path", ("", ""))
    filesystem, size, free, mount = first.get("space", ("", "0", "0", ""))
    role, site = first.get("mark", ("", ""))
    return NfsState(
        kind=PathKind(kind),
        entries=whole_number(entries),
        unit="".join(first.get("unit", ("absent",))),
        filesystem=filesystem,
        size_kib=whole_number(size),
        free_kib=whole_number(free),
        mount=mount,
        tables=tuple((line[1], line[2].strip()) for line in lines if line[0] == "table"),
        role=role,
        site=site,
        served=tuple(line[1].strip() for line in lines if line[0] == "served"),
    )
