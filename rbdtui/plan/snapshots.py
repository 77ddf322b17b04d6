"""Snapshots of etcd: those that lie on the servers, and the encrypted copies in the site.

A snapshot is etcd's database followed by the sha256 of it, so that anybody can tell a whole one from one that was cut
off or damaged (etcd-io/etcd, server/etcdserver/api/v3rpc/maintenance.go). RKE2 writes it as NAME.part and renames it at
the end.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

from rbdtui.atomic import sync_directory
from rbdtui.plain_file import list_plain
from rbdtui.sealed_file import PART_SUFFIX, SealedFileError, read_header, unseal
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.answers import UNREADABLE, parse_answer, whole_number
from rbdtui.transport.base import Host
from rbdtui.transport.scripts import script

OURS: Final = "rbdtui-"
"""What the names begin with of the snapshots that rbdtui has made."""
KEPT_PER_SERVER: Final = 5
"""Of ours; as many as RKE2 keeps of its own."""
KEY_SECRET: Final = "snapshot-key"  # noqa: S105 - the name of a secret
COPIES: Final = "snapshots"
"""The directory of the site."""
SEALED_SUFFIX: Final = ".sealed"
PART_BYTES: Final = 4 * 1024 * 1024
"""In such pieces snapshots travel."""
PART_LIMIT_S: Final = 240.0
TRAILER_BYTES: Final = hashlib.sha256().digest_size
LIST_LIMIT_S: Final = 300.0
"""Each is read whole, some gigabytes at the speed of a slow disk."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
_DIGEST: Final = re.compile(r"[0-9a-f]{64}|-")
_LIST_BYTES: Final = 1024 * 1024


class SnapshotState(StrEnum):
    """What a file is worth."""

    WHOLE = "whole"
    DAMAGED = "damaged"
    CUT = "cut"
    PART = "part"
    """Being written, or left by a snapshot that was cut off."""
    ZIP = "zip"
    """Compressed by RKE2; not looked into."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file on a server, or a copy here."""

    name: str
    state: SnapshotState
    size_bytes: int
    taken_at: float
    """Unix time; by the name where it has one, as RKE2 itself reads it."""
    digest: str = ""
    """sha256 of etcd's database in it, which the snapshot itself ends with; empty unless it is whole."""
    node: str = ""
    """Where it was taken."""

    @property
    def is_good(self) -> bool:
        """Whether it can be restored as far as one can tell."""
        return self.state in (SnapshotState.WHOLE, SnapshotState.ZIP)


@dataclass(frozen=True, slots=True)
class SnapshotsThere:
    """What a server has."""

    found: tuple[Snapshot, ...]
    """The newest first."""
    available_bytes: int
    database_bytes: int


def is_snapshot_name(name: str) -> bool:
    """Whether it is the name of a file and nothing else, whoever gave it."""
    return _NAME.fullmatch(name) is not None


async def snapshots_on(host: Host, directory: str, prefix: str = "") -> SnapshotsThere:
    """Ask a server; raises `TransportError`."""
    answer = await host.must(
        script("etcd-snapshots"), directory, prefix, timeout_s=LIST_LIMIT_S, output_limit_bytes=_LIST_BYTES
    )
    return parse_answer(host.name, "etcd-snapshots", lambda: _there(host.name, answer.text))


def _there(node: str, text: str) -> SnapshotsThere:
    head, *lines = text.splitlines()
    word, available, database = head.split(" ")
    if word != "room":
        raise ValueError(head[:100])
    found = [_snapshot(node, line) for line in lines]
    newest_first = tuple(sorted(found, key=lambda each: (each.taken_at, each.name), reverse=True))
    return SnapshotsThere(newest_first, whole_number(available), whole_number(database))


def _snapshot(node: str, line: str) -> Snapshot:
    state, size, changed, digest, name = line.split(" ", 4)
    if not _DIGEST.fullmatch(digest):
        raise ValueError(f"no digest: {digest[:80]}")
    seconds = whole_number(changed)
    return Snapshot(
        name, SnapshotState(state), whole_number(size), _time_of(name, seconds), digest.strip("-"), node
    )  # fmt: skip


def _time_of(name: str, otherwise: float) -> float:
    """When a snapshot was taken: ``NAME-NODE-SECONDS``, else when the file was last changed."""
    seconds = name.removesuffix(".part").removesuffix(".zip").rpartition("-")[2]
    return float(seconds) if seconds.isdecimal() and 9 <= len(seconds) <= 11 else otherwise


async def parts_of(host: Host, path: str, size_bytes: int) -> AsyncIterator[bytes]:
    """A file of a server, part after part, as far as it goes; raises `TransportError`."""
    offset = 0
    while offset < size_bytes:
        count = min(PART_BYTES, size_bytes - offset)
        result = await host.must(
            script("file-part"),
            path,
            str(offset),
            str(count),
            timeout_s=PART_LIMIT_S,
            output_limit_bytes=2 * PART_BYTES,
        )
        if not result.stdout:
            return
        yield result.stdout[:count]
        offset += len(result.stdout[:count])


def copies_directory(site_dir: Path) -> Path:
    """Where a site has its copies."""
    return site_dir / COPIES


def copy_file(site_dir: Path, name: str) -> Path:
    """Where the copy of a snapshot lies."""
    return copies_directory(site_dir) / (name + SEALED_SUFFIX)


def delete_copy(site_dir: Path, name: str) -> None:
    """Delete a copy, whole or cut off; raises `OSError`."""
    file = copy_file(site_dir, name)
    file.unlink(missing_ok=True)
    file.with_name(file.name + PART_SUFFIX).unlink(missing_ok=True)
    sync_directory(file.parent)


def copies_in(site_dir: Path) -> list[Snapshot]:
    """The copies of a site, the newest first; one that was cut off is told as such. Raises `OSError`."""
    directory = copies_directory(site_dir)
    if not directory.is_dir():
        return []
    names = list_plain(directory, site_dir)
    found = [_copy(directory / name) for name in names if SEALED_SUFFIX in name]
    return sorted(found, key=lambda each: (each.taken_at, each.name), reverse=True)


def proven(copy: Snapshot, site_dir: Path, key: bytes) -> Snapshot:
    """The copy, read back to its end: damaged unless the key opens it and etcd's own sum in it holds.

    Raises `OSError`.
    """
    digest, last = hashlib.sha256(), b""
    try:
        for piece in unseal(copy_file(site_dir, copy.name), key):
            held = last + piece
            digest.update(held[:-TRAILER_BYTES])
            last = held[-TRAILER_BYTES:]
    except SealedFileError:
        return replace(copy, state=SnapshotState.DAMAGED)
    holds = digest.hexdigest() == last.hex() == copy.digest
    return copy if holds else replace(copy, state=SnapshotState.DAMAGED)


def copies_kept(spec: ClusterSpec) -> int:
    """How many copies stay in the site: as many as RKE2 keeps of its own on a server."""
    said = str(spec.kubernetes.settings.get("etcd-snapshot-retention", ""))
    return max(1, int(said)) if said.isdecimal() and len(said) < 6 else KEPT_PER_SERVER


def surplus_copies(copies: Sequence[Snapshot], kept: int, proven: str) -> tuple[Snapshot, ...]:
    """The copies of ours that may go, now that the one named ``proven`` was seen to be whole.

    None while that one is not there: it is the last good one that is known, so nothing goes before it has come. Those
    that were cut off do not count, and go once they are older than all that stay.
    """
    ours = [each for each in copies if each.name.startswith(OURS)]
    whole = [each for each in ours if each.state is SnapshotState.WHOLE]
    if proven not in {each.name for each in whole}:
        return ()
    others = [each for each in whole if each.name != proven]
    staying = {proven, *(each.name for each in others[: kept - 1])}
    oldest = min(each.taken_at for each in whole if each.name in staying)
    return tuple(each for each in ours if each.name not in staying and each.taken_at < oldest)


def _copy(path: Path) -> Snapshot:
    name = path.name.removesuffix(PART_SUFFIX).removesuffix(SEALED_SUFFIX)
    size, changed = path.stat().st_size, path.stat().st_mtime
    if path.name.endswith(PART_SUFFIX):
        return Snapshot(name, SnapshotState.PART, size, _time_of(name, changed))
    try:
        header = read_header(path)
        about = header.about
        taken_at, digest = _time_of(name, float(str(about["taken_at"]))), str(about["digest"])
        return Snapshot(name, SnapshotState.WHOLE, header.size_bytes, taken_at, digest, str(about["node"]))
    except (SealedFileError, *UNREADABLE):
        return Snapshot(name, SnapshotState.CUT, size, _time_of(name, changed))
