"""Start RKE2 on a node and see it through until the node is ready."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Final

from rbdtui.plan.cluster import API_PORT, SUPERVISOR_PORT, api_servers, api_url, first_server, join_address
from rbdtui.plan.kube import nodes_seen_by_any
from rbdtui.plan.resources.units import Started, digest_of, unit_action, unit_change, unit_states
from rbdtui.plan.step import Change, Probe, Step, StepContext, StepError, StepKind
from rbdtui.plan.steps.rke2_config import config_yaml, registries_yaml
from rbdtui.plan.steps.ship import rke2_archive
from rbdtui.spec.model import Role
from rbdtui.transport.base import Host, Reach, ReachResult
from rbdtui.transport.scripts import script

READY_LIMIT_S: Final = 1500.0
"""Importing a gigabyte of images from a slow disk takes minutes."""
LOOK_EVERY_S: Final = 1.0
RESTARTS_BEFORE_GIVING_UP: Final = 6
LOOKS_BEFORE_GIVING_UP: Final = 10
AT_REST: Final = ("inactive", "failed")
KEPT_LINES: Final = 40

FAILURES: Final = (
    (
        re.compile(
            r"/v1-rke2/\S+: 401 Unauthorized|token CA hash|failed to normalize (server )?token|token is not valid"
        ),
        "rke2_token",
    ),
    (re.compile(r"failed to get runtime image"), "rke2_images_missing"),
    (re.compile(r"flag provided but not defined"), "rke2_unknown_setting"),
    (re.compile(r"critical configuration (?:value )?mismatch"), "rke2_settings_differ"),
    (re.compile(r"bind: address already in use"), "rke2_port_taken"),
    (re.compile(r"Node password rejected, duplicate hostname"), "rke2_name_taken"),
)
"""Lines of RKE2 after which waiting is in vain, and the error that each stands for (``error.<key>``).

Sources: docs.rke2.io (server_config: critical configuration value mismatch), rancher/rke2#7372 (node password).
"""  # words: error.rke2_*.*


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a starting RKE2 is."""

    active: str
    restarts: int
    supervisor: bool
    """Whether 9345 listens."""
    api: bool
    """Whether this host's API server is ready."""
    cursor: str
    lines: tuple[str, ...]


async def look(host: Host, unit: str, cursor: str) -> Progress:
    """One look, with the log lines since the cursor."""
    answer = await host.must(script("rke2-progress"), unit, cursor, timeout_s=30.0)
    head, _, log = answer.text.partition("\n\n")
    value = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    return Progress(
        active=value.get("active", ""),
        restarts=int(value.get("restarts") or 0),
        supervisor=value.get("supervisor") == "yes",
        api=value.get("api") == "yes",
        cursor=value.get("cursor", ""),
        lines=tuple(line for line in log.splitlines() if line.strip()),
    )


@dataclass(slots=True)
class Watch:
    """The log of a starting RKE2, and when it is time to give up."""

    node: str
    restarts_before: int
    """The unit's count of restarts before it was started; systemd may begin to count anew."""
    looks_at_rest: int = 0
    """How often in a row the unit was found neither running nor about to."""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))

    def take(self, progress: Progress) -> None:
        """Judge one look; raises `StepError` when RKE2 said something after which waiting is in vain."""
        self.lines.extend(progress.lines)
        if failure := recognise(progress.lines):
            raise StepError(failure, node=self.node, evidence=self.evidence)
        self.restarts_before = min(self.restarts_before, progress.restarts)
        self.looks_at_rest = self.looks_at_rest + 1 if progress.active in AT_REST else 0
        restarts = progress.restarts - self.restarts_before
        if restarts >= RESTARTS_BEFORE_GIVING_UP or self.looks_at_rest >= LOOKS_BEFORE_GIVING_UP:
            raise StepError("rke2_keeps_failing", node=self.node, evidence=self.evidence)

    @property
    def evidence(self) -> str:
        """The newest lines."""
        return "\n".join(self.lines)


def recognise(lines: Iterable[str]) -> str:
    """The error that one of the lines stands for; empty when none does."""
    for line in lines:
        for pattern, key in FAILURES:
            if pattern.search(line):
                return key
    return ""


@dataclass(frozen=True, slots=True)
class _StartRke2(Step):
    """What starting a first server, another server and an agent have in common.

    The note of what a unit was started with is written while the unit is stopped, so that being cut off at any point
    leaves either a stopped unit or a note that is true.
    """

    unit: ClassVar[str] = "rke2-server.service"
    time_limit_s: ClassVar[float] = READY_LIMIT_S + 100.0
    stall_s: ClassVar[float] = 180.0

    async def probe(self, context: StepContext) -> Probe:
        """Whether RKE2 runs with the present configuration, and its node is ready."""
        host = context.hosts[self.node]
        (state,) = await unit_states(host, self.unit)
        if state.active != "active" or not state.is_enabled:
            return Probe(satisfied=False, evidence=str(state))
        if await Started(self.unit).read(host) != await asyncio.to_thread(self._inputs, context):
            return Probe(satisfied=False, evidence=f"{self.unit}: older configuration")
        not_ready = await self._why_not_ready(context)
        return Probe(satisfied=not not_ready, evidence=not_ready or str(state))

    async def describe(self, context: StepContext) -> list[Change]:
        """Starting, or stopping and starting with the new configuration."""
        if (await self.probe(context)).satisfied:
            return []
        (state,) = await unit_states(context.hosts[self.node], self.unit)
        changes = [] if state.is_enabled else [unit_change("enable", self.unit)]
        return [*changes, unit_change("restart" if state.active == "active" else "start", self.unit)]

    async def apply(self, context: StepContext) -> None:
        """Start RKE2 and follow its log until the node is ready; raises `StepError` with the last lines."""
        host = context.hosts[self.node]
        before = await look(host, self.unit, "")
        inputs = await asyncio.to_thread(self._inputs, context)
        if before.active not in AT_REST and await Started(self.unit).read(host) != inputs:
            await unit_action(host, self.unit, "stop", timeout_s=180.0)
            before = await look(host, self.unit, before.cursor)
        if before.active in AT_REST:
            await Started(self.unit).write(host, inputs)
            reset = ["reset-failed"] if before.active == "failed" else []
            await unit_action(host, self.unit, "enable", *reset, "start-no-wait")
        else:
            await unit_action(host, self.unit, "enable")
        async with context.waiting():
            await self._follow(context, before)

    async def undo(self, context: StepContext) -> None:
        """Stop RKE2 on the node; what it put there goes when its unpacking is undone."""
        host = context.hosts[self.node]
        (state,) = await unit_states(host, self.unit)
        if state.is_present:
            await unit_action(host, self.unit, "stop", "disable", timeout_s=180.0)

    async def _follow(self, context: StepContext, before: Progress) -> None:
        host, cursor = context.hosts[self.node], before.cursor
        watch = Watch(self.node, before.restarts)
        deadline = time.monotonic() + READY_LIMIT_S
        while True:
            progress = await look(host, self.unit, cursor)
            cursor = progress.cursor
            for line in progress.lines:
                context.report.line(line)
            watch.take(progress)
            if progress.active == "active" and not (reason := await self._why_not_ready(context, progress)):
                return
            if time.monotonic() > deadline:
                evidence = "\n".join((watch.evidence, reason if progress.active == "active" else progress.active))
                raise StepError("rke2_not_ready", node=self.node, evidence=evidence, retryable=True)
            await asyncio.sleep(LOOK_EVERY_S)

    def _inputs(self, context: StepContext) -> str:
        registries = registries_yaml(context)
        archive = rke2_archive(context, self.node).sha256
        return digest_of([archive, config_yaml(context, self.node), *([registries] if registries else [])])

    async def _why_not_ready(self, context: StepContext, progress: Progress | None = None) -> str:
        """What is still missing, raw; empty when the node is ready."""
        spec = context.spec
        roles = spec.node(self.node).roles
        seen = progress or await look(context.hosts[self.node], self.unit, "")
        if spec.node(self.node).is_server and not seen.supervisor:
            return f"{SUPERVISOR_PORT}: closed"
        if Role.CONTROL_PLANE in roles and not seen.api:
            return f"{API_PORT}: not ready"
        if self.node == first_server(spec).name and Role.CONTROL_PLANE not in roles:
            return ""  # etcd alone comes first: there is no API yet that could know this node
        servers = [self.node] if Role.CONTROL_PLANE in roles else [node.name for node in api_servers(spec)]
        answer = await nodes_seen_by_any(context, servers)
        node = answer.nodes.get(self.node)
        if node is None:
            return answer.reason or f"node {self.node}: absent"
        return "" if node.is_ready else f"node {self.node}: Ready={node.ready}"


@dataclass(frozen=True, slots=True)
class StartFirstServer(_StartRke2):
    """Start the server that the cluster begins with."""

    name: ClassVar[str] = "rke2-first-server"


@dataclass(frozen=True, slots=True)
class StartServer(_StartRke2):
    """Join one more server."""

    name: ClassVar[str] = "rke2-server"


@dataclass(frozen=True, slots=True)
class StartAgent(_StartRke2):
    """Join an agent."""

    name: ClassVar[str] = "rke2-agent"
    unit: ClassVar[str] = "rke2-agent.service"


@dataclass(frozen=True, slots=True)
class ApiReached(Step):
    """A node may only join once it reaches the address under which it registers."""

    name: ClassVar[str] = "api-reached"
    kind: ClassVar[StepKind] = StepKind.GATE
    time_limit_s: ClassVar[float] = 180.0
    wait_s: ClassVar[float] = 120.0

    async def probe(self, context: StepContext) -> Probe:
        """Whether both ports can be connected to from the node."""
        seen = await self._look(context)
        # A host whose sshd does not forward cannot tell; joining itself will.
        passed = all(result.reach in (Reach.OPEN, Reach.FORBIDDEN) for result in seen.values())
        return Probe(passed, "\n".join(f"{where}: {result.reach.value}" for where, result in seen.items()))

    async def describe(self, context: StepContext) -> list[Change]:
        """A gate changes nothing."""
        return []

    async def apply(self, context: StepContext) -> None:
        """Wait for it; raises `StepError`."""
        deadline = time.monotonic() + self.wait_s
        while not (probe := await self.probe(context)).satisfied:
            if time.monotonic() > deadline:
                raise StepError(
                    "api_not_reached", node=self.node, address=join_address(context.spec), url=api_url(context.spec),
                    evidence=probe.evidence, retryable=True,
                )  # fmt: skip
            await asyncio.sleep(LOOK_EVERY_S)

    async def _look(self, context: StepContext) -> dict[str, ReachResult]:
        spec, host = context.spec, context.hosts[self.node]
        places = [(join_address(spec), SUPERVISOR_PORT)]
        if join_address(spec) == str(spec.api_address):
            places.append((join_address(spec), spec.kubernetes.api.port))
        seen = await asyncio.gather(*(host.reach(address, port) for address, port in places))
        return {f"{address}:{port}": result for (address, port), result in zip(places, seen, strict=True)}
