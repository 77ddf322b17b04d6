"""What a host says of itself in one round trip of the ``health`` script: clock, disks, units, own addresses."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from rbdtui.probes.model import Answer, ClockReading, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, Question, Stage, Surroundings
from rbdtui.probes.settings import Thresholds
from rbdtui.spec.model import Node
from rbdtui.transport.base import CommandResult, Host, TransportError
from rbdtui.transport.scripts import PREFIX, script
from rbdtui.words import T

SSH: Final = ProbeKind("ssh", 10, column="ssh")
"""Whether the node's sshd lets us in and a script runs."""
DISK: Final = ProbeKind("disk", 20, column="disk")
RKE2: Final = ProbeKind("rke2", 90, column="node")
"""RKE2's unit on a node, and on a server its port for nodes that join."""
HEALTH: Final = f"{PREFIX}health"
"""The script, as it is named in evidence."""

DISK_PATHS: Final = ("/", "/var/lib/rancher")
SUPERVISOR_PORT: Final = "9345"
_MIB: Final = 1024
_COUNT: Final = re.compile(r"[0-9]{1,18}")
_TIME: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class Disk:
    """How full a file system is."""

    path: str
    used_percent: int
    available_kib: int


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
    key = ProbeKey(DISK, node)
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
    return Answer(ProbeKey(RKE2, node), state, detail, None, asked, sample.raw)


class HostQuestion:
    """Whether a node lets us in, and what it says of its disks, its clock and its RKE2."""

    def __init__(self, around: Surroundings, node: Node) -> None:
        self._around = around
        self._node = node.name
        self._is_server = node.is_server
        self._reached = False
        ssh_port = node.ssh.port or around.spec.ssh.port or 22
        self._ssh = ProbeKey(SSH, node.name, ssh_port)
        self._disk = ProbeKey(DISK, node.name)
        self._rke2 = ProbeKey(RKE2, node.name)
        self.keys = (self._ssh, self._disk, self._rke2)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        asked = " ".join([HEALTH, *DISK_PATHS])
        reading: ClockReading | None = None
        limits = self._around.settings.limits
        limit_s = limits.answer_s if self._reached else limits.script_s
        try:
            # Our own limit: the transport is patient with a host that was there before, and waits for it to come back.
            async with asyncio.timeout(limit_s):
                sample = await take_sample(self._around.hosts[self._node], *DISK_PATHS, timeout_s=limit_s)
            reading, self._reached = sample.clock, True
        except (TransportError, TimeoutError) as error:
            self._around.readiness.note(self._node, good=False)
            reason = error.text if isinstance(error, TransportError) else T("probe.late", limit_s=limit_s)
            post(Answer(self._ssh, ProbeState.DOWN, reason, None, asked))
            for key in (self._disk, self._rke2):
                post(Answer(key, ProbeState.UNKNOWN, T("probe.unasked", reason=reason), None, asked))
        else:
            self._around.readiness.note(self._node, good=True)
            post(Answer(self._ssh, ProbeState.OK, T("probe.ssh.ok"), sample.latency_ms, asked, sample.raw))
            post(judge_disks(self._node, asked, sample, self._around.settings.thresholds))
            post(judge_rke2(self._node, asked, sample, is_server=self._is_server))
        finally:
            self._around.note_clock(self._node, reading)


def _questions(around: Surroundings) -> Iterator[Question]:
    for node in around.spec.nodes:
        yield HostQuestion(around, node)


PROBE: Final = Probe("host", (SSH, DISK, RKE2), _questions, Stage.HOSTS)
