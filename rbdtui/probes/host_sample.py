"""What a host says of itself in one round trip of the ``health`` script."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from rbdtui.probes.model import ClockReading
from rbdtui.spec.values import is_ipv4
from rbdtui.transport.base import CommandResult, Host
from rbdtui.transport.scripts import PREFIX, script

HEALTH: Final = f"{PREFIX}health"
"""The script, as it is named in evidence."""
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_TIME: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Disk:
    """How full a file system is."""

    path: str
    used_percent: int
    available_kib: int
    inodes_percent: int = 0
    """How many of its inodes are used; 0 where it has no fixed number of them."""


@dataclass(frozen=True, slots=True)
class HostSample:
    """One answer of the ``health`` script."""

    latency_ms: float
    raw: str
    clock: ClockReading | None = None
    disks: tuple[Disk, ...] = ()
    units: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Unit (without suffix) to systemd's properties."""
    addresses: frozenset[str] = frozenset()
    listens: frozenset[str] = frozenset()
    """Ports, of those that are looked at, on which something listens."""
    boot: str = ""
    """Another one after each start of the host; empty when it did not say."""
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Addresses that the host finds for each name that it was asked for, the first it will use first."""


async def take_sample(host: Host, *asked: str, timeout_s: float) -> HostSample:
    """Run the script, without root, for paths and names; raises `TransportError`."""
    await host.connect()
    arrived: list[float] = []

    def on_line(_: str) -> None:
        if not arrived:
            arrived.append(time.time())

    sent = time.time()
    result = await host.run(script("health"), *asked, root=False, timeout_s=timeout_s, on_line=on_line)
    return parse_sample(result, sent, arrived[0] if arrived else time.time())


def parse_sample(result: CommandResult, sent: float, arrived: float) -> HostSample:
    """Read the script's output; lines that are not understood are left out. Times are ours, before and after."""
    clock: ClockReading | None = None
    disks: list[Disk] = []
    units: dict[str, dict[str, str]] = {}
    addresses: set[str] = set()
    listens: set[str] = set()
    boot = ""
    names: dict[str, list[str]] = {}
    for line in result.text.splitlines():
        word, _, rest = line.partition(" ")
        fields = rest.split(" ")
        if word == "time":
            clock = _clock(rest, sent, arrived)
        elif word == "disk" and len(fields) >= 4 and all(_COUNT.fullmatch(number) for number in fields[:3]):
            disks.append(Disk(" ".join(fields[3:]), int(fields[0]), int(fields[2])))
        elif word == "unit":
            units[fields[0]] = dict(pair.split("=", 1) for pair in fields[1:] if "=" in pair)
        elif word == "address":
            addresses.add(rest)
        elif word == "listens":
            listens.add(rest)
        elif word == "boot":
            boot = rest
        elif word == "inodes" and _COUNT.fullmatch(fields[0]):
            path = " ".join(fields[1:])
            disks = [replace(disk, inodes_percent=int(fields[0])) if disk.path == path else disk for disk in disks]
        elif word == "asked":
            names.setdefault(rest, [])
        elif word == "name" and len(fields) == 2 and is_ipv4(fields[1]):
            names.setdefault(fields[0], []).append(fields[1])
    raw = result.text if result.ok else f"{result.text}\n{result.error_text}\nexit {result.exit_status}"
    found = {name: tuple(listed) for name, listed in names.items()}
    return HostSample(
        result.duration_s * 1000, raw, clock, tuple(disks), units, frozenset(addresses), frozenset(listens), boot, found
    )


def _clock(text: str, sent: float, arrived: float) -> ClockReading | None:
    if not _TIME.fullmatch(text):
        return None
    host_time = float(text)
    return ClockReading(host_time - (sent + arrived) / 2, abs(arrived - sent) / 2)
