"""Start RKE2 on a node and see it through until it votes, or until the node is ready."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar, Final

from rbdtui.plan.cluster import (
    API_PORT,
    SUPERVISOR_PORT,
    api_servers,
    api_url,
    join_address,
    join_places,
    precedes_the_api,
)
from rbdtui.plan.identity import joining_of
from rbdtui.plan.kube import etcd_seen_by, nodes_seen_by_any
from rbdtui.plan.registries import registries_yaml, registry_ca
from rbdtui.plan.resources.units import Started, UnitState, digest_of, unit_action, unit_change, unit_states
from rbdtui.plan.step import Change, ChangeKind, Gate, Pending, Step, StepContext, StepError, StepKind
from rbdtui.plan.steps.rke2_config import config_yaml
from rbdtui.plan.steps.rke2_words import AT_REST, Progress, Watch
from rbdtui.plan.steps.ship import rke2_archive
from rbdtui.plan.waiting import wait_for
from rbdtui.spec.model import Role
from rbdtui.together import together
from rbdtui.transport.answers import parse_answer
from rbdtui.transport.base import Host, Reach, ReachResult
from rbdtui.transport.scripts import script
from rbdtui.words import T

READY_LIMIT_S: Final = 1500.0
"""Importing a gigabyte of images from a slow disk takes minutes."""
LOOK_EVERY_S: Final = 1.0


async def look(host: Host, unit: str, cursor: str) -> Progress:
    """One look, with the log lines since the cursor."""
    answer = await host.must(script("rke2-progress"), unit, cursor, timeout_s=30.0)
    return parse_answer(host.name, "rke2-progress", lambda: _progress(answer.text))


def _progress(text: str) -> Progress:
    head, _, log = text.partition("\n\n")
    value = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
    return Progress(
        active=value["active"],
        restarts=int(value["restarts"] or 0),
        supervisor=value["supervisor"] == "yes",
        api=value["api"] == "yes",
        cursor=value["cursor"],
        lines=tuple(line for line in log.splitlines() if line.strip()),
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of RKE2 on a node, as far as one had to look."""

    state: UnitState
    inputs: str | None = None
    """Digest of what it is to be started with."""
    started: str | None = None
    """Digest of what it was started with."""
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class FollowRke2(Step):
    """What starting a first server, another server and an agent, and waiting for one, have in common.

    The note of what a unit was started with is written while the unit is stopped, so that being cut off at any point
    leaves either a stopped unit or a note that is true.
    """

    unit: ClassVar[str] = "rke2-server.service"
    time_limit_s: ClassVar[float] = READY_LIMIT_S + 100.0
    stall_s: ClassVar[float] = 180.0

    async def pending(self, context: StepContext) -> Pending[_Seen]:
        """Starting, or stopping and starting with the new configuration, unless it runs and its node is ready."""
        host = context.hosts[self.node]
        (state,) = await unit_states(host, self.unit)
        if state.active in AT_REST or not state.is_enabled:
            return self._to_start(_Seen(state), str(state))
        inputs, started = await self._inputs(context), await Started(self.unit).read(host)
        if started != inputs:
            return self._to_start(_Seen(state, inputs, started), f"{self.unit}: older configuration")
        progress = await look(host, self.unit, "")
        seen = _Seen(state, inputs, started, progress)
        if reason := await self._awaited(context, progress):
            return self._to_wait(seen, reason)
        return Pending(evidence=str(state), seen=seen)

    def _to_start(self, seen: _Seen, evidence: str) -> Pending[_Seen]:
        enable = [] if seen.state.is_enabled else [unit_change("enable", self.unit)]
        start = unit_change("start" if seen.state.active in AT_REST else "restart", self.unit)
        return Pending((*enable, start), evidence, seen=seen)

    def _to_wait(self, seen: _Seen, reason: str) -> Pending[_Seen]:
        awaited = Change(ChangeKind.SERVICE, T("plan.change.unit_awaited", unit=self.unit), reason)
        return Pending((awaited,), reason, seen=seen)

    async def apply(self, context: StepContext, pending: Pending[_Seen]) -> bool:
        """Start RKE2 and follow its log until what is awaited; raises `StepError` with the last lines."""
        host, seen = context.hosts[self.node], pending.seen
        before = seen.progress or await look(host, self.unit, "")
        is_up = seen.progress is not None and before.active not in AT_REST
        inputs = seen.inputs or await self._inputs(context)
        if before.active not in AT_REST:
            started = seen.started if seen.started is not None else await Started(self.unit).read(host)
            if started != inputs:
                await unit_action(host, self.unit, "stop", timeout_s=180.0)
                before = await look(host, self.unit, before.cursor)
        if before.active in AT_REST:
            await Started(self.unit).write(host, inputs)
            reset = ["reset-failed"] if before.active == "failed" else []
            await unit_action(host, self.unit, "enable", *reset, "start-no-wait")
        else:
            await unit_action(host, self.unit, "enable")
        try:
            async with context.waiting():
                await self._follow(context, before)
        except StepError as error:
            if error.code == "rke2_unknown_setting":
                # RKE2 goes on without the setting, and says so only at its start: the next try starts it anew.
                await Started(self.unit).forget(host)
            raise
        return not is_up

    async def verify(self, context: StepContext) -> None:
        """The last look, at a unit that was started with this configuration, was the proof."""

    async def _follow(self, context: StepContext, before: Progress) -> None:
        host, cursor = context.hosts[self.node], before.cursor
        watch = Watch(self.node, before.restarts, server=context.spec.node(self.node).is_server)

        async def ready() -> StepError | None:
            nonlocal cursor
            progress = await look(host, self.unit, cursor)
            cursor = progress.cursor
            for line in progress.lines:
                context.report.line(line)
            try:
                watch.take(progress)
            except StepError:
                # RKE2 goes on with what it read at its start: once somebody puts that right, it has to be started anew.
                await Started(self.unit).forget(host)
                raise
            if not (reason := await self._awaited(context, progress)):
                return None
            evidence = "\n".join((watch.evidence, reason))
            return StepError("rke2_not_ready", node=self.node, evidence=evidence, retryable=True)

        await wait_for(ready, limit_s=READY_LIMIT_S, every_s=LOOK_EVERY_S)

    async def _awaited(self, context: StepContext, seen: Progress) -> str:
        """What is still to come until the step has done its part, raw; empty when it has."""
        return await self._why_not_ready(context, seen) if seen.active == "active" else seen.active

    async def _inputs(self, context: StepContext) -> str:
        """The digest of what RKE2 is started with; raises `StepError` while nobody knows the cluster to join."""
        joining = await joining_of(context, self.node)
        if not joining.begins and not joining.ca:
            raise StepError("no_cluster_ca", node=self.node, retryable=True)
        registries = (registries_yaml(context.spec, context.secret), registry_ca(context.spec, context.site_dir))
        archive = await asyncio.to_thread(rke2_archive, context, self.node)
        config = config_yaml(context, self.node, joining)
        return digest_of([archive.sha256, config, *(content for content in registries if content is not None)])

    async def _why_not_ready(self, context: StepContext, seen: Progress) -> str:
        """What is still missing, raw; empty when the node is ready."""
        spec = context.spec
        roles = spec.node(self.node).roles
        if spec.node(self.node).is_server and not seen.supervisor:
            return f"{SUPERVISOR_PORT}: closed"
        if Role.CONTROL_PLANE in roles and not seen.api:
            return f"{API_PORT}: not ready"
        if precedes_the_api(spec, spec.node(self.node)):
            return await self._why_not_in_etcd(context)
        servers = [self.node] if Role.CONTROL_PLANE in roles else [node.name for node in api_servers(spec)]
        answer = await nodes_seen_by_any(context, servers)
        node = answer.nodes.get(self.node)
        if node is None:
            return answer.reason or f"node {self.node}: absent"
        return "" if node.is_ready else f"node {self.node}: Ready={node.ready}"

    async def _why_not_in_etcd(self, context: StepContext) -> str:
        """What keeps its member of etcd from having a vote, raw; its node is awaited when there is an API."""
        view = await etcd_seen_by(context.hosts[self.node])
        if view.errors:
            return f"etcd: {view.errors[0]}"
        address = str(context.spec.node(self.node).cluster_address)
        own = [member for member in view.members if member.peer_address == address]
        if not any(member.is_started and not member.is_learner for member in own):
            return f"etcd: {address} has no vote"
        return "" if view.has_leader else "etcd: no leader"


@dataclass(frozen=True, slots=True)
class StartRke2(FollowRke2):
    """Start RKE2 on a node."""

    async def undo(self, context: StepContext) -> None:
        """Stop RKE2 on the node; what it put there goes when its unpacking is undone."""
        host = context.hosts[self.node]
        (state,) = await unit_states(host, self.unit)
        if state.is_present:
            await unit_action(host, self.unit, "stop", "disable", timeout_s=180.0)


@dataclass(frozen=True, slots=True)
class StartFirstServer(StartRke2):
    """Start the server that the cluster begins with."""

    name: ClassVar[str] = "rke2-first-server"


@dataclass(frozen=True, slots=True)
class StartServer(StartRke2):
    """Join one more server: as soon as it votes in etcd the next one can come, and its node is awaited after that."""

    name: ClassVar[str] = "rke2-server"

    async def _awaited(self, context: StepContext, seen: Progress) -> str:
        if Role.ETCD not in context.spec.node(self.node).roles:
            return await FollowRke2._awaited(self, context, seen)
        if seen.active in AT_REST:
            return seen.active
        return await self._why_not_in_etcd(context) if seen.supervisor else f"{SUPERVISOR_PORT}: closed"


@dataclass(frozen=True, slots=True)
class ServerReady(FollowRke2):
    """See a server that has joined through until its node is ready.

    It waits; only one that was stopped meanwhile is started, and may be cut off at that like any start.
    """

    name: ClassVar[str] = "rke2-ready"
    kind: ClassVar[StepKind] = StepKind.GATE

    def _to_start(self, seen: _Seen, evidence: str) -> Pending[_Seen]:
        return self._to_wait(seen, evidence)

    def _to_wait(self, seen: _Seen, reason: str) -> Pending[_Seen]:
        waits = StepError("rke2_not_ready", node=self.node, evidence=reason, retryable=True)
        return Pending(waits=waits, evidence=reason, seen=seen)


@dataclass(frozen=True, slots=True)
class StartAgent(StartRke2):
    """Join an agent."""

    name: ClassVar[str] = "rke2-agent"
    unit: ClassVar[str] = "rke2-agent.service"


@dataclass(frozen=True, slots=True)
class ApiReached(Gate):
    """A node may only join once it reaches the address under which it registers."""

    name: ClassVar[str] = "api-reached"
    time_limit_s: ClassVar[float] = 180.0
    wait_s: ClassVar[float] = 120.0
    look_every_s: ClassVar[float] = LOOK_EVERY_S

    async def waiting_for(self, context: StepContext) -> StepError | None:
        """To reach 9345 of one of the places from the node, and the API's port where it is there."""
        spec, node = context.spec, context.spec.node(self.node)
        places = join_places(spec, node)
        seen = await self._look(context, places, SUPERVISOR_PORT)
        passed = any(map(_may_pass, seen.values()))
        if join_address(spec, node) == str(spec.api_address):
            api = await self._look(context, [str(spec.api_address)], spec.kubernetes.api.port)
            seen, passed = {**seen, **api}, passed and all(map(_may_pass, api.values()))
        if passed:
            return None
        evidence = "\n".join(f"{where}: {result.reach.value}" for where, result in seen.items())
        return StepError(
            "api_not_reached", node=self.node, address=", ".join(places), url=api_url(spec), evidence=evidence,
            retryable=True,
        )  # fmt: skip

    async def _look(self, context: StepContext, addresses: list[str], port: int) -> dict[str, ReachResult]:
        host = context.hosts[self.node]
        seen = await together(*(host.reach(address, port) for address in addresses))
        return {f"{address}:{port}": result for address, result in zip(addresses, seen, strict=True)}


def _may_pass(result: ReachResult) -> bool:
    """A host whose sshd does not forward cannot tell; joining itself will."""
    return result.reach in (Reach.OPEN, Reach.FORBIDDEN)
