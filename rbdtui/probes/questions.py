"""The questions of a monitor: what each of them asks in one round, and which probes its answers belong to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from rbdtui.probes.api import ask_api, refusal, use
from rbdtui.probes.cluster import KubeNode, ask_cluster, judge_node, read_kubectl_lines
from rbdtui.probes.etcd import (
    METRICS_PORT,
    EtcdMember,
    EtcdSilence,
    ask_by_kubectl,
    ask_member,
    judge_member,
    judge_quorum,
)
from rbdtui.probes.gateway import Expectation, judge_port, port_question
from rbdtui.probes.hosts import (
    DISK_PATHS,
    ClockReading,
    HostSample,
    judge_clocks,
    judge_disks,
    judge_holder,
    judge_keepalived,
    judge_rke2,
    take_sample,
)
from rbdtui.probes.kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig
from rbdtui.probes.model import CLUSTER, Answer, ProbeKey, ProbeKind, ProbeState
from rbdtui.probes.settings import Settings
from rbdtui.probes.ways import Readiness, Target, Ways
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.transport.base import Host, TransportError
from rbdtui.transport.scripts import PREFIX, script
from rbdtui.words import T, Text

Post = Callable[[Answer], None]
API_PORT: Final = 6443
"""Where every server listens, whatever port a balancer in front of them has."""
_ROUNDS_PER_LIST: Final = 4
"""How many rounds pass from one list of etcd's members to the next: starting kubectl is work for the host."""
_NODES_BYTES: Final = 4 << 20
"""Of all nodes with their labels, as a script prints them."""
_HEALTH: Final = f"{PREFIX}health"


class Question(Protocol):
    """Something asked again and again; one round may answer several probes."""

    @property
    def keys(self) -> tuple[ProbeKey, ...]:
        """The probes that a round answers."""
        ...

    @property
    def interval_s(self) -> float:
        """Seconds between the beginnings of two rounds."""
        ...

    @property
    def limit_s(self) -> float:
        """Seconds after which a round is given up."""
        ...

    async def ask(self, post: Post) -> None:
        """One round; posts every answer as soon as it is there. May raise: what was not posted then is unknown."""
        ...


@dataclass(slots=True)
class Surroundings:
    """What all questions of one monitor share, and what one finds out for the others."""

    spec: ClusterSpec
    hosts: Mapping[str, Host]
    settings: Settings
    ways: Ways
    readiness: Readiness
    kubeconfig: Path | None
    installing: bool
    """Whether a run is under way, so that what is not there yet is not missed."""
    clocks: dict[str, ClockReading | None] = field(default_factory=dict)
    """Latest reading by node; None where it could not be had."""
    clocks_complete: asyncio.Event = field(default_factory=asyncio.Event)
    rainbond: bool | None = None
    """Whether Rainbond is installed; None while that is not known."""
    rainbond_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it has been asked for, whatever came of it."""

    _read: tuple[tuple[int, ...], Kubeconfig | KubeconfigError] | None = None
    """The kubeconfig, and what its file was like when it was read."""

    def credentials(self) -> Kubeconfig | None:
        """The operator's kubeconfig, which the last step of an installation writes; None when there is none to use."""
        found = self._kubeconfig()
        return found if isinstance(found, Kubeconfig) else None

    def unusable(self) -> str:
        """Why a kubeconfig that is there cannot be used, raw; empty when it can, or there is none."""
        found = self._kubeconfig()
        return str(found) if isinstance(found, KubeconfigError) else ""

    def _kubeconfig(self) -> Kubeconfig | KubeconfigError | None:
        try:
            seen = self.kubeconfig.stat() if self.kubeconfig is not None else None
        except OSError:
            seen = None
        if seen is None or self.kubeconfig is None:
            return None
        look = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns)
        if self._read is None or self._read[0] != look:
            try:
                self._read = look, read_kubeconfig(self.kubeconfig)
            except KubeconfigError as error:
                self._read = look, error
        return self._read[1]

    def expectation(self) -> Expectation:
        """What should be behind the gateway ports now."""
        if not self.spec.profile.has_gateway:
            return Expectation.UNUSED
        if self.installing or self.kubeconfig is None or not self.kubeconfig.exists():
            return Expectation.CLOSED
        if self.rainbond is None:
            return Expectation.UNSURE
        return Expectation.OPEN if self.rainbond else Expectation.CLOSED

    def note_clock(self, node: str, reading: ClockReading | None) -> None:
        """Keep a reading for the comparison of all clocks."""
        self.clocks[node] = reading
        if len(self.clocks) == len(self.spec.nodes):
            self.clocks_complete.set()


class HostQuestion:
    """Whether a node lets us in, and what it says of its disks, its clock and its RKE2."""

    def __init__(self, around: Surroundings, node: Node) -> None:
        self._around = around
        self._node = node.name
        self._is_server = node.is_server
        self._reached = False
        ssh_port = node.ssh.port or around.spec.ssh.port or 22
        self._ssh = ProbeKey(ProbeKind.SSH, node.name, ssh_port)
        self._disk = ProbeKey(ProbeKind.DISK, node.name)
        self._rke2 = ProbeKey(ProbeKind.RKE2, node.name)
        self.keys = (self._ssh, self._disk, self._rke2)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        asked = " ".join([_HEALTH, *DISK_PATHS])
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


class ClockQuestion:
    """All clocks against each other, from what the hosts have said."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.keys = tuple(ProbeKey(ProbeKind.CLOCK, node.name) for node in around.spec.nodes)
        self.interval_s = around.settings.cadence.host_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._around.settings.limits.script_s * 2):
                await self._around.clocks_complete.wait()
        readings = {key.target: self._around.clocks.get(key.target) for key in self.keys}
        for answer in judge_clocks(readings, self._around.settings.thresholds, f"{_HEALTH}: time"):
            post(answer)


class HolderQuestion:
    """Who holds the virtual address, and whether keepalived runs on the gateways."""

    def __init__(self, around: Surroundings, gateways: list[Node], address: str, *, with_keepalived: bool) -> None:
        self._around = around
        self._gateways = [node.name for node in gateways]
        self._address = address
        self._with_keepalived = with_keepalived
        holder = ProbeKey(ProbeKind.VIP_HOLDER, CLUSTER)
        units = tuple(ProbeKey(ProbeKind.KEEPALIVED, name) for name in self._gateways) if with_keepalived else ()
        self.keys = (holder, *units)
        self.interval_s = around.settings.cadence.vip_s
        self.limit_s = around.settings.limits.script_s * 2

    async def ask(self, post: Post) -> None:
        samples = await asyncio.gather(*(self._sample(name, post) for name in self._gateways))
        by_name = dict(zip(self._gateways, samples, strict=True))
        post(judge_holder(self._address, by_name, _HEALTH, installing=self._around.installing))

    async def _sample(self, name: str, post: Post) -> HostSample | None:
        limit_s = self._around.settings.limits.answer_s
        try:
            async with asyncio.timeout(limit_s):
                sample = await take_sample(self._around.hosts[name], timeout_s=limit_s)
        except (TransportError, TimeoutError) as error:
            self._around.readiness.note(name, good=False)
            reason = error.text if isinstance(error, TransportError) else T("probe.late", limit_s=limit_s)
            if self._with_keepalived:
                key = ProbeKey(ProbeKind.KEEPALIVED, name)
                post(Answer(key, ProbeState.UNKNOWN, T("probe.unasked", reason=reason), None, _HEALTH))
            return None
        self._around.readiness.note(name, good=True)
        if self._with_keepalived:
            post(judge_keepalived(name, _HEALTH, sample))
        return sample


class ApiQuestion:
    """The Kubernetes API at one address; at the one that all use, also whether the kubeconfig is of use there."""

    def __init__(self, around: Surroundings, label: str, target: Target, *, is_shared: bool = False) -> None:
        self._around = around
        self._target = target
        self._is_shared = is_shared
        self._key = ProbeKey(ProbeKind.API, label, target.port)
        self.keys = (self._key,)
        self.interval_s = around.settings.cadence.api_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        credentials = self._around.credentials()
        proof = credentials.proof() if credentials else None
        answer = await ask_api(self._around.ways, self._key, self._target, proof, self._around.settings.limits)
        if self._is_shared and answer.state.good and (fault := await self._fault(credentials)):
            answer = replace(answer, state=ProbeState.DEGRADED, detail=T("probe.kubeconfig.useless", reason=fault))
        post(answer)

    async def _fault(self, credentials: Kubeconfig | None) -> Text | str | None:
        """Why the operator's kubeconfig is of no use; None when it is, or when there is none yet."""
        if credentials is None:
            return self._around.unusable() or None
        return refusal(await use(self._around.ways, self._target, credentials, self._around.settings.limits))


class EtcdQuestion:
    """Every planned member of etcd, and all of them together."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._rounds = 0
        self._known = 0
        self._members = [node.name for node in around.spec.nodes_with(Role.ETCD)]
        members = (ProbeKey(ProbeKind.ETCD, name) for name in self._members)
        self.keys = (*members, ProbeKey(ProbeKind.ETCD_QUORUM, CLUSTER))
        self.interval_s = around.settings.cadence.etcd_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        answers = await asyncio.gather(*(self._member(name, post) for name in self._members))
        members = dict(zip(self._members, answers, strict=True))
        if self._rounds % _ROUNDS_PER_LIST == 0:
            self._known = await self._count(members)
        self._rounds += 1
        asked = f"GET http://127.0.0.1:{METRICS_PORT}/health: {', '.join(self._members)}"
        post(judge_quorum(members, self._known, asked))

    async def _count(self, members: Mapping[str, EtcdMember | EtcdSilence]) -> int:
        """How many members etcd knows, as the first healthy one tells; 0 when none does."""
        for name, member in members.items():
            if isinstance(member, EtcdMember) and member.healthy:
                told = await ask_by_kubectl(self._around.hosts[name], self._around.settings.limits)
                if isinstance(told, EtcdMember):
                    return told.members
        return 0

    async def _member(self, name: str, post: Post) -> EtcdMember | EtcdSilence:
        member: EtcdMember | EtcdSilence = EtcdSilence(asked=False)
        if self._around.readiness.usable(name):
            try:
                async with asyncio.timeout(self._around.settings.limits.script_s * 2):
                    member = await ask_member(self._around.ways, self._around.hosts[name], self._around.settings.limits)
            except TimeoutError:
                member = EtcdSilence(asked=False)
        post(judge_member(name, member, f"GET http://127.0.0.1:{METRICS_PORT}/health"))
        return member


class ClusterQuestion:
    """Nodes as Kubernetes sees them, and whether Rainbond is installed."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self.keys = tuple(ProbeKey(ProbeKind.NODE, node.name) for node in around.spec.nodes)
        self.interval_s = around.settings.cadence.cluster_s
        self.limit_s = around.settings.limits.script_s * 4

    async def ask(self, post: Post) -> None:
        try:
            told = await self._ask_api(post)
        finally:
            self._around.rainbond_asked.set()
        if not told and not await self._ask_servers(post):
            for key in self.keys:
                post(Answer(key, ProbeState.UNKNOWN, T("probe.node.unasked")))

    async def _ask_api(self, post: Post) -> bool:
        credentials = self._around.credentials()
        if credentials is None:
            return False
        spec, limits = self._around.spec, self._around.settings.limits
        port = spec.kubernetes.api.port
        targets = [Target(str(spec.api_address), port)]
        targets += [Target(str(node.address), API_PORT, node.name) for node in spec.nodes_with(Role.CONTROL_PLANE)]
        reply = await ask_cluster(self._around.ways, targets, credentials, limits)
        if reply.value is None:
            return False
        self._around.rainbond = reply.value.rainbond
        self._judge(reply.value.nodes, "GET /api/v1/nodes", reply.via, post)
        return True

    async def _ask_servers(self, post: Post) -> bool:
        """Where there is no kubeconfig yet, or no way to the API: kubectl on a server."""
        for node in self._around.spec.nodes_with(Role.CONTROL_PLANE):
            host = self._around.hosts.get(node.name)
            if host is None or not self._around.readiness.usable(node.name):
                continue
            try:
                limit_s = self._around.settings.limits.script_s
                result = await host.run(script("kube-nodes"), timeout_s=limit_s, output_limit_bytes=_NODES_BYTES)
            except TransportError:
                continue
            if result.ok:
                self._judge(read_kubectl_lines(result), f"{PREFIX}kube-nodes", node.name, post)
                return True
        return False

    def _judge(self, nodes: tuple[KubeNode, ...], asked: str, via: str, post: Post) -> None:
        for node in self._around.spec.nodes:
            post(judge_node(node.name, str(node.address), nodes, asked, via))


class GatewayQuestion:
    """One gateway port at one address."""

    def __init__(self, around: Surroundings, label: str, target: Target) -> None:
        self._around = around
        self._target = target
        self._key = ProbeKey(ProbeKind.GATEWAY, label, target.port)
        self._seen_good = False
        self.keys = (self._key,)
        self.interval_s = around.settings.cadence.gateway_s
        self.limit_s = around.settings.limits.script_s * 3

    async def ask(self, post: Post) -> None:
        spec = self._around.spec
        address = spec.gateway.vip.ip if spec.gateway.vip else spec.gateway.address
        question = port_question(self._target, self._around.settings.limits, address)
        reply = await self._around.ways.ask(self._target, question.ask)
        expectation = await self._expectation()
        if self._seen_good and expectation is not Expectation.UNUSED:
            expectation = Expectation.OPEN
        answer = judge_port(self._key, question.asked, reply, expectation)
        self._seen_good = self._seen_good or answer.state is ProbeState.OK
        post(answer)

    async def _expectation(self) -> Expectation:
        """What should be there; in the first round the answer of the API is waited for."""
        expectation = self._around.expectation()
        if expectation is Expectation.UNSURE and not self._around.rainbond_asked.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._around.settings.limits.script_s):
                    await self._around.rainbond_asked.wait()
        return self._around.expectation()
