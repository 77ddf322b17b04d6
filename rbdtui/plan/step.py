"""The unit of install work: what is pending, apply, verify, and undo where it can be.

A step looks once: `Step.pending` never changes anything, a dry run executes nothing else, and `Step.apply` goes on from
what was seen there.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Mapping
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar, runtime_checkable

from rbdtui.bundle.model import Bundle as Bundle
from rbdtui.bundle.model import BundleFile as BundleFile
from rbdtui.errors import StepError as StepError
from rbdtui.facts.model import NodeFacts
from rbdtui.plan.waiting import wait_for
from rbdtui.spec.model import ClusterSpec
from rbdtui.transport.base import Host, UploadProgress
from rbdtui.words import T, Text

JUMP_LANE = ""
"""Lane of the work that belongs to no node."""


class StepKind(StrEnum):
    """What a step is to the others."""

    WORK = "work"
    GATE = "gate"
    """A barrier: its condition must hold before what follows may start; it changes nothing."""


class StepClass(StrEnum):
    """Which limit of parallel work a step counts against."""

    COMMAND = "command"
    UPLOAD = "upload"


class ChangeKind(StrEnum):
    """What sort of change a step would make."""

    FILE = "file"
    COMMAND = "command"
    UPLOAD = "upload"
    PACKAGE = "package"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a step would change on its node."""

    kind: ChangeKind
    title: Text
    """One sentence, e.g. that a file is rewritten."""
    detail: str = ""
    """A unified diff or the exact commands; secrets stand there as ``secret:name``."""

    def to_json(self) -> dict[str, object]:
        """The published form of ``plan --json``, also kept in journals."""
        return {"kind": self.kind.value, "title": self.title.to_json(), "detail": self.detail}


class Reporter(Protocol):
    """Where a step tells what it is doing."""

    def line(self, text: str) -> None:
        """A raw line of remote output, for the step's log."""
        ...

    def note(self, text: Text) -> None:
        """A sentence for the operator, for the journal."""
        ...

    def progress(self, progress: UploadProgress) -> None:
        """How far a transfer is."""
        ...


class LetGoError(Exception):
    """The run is to stop, and the step was only waiting: it is taken up again when the run goes on."""


class StopSignal:
    """Tells steps that merely wait that the run is to stop."""

    def __init__(self) -> None:
        self._given = False
        self._waits: set[asyncio.Timeout] = set()

    def give(self) -> None:
        """Have everything that waits let go now, and what would begin to wait later at once; harmless when repeated."""
        self._given = True
        now = asyncio.get_running_loop().time()
        for wait in self._waits:
            wait.reschedule(now)
        self._waits.clear()

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """See `StepContext.waiting`."""
        if self._given:
            raise LetGoError
        try:
            async with asyncio.timeout(None) as wait:
                self._waits.add(wait)
                try:
                    yield
                finally:
                    self._waits.discard(wait)
        except Exception as error:
            if self._given:
                raise LetGoError from error
            raise


NO_RUN_YET: Final = "RUN"
"""Stands in a preview for the name of the run, which is made at its start."""


@dataclass(frozen=True, slots=True)
class StepContext:
    """Everything that a step may use; the same for a dry run, a run and a resumed run."""

    run_id: str
    """`NO_RUN_YET` while it is only looked what a run would change."""
    spec: ClusterSpec
    facts: Mapping[str, NodeFacts]
    """By node name, as gathered before the run."""
    hosts: Mapping[str, Host]
    """By node name."""
    bundle: Bundle
    secret: Callable[[str], str]
    """The value of a secret by name (without ``secret:``); raises `StepError` when the vault has none."""
    report: Reporter
    site_dir: Path
    quarantined: AbstractSet[str] = frozenset()
    """Nodes that the run goes on without; live: it may grow while a step is under way, so gates look at it anew."""
    stop: StopSignal = field(default_factory=StopSignal)

    def waiting(self) -> AbstractAsyncContextManager[None]:
        """Around what changes nothing and may be cut off anywhere: when the run is to stop it raises `LetGoError`.

        A gate is wrapped in it as a whole by whoever carries it out; other steps wrap the part in which they only look
        whether something has come about, never a change.
        """
        return self.stop.waiting()

    def takes_part(self, node: str) -> bool:
        """Whether a node belongs to the run and is not in quarantine: whoever looks at all nodes leaves others out."""
        return node in self.hosts and node not in self.quarantined


Seen = TypeVar("Seen")


@dataclass(frozen=True, slots=True)
class Pending(Generic[Seen]):
    """What is not yet as it shall be, and what was seen on the way."""

    changes: tuple[Change, ...] = ()
    """What would be changed now."""
    evidence: str = ""
    """What was seen, raw."""
    waits: StepError | None = None
    """What must come about without being changed by the step; it is the error once time for it is over."""
    seen: Seen = None  # type: ignore[assignment]
    """What `Step.apply` goes on from, so that nothing is asked twice."""

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return not self.changes and self.waits is None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a step may be tried again by itself, when its error allows it."""

    attempts: int = 3
    delay_s: float = 2.0
    """Before the second attempt; doubled each time."""


@dataclass(frozen=True, slots=True)
class Step(ABC):
    """One piece of work on one node (or, with an empty node, from the jump host)."""

    name: ClassVar[str]
    """Kebab-case, unique among kinds of steps; its title is ``step.<name>.title``."""
    kind: ClassVar[StepKind] = StepKind.WORK
    step_class: ClassVar[StepClass] = StepClass.COMMAND
    retry: ClassVar[RetryPolicy] = RetryPolicy()
    time_limit_s: ClassVar[float] = 300.0
    """After this the attempt counts as failed."""
    stall_s: ClassVar[float] = 60.0
    """Silence after which an alarm names the step."""
    skippable: ClassVar[bool] = False
    """Whether the operator may go on without it."""

    node: str
    after: tuple[str, ...] = field(default=(), kw_only=True)
    """Ids of the steps that must be done before."""

    @property
    def id(self) -> str:
        """Unique in the plan: ``hosts-file@node1``, or ``vip-up`` for a step of no node."""
        return f"{self.name}@{self.node}" if self.node else self.name

    @property
    def title(self) -> Text:
        """What the step does, in a few words."""
        return T(f"step.{self.name}.title")  # words: step.*.title

    @abstractmethod
    async def pending(self, context: StepContext) -> Pending[Any]:
        """What is not yet so; changes nothing."""

    @abstractmethod
    async def apply(self, context: StepContext, pending: Pending[Any]) -> bool | None:
        """Bring the result about, from what was pending a moment ago; safe to be cut off at any point and repeated.

        False when nothing was changed after all, because waiting was enough.
        """

    async def verify(self, context: StepContext) -> None:
        """Prove the result, by default that nothing is pending any more; raises `StepError`."""
        pending = await self.pending(context)
        if not pending.is_done:
            raise StepError(
                "step_not_proven", evidence=pending.evidence, step=self.title, node=self.node or T("form.this_machine")
            )


@dataclass(frozen=True, slots=True)
class Gate(Step):
    """A step that only waits for a condition."""

    kind: ClassVar[StepKind] = StepKind.GATE
    wait_s: ClassVar[float]
    """How long it waits at most."""
    look_every_s: ClassVar[float]

    @abstractmethod
    async def waiting_for(self, context: StepContext) -> StepError | None:
        """What does not hold now, as the error that it becomes when it goes on for too long; None when all holds."""

    async def pending(self, context: StepContext) -> Pending[None]:
        """The condition, while it does not hold."""
        error = await self.waiting_for(context)
        return Pending(waits=error, evidence=error.evidence if error is not None else "")

    async def apply(self, context: StepContext, pending: Pending[None]) -> None:
        """Wait for it; raises `StepError` with what does not hold."""
        await asyncio.sleep(self.look_every_s)
        await wait_for(lambda: self.waiting_for(context), limit_s=self.wait_s, every_s=self.look_every_s)

    async def verify(self, context: StepContext) -> None:
        """The last look was the proof."""


@runtime_checkable
class Undoable(Protocol):
    """A step whose result can be taken back."""

    async def undo(self, context: StepContext) -> None:
        """Take the result back; harmless when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of an installation, in an order in which each stands behind those it waits for."""

    steps: tuple[Step, ...]

    def step(self, step_id: str) -> Step:
        """The step of that id; raises `KeyError`."""
        for step in self.steps:
            if step.id == step_id:
                return step
        raise KeyError(step_id)
