"""What every host is asked of itself: whether it lets us in, its disks, its RKE2, and where Rainbond's names lead."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from typing import Final

from rbdtui.probes.host_sample import HEALTH, HostSample, take_sample
from rbdtui.probes.model import Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.question import Post, Probe, ProbeContext, Question, Stage
from rbdtui.probes.settings import Thresholds
from rbdtui.spec.model import Node
from rbdtui.spec.sections.registry import RegistryMode
from rbdtui.transport.base import TransportError
from rbdtui.words import T

SSH: Final = ProbeKind("ssh", 10, column="ssh")
"""Whether the node's sshd lets us in and a script runs."""
DISK: Final = ProbeKind("disk", 20, column="host", is_measured=True)
NAMES: Final = ProbeKind("names", 35, column="node", is_measured=True, is_brought=True)
"""Whether Rainbond's own names lead to the address of the gateways."""
RKE2: Final = ProbeKind("rke2", 90, column="node", is_brought=True)
"""RKE2's unit on a node, and on a server its port for nodes that join."""

DISK_PATHS: Final = ("/", "/var/lib/rancher", "/opt/rainbond")
SUPERVISOR_PORT: Final = "9345"
_MIB: Final = 1024


def judge_disks(node: str, asked: str, sample: HostSample, thresholds: Thresholds) -> Answer:
    """The fullest of the file systems that matter, by space or by inodes."""
    key = ProbeKey(DISK, node)
    if not sample.disks:
        return Answer(key, ProbeState.UNKNOWN, T("probe.disk.unread"), None, asked, sample.raw)
    fullest = max(sample.disks, key=lambda disk: max(disk.used_percent, disk.inodes_percent))
    most_percent = max(fullest.used_percent, fullest.inodes_percent)
    state = ProbeState.OK
    if most_percent >= thresholds.disk_warn_percent:
        state = ProbeState.DEGRADED
    if most_percent >= thresholds.disk_bad_percent:
        state = ProbeState.DOWN
    free_gib = f"{fullest.available_kib / _MIB / _MIB:.1f}"
    detail = T("probe.disk.used", path=fullest.path, percent=fullest.used_percent, free_gib=free_gib)
    if fullest.inodes_percent > fullest.used_percent and not state.good:
        detail = T("probe.disk.inodes", path=fullest.path, percent=fullest.inodes_percent, free_gib=free_gib)
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


def leads_right(found: Collection[str], address: str, gateways: Collection[str]) -> bool:
    """Whether a name leads to the gateways' address, and besides to gateways of the plan at most.

    Rainbond's own job puts its first gateway beside it (goodrain/rainbond-operator, hosts-job), and a host whose
    host.conf says ``multi on`` gives both; who connects tries one after the other.
    """
    return address in found and set(found) <= {address, *gateways}


def judge_names(
    node: str, asked: str, sample: HostSample, gateway: str, gateways: Collection[str] = (), *, needed: bool
) -> Answer:
    """Whether the names lead to the gateway address; ``needed`` says whether images are pulled by these names."""
    key = ProbeKey(NAMES, node)
    if not sample.names:
        return Answer(key, ProbeState.UNKNOWN, T("probe.names.unread"), None, asked, sample.raw)
    nowhere = [name for name, found in sample.names.items() if not found]
    wrong = {name: found for name, found in sample.names.items() if found and not leads_right(found, gateway, gateways)}
    elsewhere = [(name, next(each for each in found if each != gateway)) for name, found in wrong.items()]
    worst = ProbeState.DOWN if needed else ProbeState.DEGRADED
    if elsewhere:
        name, address = elsewhere[0]
        detail = T("probe.names.elsewhere", name=name, address=address, gateway=gateway)
        return Answer(key, worst, detail, None, asked, sample.raw)
    if nowhere:
        detail = T("probe.names.nowhere", names=", ".join(nowhere), gateway=gateway)
        return Answer(key, worst, detail, None, asked, sample.raw)
    names = ", ".join(sample.names)
    return Answer(key, ProbeState.OK, T("probe.names.ok", names=names, gateway=gateway), None, asked, sample.raw)


class HostQuestion:
    """Whether a node lets us in, and what it says of its disks, its clock, its names and its RKE2."""

    def __init__(self, around: ProbeContext, node: Node) -> None:
        self._around = around
        self._node = node.name
        self._is_server = node.is_server
        self._reached = False
        ssh_port = node.ssh.port or around.spec.ssh.port or 22
        self._ssh = ProbeKey(SSH, node.name, ssh_port)
        self._disk = ProbeKey(DISK, node.name)
        self._rke2 = ProbeKey(RKE2, node.name)
        pulls = around.spec.profile.host_names and not node.is_outside
        self._gateway = around.spec.gateway_address if pulls else ""
        self._words = (*DISK_PATHS, *(around.spec.profile.host_names if self._gateway else ()))
        self._is_outside = node.is_outside
        self._others = [self._disk] if node.is_outside else [self._disk, self._rke2]
        if self._gateway:
            self._others.append(ProbeKey(NAMES, node.name))
        self.keys = (self._ssh, *self._others)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        asked = " ".join([HEALTH, *self._words])
        sample: HostSample | None = None
        limits = self._around.settings.limits
        limit_s = limits.answer_s if self._reached else limits.script_s
        try:
            # Our own limit: the transport is patient with a host that was there before, and waits for it to come back.
            async with asyncio.timeout(limit_s):
                sample = await take_sample(self._around.hosts[self._node], *self._words, timeout_s=limit_s)
            self._reached = True
        except (TransportError, TimeoutError) as error:
            self._around.readiness.note(self._node, good=False)
            reason = error.text if isinstance(error, TransportError) else T("probe.late", limit_s=limit_s)
            post(Answer(self._ssh, ProbeState.DOWN, reason, None, asked))
            for key in self._others:
                post(Answer(key, ProbeState.UNKNOWN, T("probe.unasked", reason=reason), None, asked))
        else:
            self._around.readiness.note(self._node, good=True)
            post(Answer(self._ssh, ProbeState.OK, T("probe.ssh.ok"), sample.latency_ms, asked, sample.raw))
            post(judge_disks(self._node, asked, sample, self._around.settings.thresholds))
            if not self._is_outside:
                post(judge_rke2(self._node, asked, sample, is_server=self._is_server))
            if self._gateway:
                gateways = {str(node.cluster_address) for node in self._around.spec.gateways}
                post(judge_names(self._node, asked, sample, self._gateway, gateways, needed=self._needs_names))
        finally:
            self._around.note_sample(self._node, sample)

    @property
    def _needs_names(self) -> bool:
        """Whether images come from Rainbond's own registry."""
        return self._around.spec.registry.mode is RegistryMode.BUILTIN


def _questions(around: ProbeContext) -> Iterator[Question]:
    for node in around.spec.managed_nodes:
        yield HostQuestion(around, node)


PROBE: Final = Probe("host", (SSH, DISK, NAMES, RKE2), _questions, Stage.HOSTS)
