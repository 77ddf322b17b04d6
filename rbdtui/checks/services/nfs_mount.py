"""Mounting the directory on a node for a few seconds: what only a real client can prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rbdtui.checks.services.nfs_wire import Status, Written
from rbdtui.transport.answers import parse_answer, whole_number
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script

_LIMIT_S: Final = 90.0
_VERSIONS: Final = ("vers=", "nfsvers=", "minorversion=")
_OURS: Final = ("hard", "soft", "retry=", "timeo=", "retrans=", "bg", "fg", "softerr")
"""Options that our own take the place of: a try must end."""
_STATUS: Final = {
    "permission denied": Status.ACCES,
    "operation not permitted": Status.PERM,
    "read-only file system": Status.ROFS,
    "no space left": Status.NOSPC,
    "quota exceeded": Status.DQUOT,
}
"""Words of the C library in the locale C, in which scripts run."""
_OTHER_STATUS: Final = 5


@dataclass(frozen=True, slots=True)
class Tried:
    """One version of NFS, mounted or not."""

    version: str
    failed: str = ""
    """What mount.nfs said; empty when it mounted."""
    written: Written | None = None
    free_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Mounts:
    """What came of mounting on one node."""

    missing_package: str = ""
    """The package that brings mount.nfs, where the node lacks it."""
    tried: tuple[Tried, ...] = ()
    evidence: str = ""

    @property
    def mounted(self) -> tuple[Tried, ...]:
        """Those that succeeded."""
        return tuple(each for each in self.tried if not each.failed)


def kept_options(options: Sequence[str]) -> str:
    """The plan's mount options but for versions and what our own take the place of, each after a comma."""
    given = [option.strip() for text in options for option in text.split(",") if option.strip()]
    return "".join(f",{option}" for option in given if not option.startswith((*_OURS, *_VERSIONS)))


async def try_mounts(host: Host, server: str, path: str, options: Sequence[str], versions: Sequence[str]) -> Mounts:
    """Mount with each version, as the plan's options say otherwise. Raises `TransportError`."""
    kept = kept_options(options)
    # It unmounts at its own end or at its time limit, whether or not we still wait for it.
    result = await host.must(script("nfs-try"), server, path, kept, *versions, timeout_s=_LIMIT_S)
    return parse_answer(host.name, "nfs-try", lambda: read_mounts(result.text))


def read_mounts(text: str) -> Mounts:
    """What the script printed."""
    by_version: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        key, version, *rest = line.split(" ", 2)
        if key == "client":
            return Mounts(missing_package=rest[0], evidence=line)
        by_version.setdefault(version, {})[key] = rest[0].strip() if rest else ""
    tried = tuple(_tried(version, values) for version, values in by_version.items())
    return Mounts(tried=tried, evidence=text.strip())


def _tried(version: str, values: Mapping[str, str]) -> Tried:
    if "mounted" not in values:
        return Tried(version, failed=values["failed"] or "?")
    free = whole_number(values["free"]) * 1024 if values.get("free") else None
    lock = values.get("lock")
    written = Written(
        create=_status(values["create"]),
        owner=whole_number(values.get("owner", "0")),
        chown=_status(values.get("chown", "ok")),
        rename=_status(values.get("rename", "ok")),
        removed=_status(values.get("remove", "ok")),
        sync_ms=whole_number(values["sync"]) / 1000 if "sync" in values else None,
        lock=None if lock is None else 2 if lock == "refused" else 0,
        second_lock=0 if lock == "twice" else 1,
    )
    return Tried(version, written=written, free_bytes=free)


def _status(said: str) -> int:
    if said == "ok":
        return Status.OK
    return next((status for words, status in _STATUS.items() if words in said.lower()), _OTHER_STATUS)
