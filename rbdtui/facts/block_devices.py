"""Facts on the disks of a host: what each is, under which stable names it is found, and what is on it.

What the columns are called and which values they take: util-linux, misc-utils/lsblk.c and lsblk(8); which signatures
have which name: its libblkid/src/superblocks. CentOS 7 has lsblk 2.23, which knows no PTTYPE.
lsblk takes signatures from udev: what udev has not seen is read from the disks themselves, by ``blkid -p``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from rbdtui.facts.fact import KIB, Fact, sections
from rbdtui.facts.model import Disk, OnDisk
from rbdtui.transport.answers import whole_number

_LINKS: Final = ("/dev/disk/by-id", "/dev/disk/by-path")
_COLUMNS: Final = "KNAME,PKNAME,TYPE,SIZE,ROTA,RO,RM,FSTYPE,MOUNTPOINT,MODEL,SERIAL"
_PAIR: Final = re.compile(r'(?<![A-Z-])([A-Z-]{1,20})="([^"]*)"')
_ESCAPE: Final = re.compile(r"\\x([0-9a-fA-F]{2})")
_NO_DISKS: Final = ("zram", "ram", "fd", "sr", "loop", "rbd", "nbd", "drbd", "md", "dm-")
"""Beginnings of kernel names that lsblk calls disks and that are memory, or lie elsewhere."""
_MOST_DISKS: Final = 200
_LIMIT_BYTES: Final = 256 * KIB
"""A server with sixty disks behind two paths has a thousand links of a hundred characters."""


def parse_disks(text: str) -> tuple[Disk, ...]:
    """Read what `DISKS` prints: lines of ``lsblk -P``, signatures that were read, links with what each leads to."""
    parts = sections(text)
    read = dict(line.split("\t", 1) for line in parts.get("read", ()) if line.strip())
    rows = list(dict.fromkeys(tuple(_fields(line).items()) for line in parts.get("devices", ()) if line.strip()))
    devices = [_with_signature(dict(row), read) for row in rows]
    links: dict[str, list[str]] = {}
    for line in parts.get("links", ()):
        link, real = line.split("\t")
        links.setdefault(real, []).append(link)
    disks = [device for device in devices if _is_disk(device)]
    return tuple(_disk(device, devices, links) for device in disks[:_MOST_DISKS])


def _fields(line: str) -> dict[str, str]:
    found = {key: _ESCAPE.sub(lambda match: chr(int(match[1], 16)), value) for key, value in _PAIR.findall(line)}
    if "KNAME" not in found:
        raise ValueError(f"no device: {line[:80]}")
    return {key: value.strip() for key, value in found.items()}


def _with_signature(device: dict[str, str], read: Mapping[str, str]) -> dict[str, str]:
    told = device.get("FSTYPE") or device.get("PTTYPE")
    return device if told else device | {"FSTYPE": read.get(device["KNAME"], "").strip()}


def _is_disk(device: Mapping[str, str]) -> bool:
    return device.get("TYPE") == "disk" and not device["KNAME"].startswith(_NO_DISKS) and device.get("SIZE", "0") != "0"


def _disk(device: Mapping[str, str], devices: Iterable[Mapping[str, str]], links: Mapping[str, list[str]]) -> Disk:
    name = device["KNAME"]
    return Disk(
        name=name,
        size_bytes=whole_number(device["SIZE"]),
        model=device.get("MODEL", ""),
        serial=device.get("SERIAL", ""),
        turns=device.get("ROTA") == "1",
        read_only=device.get("RO") == "1",
        removable=device.get("RM") == "1",
        links=tuple(sorted(links.get(f"/dev/{name}", ()))),
        holds=tuple(_below(device, list(devices))),
    )


def _below(device: Mapping[str, str], devices: list[Mapping[str, str]]) -> list[OnDisk]:
    """What is on a disk: its own signature, its partitions, and what is made of these, in lsblk's order."""
    reached, found = {device["KNAME"]}, []
    for each in devices:
        own = each["KNAME"] == device["KNAME"]
        if not own and each.get("PKNAME") not in reached:
            continue
        reached.add(each["KNAME"])
        signature = each.get("FSTYPE") or (each.get("PTTYPE", "") if own else "")
        if not own or signature or each.get("MOUNTPOINT"):
            found.append(OnDisk(each["KNAME"], each.get("TYPE", ""), signature, each.get("MOUNTPOINT", "")))
    return found


DISKS: Fact[tuple[Disk, ...]] = Fact(
    "disks",
    f"""command -v lsblk >/dev/null || exit 0
echo '== devices'
lsblk -b -P -o {_COLUMNS},PTTYPE 2>/dev/null || lsblk -b -P -o {_COLUMNS} 2>/dev/null || exit 0
echo '== read'
if command -v blkid >/dev/null; then
  lsblk -dnro KNAME,TYPE 2>/dev/null | while read -r name type; do
    [ "$type" = disk ] && [ -b "/dev/$name" ] || continue
    found=$(blkid -p -o value -s TYPE -s PTTYPE "/dev/$name" 2>/dev/null | head -n 1)
    [ -z "$found" ] || printf '%s\\t%s\\n' "$name" "$found"
  done
fi
echo '== links'
for dir in {" ".join(_LINKS)}; do
  [ -d "$dir" ] || continue
  set -- "$dir"/*
  [ -e "$1" ] || continue
  readlink -m "$@" | while IFS= read -r real; do
    printf '%s\\t%s\\n' "$1" "$real"
    shift
  done
done
exit 0""",
    parse_disks,
    (),
    limit_bytes=_LIMIT_BYTES,
    limit_s=8,
)
"""A first failed lsblk prints nothing before it ends: unknown columns are refused before any device is looked at."""
