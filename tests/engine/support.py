"""Plans of steps that only act on a world in memory or on disk, and a run of them inside the test's own loop."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final

from rbdtui.bundle.model import Chart
from rbdtui.engine.events import Event, FailurePolicy, RunCreated, RunnerStarted, RunOutcome
from rbdtui.engine.executor import Executor, Work, step_info
from rbdtui.engine.inputs import RunOptions
from rbdtui.engine.journal import Journal, read_journal
from rbdtui.engine.logs import StepLogs
from rbdtui.engine.quarantine import may_quarantine
from rbdtui.engine.state import RunState
from rbdtui.plan.step import (
    BundleFile,
    Change,
    ChangeKind,
    Pending,
    Plan,
    Reporter,
    RetryPolicy,
    Step,
    StepContext,
    StepError,
)
from rbdtui.redact import Redactor
from rbdtui.rke2_version import Rke2Version
from rbdtui.spec.loader import parse_spec
from rbdtui.spec.model import ClusterSpec
from rbdtui.words import T

LIMIT_S = 60.0

SPEC_TEXT = """\
apiVersion: rbdtui/v1
name: site-a
profile: kubernetes-only
bundle: /nowhere
nodes:
  - {name: n1, address: 198.51.100.1, roles: [control-plane, etcd, worker, gateway]}
  - {name: n2, address: 198.51.100.2, roles: [control-plane, etcd, worker, gateway]}
  - {name: n3, address: 198.51.100.3, roles: [control-plane, etcd, worker]}
  - {name: n4, address: 198.51.100.4, roles: [worker]}
gateway: {mode: keepalived, vip: 198.51.100.100/24, virtual_router_id: 7}
"""


def a_spec() -> ClusterSpec:
    spec = parse_spec(SPEC_TEXT).spec
    assert spec is not None
    return spec


class NoBundle:
    """A bundle that nobody asks."""

    def file(self, kind: str, arch: str) -> BundleFile:
        raise StepError("unused")

    def images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def packages(self, os_id: str, os_version: str, arch: str) -> list[BundleFile]:
        return []

    def rke2_version(self, arch: str) -> Rke2Version | None:
        return None

    def chart(self, spec: ClusterSpec) -> Chart:
        raise StepError("unused")

    def helm(self, arch: str) -> BundleFile:
        raise StepError("unused")

    def rainbond_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def kubesphere_chart(self) -> Chart:
        raise NotImplementedError

    def kubesphere_images(self, spec: ClusterSpec, arch: str) -> list[BundleFile]:
        return []

    def rook_chart(self) -> Chart:
        raise NotImplementedError

    def rook_images(self, arch: str) -> list[BundleFile]:
        return []

    def ceph_image(self, arch: str) -> str:
        raise NotImplementedError

    def rainbond_releases(self) -> tuple[str, ...]:
        return ()


Action = Callable[[StepContext, int], Awaitable[None]]


QUICK: Final = RetryPolicy(attempts=3, delay_s=0.01)


@dataclass(slots=True)
class World:
    """What steps act on, and what they did, in order."""

    done: set[str] = field(default_factory=set)
    did: list[tuple[str, str]] = field(default_factory=list)
    """(``look`` | ``apply``, step id)."""
    actions: dict[str, Action] = field(default_factory=dict)
    """By step id: what `apply` does before the step counts as done."""
    running: set[str] = field(default_factory=set)
    most: Counter[str] = field(default_factory=Counter)
    """Most steps under way at once, by step class."""

    def applied(self) -> list[str]:
        return [step for what, step in self.did if what == "apply"]


def failing(error: Exception, times: int = 10**6) -> Action:
    async def action(context: StepContext, attempt: int) -> None:
        if attempt <= times:
            raise error

    return action


def held(gate: asyncio.Event) -> Action:
    async def action(context: StepContext, attempt: int) -> None:
        await gate.wait()

    return action


class FakeStep(Step):
    """A step whose result is a name in a set."""

    __slots__ = ()
    name: ClassVar[str] = "fake"
    world: ClassVar[World]

    async def pending(self, context: StepContext) -> Pending[None]:
        self.world.did.append(("look", self.id))
        if self.id in self.world.done:
            return Pending(evidence="looked")
        return Pending((Change(ChangeKind.COMMAND, T("test.change"), f"do {self.id}"),), evidence="looked")

    async def apply(self, context: StepContext, pending: Pending[None]) -> bool | None:
        world = self.world
        world.did.append(("apply", self.id))
        world.running.add(self.id)
        now = sum(step.partition("@")[0] == self.name for step in world.running)
        world.most[self.name] = max(world.most[self.name], now)
        try:
            action = world.actions.get(self.id)
            if action is not None:
                await action(context, world.applied().count(self.id))
            world.done.add(self.id)
        finally:
            world.running.discard(self.id)
        return None


def kind(name: str, world: World, **attributes: Any) -> type[FakeStep]:
    """A kind of fake step."""
    return type(name, (FakeStep,), {"__slots__": (), "name": name, "world": world, **attributes})


def lanes(world: World, nodes: Iterable[str], names: Iterable[str], **attributes: Any) -> list[Step]:
    """The same steps on every node, each behind the one before it in its lane."""
    steps: list[Step] = []
    for node in nodes:
        before: tuple[str, ...] = ()
        for name in names:
            step = kind(name, world, **attributes)(node, after=before)
            steps.append(step)
            before = (step.id,)
    return steps


@dataclass(slots=True)
class Execution:
    """A run under way in this loop."""

    executor: Executor
    task: asyncio.Task[RunOutcome]
    run_dir: Path

    @property
    def state(self) -> RunState:
        return self.executor.state

    def events(self) -> list[Event]:
        return [record.event for record in read_journal(self.run_dir / "events.jsonl")]

    async def outcome(self) -> RunOutcome:
        async with asyncio.timeout(LIMIT_S):
            return await asyncio.shield(self.task)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something to become true; a run that ends with an error raises it."""
        async with asyncio.timeout(LIMIT_S):
            while not condition():
                if self.task.done():
                    self.task.result()
                await asyncio.sleep(0.002)


@asynccontextmanager
async def executing(
    run_dir: Path,
    steps: Iterable[Step],
    *,
    policy: FailurePolicy = FailurePolicy.ASK,
    secrets: Mapping[str, str] | None = None,
    journal: Journal | None = None,
    max_parallel_nodes: int = 50,
    max_parallel_uploads: int = 2,
) -> AsyncIterator[Execution]:
    """Start a run, or go on with the one whose journal is there."""
    plan, spec, values = Plan(tuple(steps)), a_spec(), dict(secrets or {})
    redactor = Redactor(values.values())
    journal = journal or Journal(run_dir / "events.jsonl", redactor)
    logs = StepLogs(run_dir, redactor)

    def context(report: Reporter, quarantined: AbstractSet[str]) -> StepContext:
        return StepContext("run-1", spec, {}, {}, NoBundle(), values.__getitem__, report, run_dir, quarantined)

    work = Work(
        plan,
        context,
        lambda node, quarantined: may_quarantine(spec, node, quarantined),
        RunOptions(policy, max_parallel_nodes, max_parallel_uploads),
        redactor,
    )
    executor = Executor(work, journal, logs)
    opening: list[Event] = [RunnerStarted(1, "jump", "op", "", policy)]
    if executor.state.seq == 0:
        infos = tuple(step_info(step) for step in plan.steps)
        opening.insert(0, RunCreated("run-1", "site-a", "kubernetes-only", infos, "0" * 64, "0"))
    await executor.begin(opening)
    task = asyncio.create_task(executor.run())
    try:
        yield Execution(executor, task, run_dir)
    finally:
        task.cancel()
        await asyncio.wait([task])
        for name in list(executor._tasks):
            executor._tasks[name].cancel()
        await asyncio.sleep(0)
        await logs.close()
        await journal.close()
