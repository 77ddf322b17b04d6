"""What a probe is made of: its questions, what they share, and where in the order of asking they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Protocol

from rbdtui.probes.kubeconfig import Kubeconfig, KubeconfigError, read_kubeconfig
from rbdtui.probes.model import Answer, ClockReading, Expectation, ProbeKey, ProbeKind
from rbdtui.probes.settings import Settings
from rbdtui.probes.ways import Readiness, Ways
from rbdtui.spec.model import ClusterSpec, Node
from rbdtui.transport.base import Host

Post = Callable[[Answer], None]


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
    gateways: Sequence[Node]
    """Those that are asked."""
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


class Stage(IntEnum):
    """Which questions are put before others when everything is asked once."""

    HOSTS = 1
    """Others build on whether a host can be asked at all."""
    CLUSTER = 2
    GATEWAYS = 3
    """What to expect there depends on what the cluster has said."""


@dataclass(frozen=True, slots=True)
class Probe:
    """A part of the cluster whose health is watched."""

    name: str
    kinds: tuple[ProbeKind, ...]
    """Whatever its questions may answer."""
    questions: Callable[[Surroundings], Iterable[Question]]
    """Those that make sense for a spec; none where the spec has no such part."""
    stage: Stage = Stage.CLUSTER
    during_runs: bool = False
    """Whether it is watched while a run is under way, when most of a cluster is not there yet."""
