"""What a host says of itself in one round trip of the ``health`` script: clock, disks, units, own addresses."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.transport.base import CommandResult, Host
from rbdtui.transport.scripts import script
from rbdtui.words import T

DISK_PATHS: Final = ("/", "/var/lib/rancher")
SUPERVISOR_PORT: Final = "9345"
_MIB: Final = 1024
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_TIME: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From when on a value is worth a warning, and from when on it is bad."""

    disk_warn_percent: int = 75
    """Rainbond's documentation and issues report trouble from 80-85 %; kubelet clears images from 85 %."""
    disk_bad_percent: int = 85
    clock_warn_s: float = 0.5
    clock_bad_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Disk:
    """How full a file system is."""

    path: str
    used_percent: int
    available_kib: int


@dataclass(frozen=True, slots=True)
class ClockReading:
    """A host's clock against ours, with the round trip taken out."""

    offset_s: float
    """Host minus jump host."""
    uncertainty_s: float
    """Half the round trip."""


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


async def take_sample(host: Host, *paths: str, timeout_s: float) -> HostSample:
    """Run the script without root; raises `TransportError`."""
    await host.connect()
    arrived: list[float] = []

    def on_line(_: str) -> None:
        if not arrived:
            arrived.append(time.time())

    sent = time.time()
    result = await host.run(script("health"), *paths, root=False, timeout_s=timeout_s, on_line=on_line)
    return parse_sample(result, sent, arrived[0] if arrived else time.time())


def parse_sample(result: CommandResult, sent: float, arrived: float) -> HostSample:
    """Read the script's output; lines that are not understood are left out. Times are ours, before and after."""
    clock: ClockReading | None = None
    disks: list[Disk] = []
    units: dict[str, dict[str, str]] = {}
    addresses: set[str] = set()
    listens: set[str] = set()
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
    raw = result.text if result.ok else f"{result.text}\n{result.error_text}\nexit {result.exit_status}"
    return HostSample(
        result.duration_s * 1000, raw, clock, tuple(disks), units, frozenset(addresses), frozenset(listens)
    )


def _clock(text: str, sent: float, arrived: float) -> ClockReading | None:
    if not _TIME.fullmatch(text):
        return None
    host_time = float(text)
    return ClockReading(host_time - (sent + arrived) / 2, abs(arrived - sent) / 2)


def judge_disks(node: str, asked: str, sample: HostSample, thresholds: Thresholds) -> Answer:
    """The fullest of the file systems that matter."""
    key = ProbeKey(ProbeKind.DISK, node)
    if not sample.disks:
        return Answer(key, ProbeState.UNKNOWN, T("probe.disk.unread"), None, asked, sample.raw)
    fullest = max(sample.disks, key=lambda disk: disk.used_percent)
    state = ProbeState.OK
    if fullest.used_percent >= thresholds.disk_warn_percent:
        state = ProbeState.DEGRADED
    if fullest.used_percent >= thresholds.disk_bad_percent:
        state = ProbeState.DOWN
    free_gib = f"{fullest.available_kib / _MIB / _MIB:.1f}"
    detail = T("probe.disk.used", path=fullest.path, percent=fullest.used_percent, free_gib=free_gib)
    return Answer(key, state, detail, None, asked, sample.raw)


def judge_keepalived(node: str, asked: str, sample: HostSample) -> Answer:
    """Whether keepalived runs on a gateway."""
    unit = sample.units.get("keepalived", {})
    active, loaded = unit.get("ActiveState", ""), unit.get("LoadState", "")
    state, detail = ProbeState.DOWN, T("probe.keepalived.state", state=active or "?")
    if not unit:
        state, detail = ProbeState.UNKNOWN, T("probe.keepalived.unread")
    elif loaded == "not-found":
        detail = T("probe.keepalived.absent")
    elif active == "active":
        state, detail = ProbeState.OK, T("probe.keepalived.active")
    elif active in ("activating", "reloading", "deactivating"):
        state = ProbeState.DEGRADED
    return Answer(ProbeKey(ProbeKind.KEEPALIVED, node), state, detail, None, asked, sample.raw)


def judge_rke2(node: str, asked: str, sample: HostSample, *, is_server: bool) -> Answer:
    """Whether RKE2 itself is up: its pods, the API and etcd live on while it is stopped or still starting.

    ``activating`` lasts for minutes, because the images are read at each start. 9345 is the server's own port; it
    listens long before the server is ready, so that the unit's state is the stronger sign.
    """
    name = "rke2-server" if is_server else "rke2-agent"
    unit = sample.units.get(name, {})
    active, sub = unit.get("ActiveState", ""), unit.get("SubState", "")
    state, detail = ProbeState.DOWN, T("probe.rke2.stopped", unit=name, state=active or "?")
    if not unit:
        state, detail = ProbeState.UNKNOWN, T("probe.rke2.unread")
    elif unit.get("LoadState") == "not-found":
        detail = T("probe.rke2.absent")
    elif active == "activating" and sub == "auto-restart":
        state, detail = ProbeState.DOWN, T("probe.rke2.failing", unit=name)
    elif active in ("activating", "reloading", "deactivating"):
        state, detail = ProbeState.DEGRADED, T("probe.rke2.starting", unit=name, state=active)
    elif active == "active" and is_server and SUPERVISOR_PORT not in sample.listens:
        state, detail = ProbeState.DEGRADED, T("probe.rke2.no_port", unit=name, port=SUPERVISOR_PORT)
    elif active == "active":
        state, detail = ProbeState.OK, T("probe.rke2.active")
    return Answer(ProbeKey(ProbeKind.RKE2, node), state, detail, None, asked, sample.raw)


def judge_holder(address: str, samples: Mapping[str, HostSample | None], asked: str, *, installing: bool) -> Answer:
    """Who holds the virtual address; samples by gateway, None for one that could not be asked."""
    holders = [name for name, sample in samples.items() if sample and address in sample.addresses]
    unasked = [name for name, sample in samples.items() if sample is None]
    running = [
        name
        for name, sample in samples.items()
        if sample and sample.units.get("keepalived", {}).get("ActiveState") == "active"
    ]
    if len(holders) == 1:
        state, detail = ProbeState.OK, T("probe.vip.held", address=address, node=holders[0])
    elif holders:
        state, nodes, dead = (
            ProbeState.DOWN,
            ", ".join(holders),
            ", ".join(name for name in holders if name not in running),
        )
        detail = T("probe.vip.split", address=address, nodes=nodes)
        if dead:
            detail = T("probe.vip.left_behind", address=address, nodes=nodes, dead=dead)
    elif unasked:
        state, detail = ProbeState.UNKNOWN, T("probe.vip.unasked", address=address, nodes=", ".join(unasked))
    elif installing and not running:
        state, detail = ProbeState.EXPECTED, T("probe.vip.not_yet", address=address)
    else:
        state, detail = ProbeState.DOWN, T("probe.vip.nobody", address=address)
    words = {name: "?" if sample is None else "yes" if name in holders else "no" for name, sample in samples.items()}
    evidence = "\n".join(f"{name} {word}" for name, word in words.items())
    return Answer(ProbeKey(ProbeKind.VIP_HOLDER, CLUSTER), state, detail, None, asked, evidence, ", ".join(holders))


def judge_clocks(readings: Mapping[str, ClockReading | None], thresholds: Thresholds, asked: str) -> list[Answer]:
    """Every node's clock against the median of all; with fewer than three nodes the jump host's has a voice too."""
    offsets = [reading.offset_s for reading in readings.values() if reading]
    if len(offsets) < 3:
        offsets = [0.0] if len(offsets) == 1 else [*offsets, 0.0]
    median = statistics.median(offsets)
    return [_judge_clock(node, reading, median, thresholds, asked) for node, reading in readings.items()]


def _judge_clock(node: str, reading: ClockReading | None, median: float, thresholds: Thresholds, asked: str) -> Answer:
    key = ProbeKey(ProbeKind.CLOCK, node)
    if reading is None:
        return Answer(key, ProbeState.UNKNOWN, T("probe.clock.unread"), None, asked)
    skew = reading.offset_s - median
    certain = max(0.0, abs(skew) - reading.uncertainty_s)
    state = ProbeState.OK
    if certain > thresholds.clock_warn_s:
        state = ProbeState.DEGRADED
    if certain > thresholds.clock_bad_s:
        state = ProbeState.DOWN
    offsets = {"skew_s": f"{skew:+.2f}", "offset_s": f"{reading.offset_s:+.2f}"}
    detail = T("probe.clock.skew", **offsets, uncertainty_s=f"{reading.uncertainty_s:.2f}")
    evidence = f"offset {reading.offset_s:+.4f} s ±{reading.uncertainty_s:.4f} s, median {median:+.4f} s"
    return Answer(key, state, detail, None, asked, evidence)
