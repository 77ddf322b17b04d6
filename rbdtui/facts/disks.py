"""Facts on file systems: where the paths that matter really are, how much room is there, and whether root can write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from rbdtui.facts.fact import KIB, Fact, words
from rbdtui.facts.model import Mount, PathState
from rbdtui.transport.answers import whole_number

PATHS: Final = (
    "/",
    "/etc",
    "/tmp",  # noqa: S108 - looked at on the hosts, not used here
    "/opt",
    "/opt/rainbond",
    "/usr/local",
    "/var/lib",
    "/var/lib/kubelet",
    "/var/lib/rancher",
    "/var/lib/rbdtui",
    "/var/log",
)
"""The paths that an installation writes to."""


@dataclass(frozen=True, slots=True)
class MountEntry:
    """A line of the mount table."""

    device: str
    path: str
    filesystem: str
    options: frozenset[str]


@dataclass(frozen=True, slots=True)
class PathSpace:
    """What ``stat -f`` says of the file system that holds a path."""

    real: str
    writable: bool
    size_bytes: int
    available_bytes: int
    inodes: int
    inodes_free: int


def parse_mount_table(text: str) -> tuple[MountEntry, ...]:
    """Read ``/proc/self/mounts``, in which spaces are written as octal escapes."""
    entries = []
    for line in text.splitlines():
        device, path, filesystem, options, *_ = line.split(" ")
        entries.append(MountEntry(_unescaped(device), _unescaped(path), filesystem, frozenset(options.split(","))))
    if not entries:
        raise ValueError("the mount table is empty")
    return tuple(entries)


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8) & 0xFF), field)


def parse_path_spaces(text: str) -> dict[str, PathSpace]:
    """One line per path: path, real path, ``rw`` or ``ro``, then block size, blocks, available, inodes, free inodes."""
    spaces = {}
    for line in text.splitlines():
        path, real, access, numbers = line.split("\t")
        block, blocks, available, inodes, inodes_free = (whole_number(number) for number in numbers.split())
        spaces[path] = PathSpace(real, access == "rw", block * blocks, block * available, inodes, inodes_free)
    return spaces


def place_on_mounts(
    table: Iterable[MountEntry], spaces: Mapping[str, PathSpace]
) -> tuple[tuple[Mount, ...], dict[str, PathState]]:
    """Join both: the file systems that hold the paths, and where each path is."""
    by_point = {entry.path: entry for entry in table}
    mounts: dict[str, Mount] = {}
    states: dict[str, PathState] = {}
    for path, space in spaces.items():
        entry = _holder(by_point, space.real)
        if entry is None:
            continue
        states[path] = PathState(space.real, entry.path, space.writable)
        mounts[entry.path] = _mount(entry, space)
    return tuple(mounts[point] for point in sorted(mounts)), states


def _holder(by_point: Mapping[str, MountEntry], path: str) -> MountEntry | None:
    """The last mount on the nearest point above; a later mount on the same point hides the earlier one."""
    here = PurePosixPath(path)
    return next((by_point[str(point)] for point in (here, *here.parents) if str(point) in by_point), None)


def _mount(entry: MountEntry, space: PathSpace) -> Mount:
    return Mount(
        path=entry.path,
        device=entry.device,
        filesystem=entry.filesystem,
        size_bytes=space.size_bytes,
        available_bytes=space.available_bytes,
        read_only="ro" in entry.options,
        no_exec="noexec" in entry.options,
        inodes_used_percent=round(100.0 * (1 - space.inodes_free / space.inodes), 1) if space.inodes else 0.0,
    )


_MOUNT_TABLE_BYTES: Final = 512 * KIB
"""A host full of containers has hundreds of mounts; of each, what counts stands before the layers of its overlay."""


def parse_ftype(text: str) -> int | None:
    """The number behind ``ftype=`` in what ``xfs_info`` says; None when it says nothing of it."""
    match = re.search(r"\bftype=([01])\b", text)
    return int(match[1]) if match else None


_VIRTUAL: Final = re.compile(r"(?i)qemu|virtual|vbox|vmware|xen|msft")
"""In the models of disks that a hypervisor shows; virtio and Xen disks (``vda``, ``xvda``) have no model at all."""


def parse_turning(text: str) -> tuple[str, ...]:
    """Names of disks that turn, of what ``lsblk -snro TYPE,ROTA,NAME,MODEL`` lists below a file system.

    A virtual disk says that it turns whatever is behind it, so that nothing is made of its word.
    """
    rows = [line.split(" ") for line in text.splitlines() if line.strip()]
    return tuple(
        row[2]
        for row in rows
        if row[:2] == ["disk", "1"] and not row[2].startswith(("vd", "xvd")) and not _VIRTUAL.search("".join(row[3:]))
    )


MOUNT_TABLE: Fact[tuple[MountEntry, ...]] = Fact(
    "mount_table",
    f"cut -b 1-1000 /proc/self/mounts | head -c {_MOUNT_TABLE_BYTES + 1}",
    parse_mount_table,
    (),
    limit_bytes=_MOUNT_TABLE_BYTES,
)
PATH_SPACES: Fact[dict[str, PathSpace]] = Fact(
    "path_spaces",
    f"""set -- {words(*PATHS)}
readlink -m "$@" | while IFS= read -r real; do
  path=$1
  shift
  there=$real
  while [ ! -e "$there" ]; do
    there=${{there%/*}}
    [ -n "$there" ] || there=/
  done
  access=ro
  [ ! -w "$there" ] || access=rw
  printf '%s\\t%s\\t%s\\t' "$path" "$real" "$access"
  stat -f -c '%S %b %a %c %d' "$there"
done""",
    parse_path_spaces,
    {},
    limit_s=8,
)
XFS_FTYPE: Fact[int | None] = Fact(
    "xfs_ftype",
    """path=$(readlink -m /var/lib/rancher)
while [ ! -e "$path" ]; do
  path=${path%/*}
  [ -n "$path" ] || path=/
done
command -v xfs_info >/dev/null || exit 0
on=$(df -P -T "$path" 2>/dev/null | sed -n '2{/ xfs /s/.*% //p;}')
[ -z "$on" ] || xfs_info "$on" 2>/dev/null
exit 0""",
    parse_ftype,
    None,
)
TURNING_DISKS: Fact[tuple[str, ...]] = Fact(
    "turning_disks",
    """command -v lsblk >/dev/null || exit 0
path=$(readlink -m /opt/rainbond)
while [ ! -e "$path" ]; do
  path=${path%/*}
  [ -n "$path" ] || path=/
done
device=$(df -P "$path" 2>/dev/null | sed -n '2s/ .*//p')
[ ! -b "$device" ] || lsblk -snro TYPE,ROTA,NAME,MODEL "$device" 2>/dev/null
exit 0""",
    parse_turning,
    (),
)
