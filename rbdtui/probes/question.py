"""What a probe is made of: its questions, what they share, and where in the order of asking they stand."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Final, Protocol, TypeVar, runtime_checkable

from rbdtui.kube.access import API_PORT, access_of
from rbdtui.kube.kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig
from rbdtui.probes.host_sample import HostSample
from rbdtui.probes.model import Answer, Expectation, ProbeKey, ProbeKind, ProbeStatus
from rbdtui.probes.routes import ProbeRoutes, Readiness, Reply, Target
from rbdtui.probes.settings import Settings
from rbdtui.probes.wire import Place
from rbdtui.spec.model import ClusterSpec, Node, Role
from rbdtui.transport.base import Host

R = TypeVar("R")
_HELPERS: Final = 2
Post = Callable[[Answer], None]
KnownSecret = Callable[[str], str | None]
"""A value of the vault by its name, without ``secret:``; None while the vault is closed, or when it lacks it."""


def no_secret(_: str) -> None:
    """Stands for a vault that nobody opened."""


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


@runtime_checkable
class Following(Question, Protocol):
    """A question that is better answered over one connection than by many rounds."""

    async def follow(self, post: Post) -> None:
        """Post answers until what they come from breaks; then it is begun anew, after the interval. May raise."""
        ...


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """A certificate that a server showed."""

    der: bytes
    """Empty where it showed none."""
    at_s: float
    """When, by the monotonic clock."""


@dataclass(slots=True)
class ProbeContext:
    """What all questions of one monitor share, and what one finds out for the others."""

    spec: ClusterSpec
    hosts: Mapping[str, Host]
    settings: Settings
    ways: ProbeRoutes
    readiness: Readiness
    kubeconfig: Path | None
    gateways: Sequence[Node]
    """Those that are asked."""
    carriers: Sequence[Node]
    """Those that may hold the VIP and are asked."""
    installing: bool
    """Whether a run is under way, so that what is not there yet is not missed."""
    secret: KnownSecret = field(default=no_secret, repr=False)
    samples: dict[str, HostSample | None] = field(default_factory=dict)
    """What each node said last of itself; None where it could not be asked."""
    _samples_complete: asyncio.Event = field(default_factory=asyncio.Event)
    certificates: dict[tuple[str, int], ShownCertificate] = field(default_factory=dict)
    """What was shown last by a port of a node to whoever asked there, by node and port."""
    boots: dict[str, str] = field(default_factory=dict)
    """By node, during which of its boots everything of it was last seen well."""
    standing: Callable[[], Iterable[ProbeStatus]] = tuple
    """How everything that is asked stands now."""
    rainbond: bool | None = None
    """Whether Rainbond is installed; None while that is not known."""
    rainbond_asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it has been asked for, whatever came of it."""

    _read: tuple[tuple[int, ...], Kubeconfig | KubeconfigError] | None = None
    """The kubeconfig, and what its file was like when it was read."""
    _proof: tuple[Kubeconfig, ssl.SSLContext] | None = field(default=None, repr=False)

    def credentials(self) -> Kubeconfig | None:
        """The operator's kubeconfig, which the last step of an installation writes; None when there is none to use."""
        found = self._kubeconfig()
        return found if isinstance(found, Kubeconfig) else None

    def proof(self) -> ssl.SSLContext | None:
        """TLS that takes only the cluster's certificates, made once for a kubeconfig; None without one."""
        credentials = self.credentials()
        if credentials is not None and (self._proof is None or self._proof[0] is not credentials):
            self._proof = credentials, credentials.proof()
        return self._proof[1] if credentials is not None and self._proof is not None else None

    def api_target(self) -> Target | None:
        """Where the API is that everybody uses; of a cluster that was there already None without its kubeconfig."""
        if not self.spec.is_existing:
            address = self.spec.api_address
            node = next((node.name for node in self.spec.nodes if address in node.addresses), "")
            return Target(str(address), self.spec.kubernetes.api.port, node)
        credentials = self.credentials()
        try:
            access = access_of(credentials) if credentials is not None else None
        except KubeconfigError:
            return None
        return Target(access.address, access.port) if access is not None else None

    def server_targets(self) -> list[Target]:
        """The API servers themselves; none of a cluster that was there already."""
        nodes = [] if self.spec.is_existing else self.spec.nodes_with(Role.CONTROL_PLANE)
        return [Target(str(node.address), API_PORT, node.name) for node in nodes]

    def api_targets(self) -> list[Target]:
        """Wherever the API can be asked, the address that everybody uses first."""
        shared = self.api_target()
        return [*([shared] if shared is not None else []), *self.server_targets()]

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

    async def ask_from_nodes(self, address: str, port: int, question: Callable[[Place], Awaitable[R]]) -> Reply[R]:
        """Ask about something outside from the first of two nodes that meets it, else from here; never raises."""
        nodes = [node.name for node in self.spec.managed_cluster_nodes]
        reply: Reply[R] = Reply()
        if not nodes:
            return await self.ways.ask_straight(address, port, question) or reply
        for name in [name for name in nodes if self.readiness.usable(name)][:_HELPERS]:
            reply = await self.ways.ask_on(name, address, port, question)
            if reply.met:
                break
        return reply

    def note_certificate(self, target: Target, der: bytes) -> None:
        """Keep what a port of a node showed, for those that read certificates."""
        if target.node:
            self.certificates[target.node, target.port] = ShownCertificate(der, time.monotonic())

    def note_sample(self, node: str, sample: HostSample | None) -> None:
        """Keep what a node said of itself for those that compare."""
        self.samples[node] = sample
        if len(self.samples) == len(self.spec.managed_nodes):
            self._samples_complete.set()

    async def all_samples(self) -> Mapping[str, HostSample | None]:
        """What every node said last, once each has been asked, or has had the time for it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.settings.limits.script_s * 2):
                await self._samples_complete.wait()
        return {node.name: self.samples.get(node.name) for node in self.spec.managed_nodes}


class Stage(IntEnum):
    """Which questions are put before others when everything is asked once."""

    HOSTS = 1
    """Others build on whether a host can be asked at all."""
    CLUSTER = 2
    GATEWAYS = 3
    """What to expect there depends on what the cluster has said."""
    WHOLE = 4
    """What is told from all other answers."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A part of the cluster whose health is watched."""

    name: str
    kinds: tuple[ProbeKind, ...]
    """Whatever its questions may answer."""
    questions: Callable[[ProbeContext], Iterable[Question]]
    """Those that make sense for a spec; none where the spec has no such part."""
    stage: Stage = Stage.CLUSTER
    during_runs: bool = False
    """Whether it is watched while a run is under way, when most of a cluster is not there yet."""
