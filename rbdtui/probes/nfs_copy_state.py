"""How a host stands towards the copy of an NFS server's directory: what its script says, read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import PREFIX, script

ASKED: Final = f"{PREFIX}nfs-copy"
LOOK_LIMIT_S: Final = 20.0
_NUMBERS: Final = ("complete", "took", "directories", "watches", "now")


@dataclass(frozen=True, slots=True)
class NfsCopyState:
    """What a host says; times are seconds since 1970 by its own clock."""

    push: str
    """systemd's word for the state of the service that copies; ``absent`` where there is none."""
    copy: str
    """The same for the one that takes the copy."""
    now_s: int
    complete_s: int = 0
    """All that was there then is on the copy; 0 before the first pass."""
    took_s: int = 0
    """Of the last pass."""
    directories: int = 0
    """That are to be watched."""
    watches: int = 0
    """Directories that one user may watch."""
    watching: str = ""
    """``yes``, or ``no`` and why changes are not told."""
    failed: str = ""
    """Why the last pass did not come to its end; empty when it did."""

    @property
    def behind_s(self) -> int | None:
        """Age of the oldest change that the copy may lack; None before the first pass."""
        return max(0, self.now_s - self.complete_s) if self.complete_s else None

    def evidence(self) -> str:
        """All of it, raw."""
        return "\n".join(
            (
                f"push {self.push}, copy {self.copy}",
                f"complete {self.complete_s}, now {self.now_s}, took {self.took_s} s",
                f"watching {self.watching or '-'}, {self.directories} directories of {self.watches}",
                *((f"failed {self.failed}",) if self.failed else ()),
            )
        )


async def read_copy_state(host: Host) -> NfsCopyState:
    """Ask a host; changes nothing. Raises `TransportError`."""
    result = await host.must(script("nfs-copy"), timeout_s=LOOK_LIMIT_S)
    return parse_answer(host.name, "nfs-copy", lambda: parse_copy_state(result.text))


def parse_copy_state(text: str) -> NfsCopyState:
    """Read the script's output; raises `ValueError`."""
    said: dict[str, str] = {}
    for line in filter(None, text.splitlines()):
        key, tab, value = line.partition("\t")
        if not tab:
            raise ValueError("a line without a tab")
        said[key] = value
    complete, took, directories, watches, now = (whole_number(said.get(name, "0")) for name in _NUMBERS)
    if "push" not in said or "copy" not in said or not now:
        raise ValueError("a line is missing")
    return NfsCopyState(
        push=said["push"],
        copy=said["copy"],
        now_s=now,
        complete_s=complete,
        took_s=took,
        directories=directories,
        watches=watches,
        watching=said.get("watching", ""),
        failed=said.get("failed", ""),
    )
