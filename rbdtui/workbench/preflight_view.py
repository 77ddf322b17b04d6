"""Preflight and preview as a screen sees them: run in the background, read as immutable pictures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from enum import StrEnum

from rbdtui.facts.model import NodeFacts
from rbdtui.facts.store import save_facts
from rbdtui.findings import Finding
from rbdtui.plan.preview import PreviewedStep, SilentReporter, preview
from rbdtui.plan.step import Plan
from rbdtui.session import Session
from rbdtui.words import Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.errors import sentence_of


class LookState(StrEnum):
    """How far a look at all hosts is."""

    NONE = "none"
    """Nobody has looked yet, or the plan has changed since."""
    LOOKING = "looking"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Preflight:
    """What preflight has found so far."""

    state: LookState = LookState.NONE
    findings: tuple[Finding, ...] = ()
    facts: Mapping[str, NodeFacts] = field(default_factory=dict)
    nodes: int = 0
    """How many nodes are asked."""
    plan: Plan | None = None
    """The steps, once preflight is done."""
    previewed: tuple[PreviewedStep, ...] = ()
    """What each step would change, once that has been asked for."""
    previewing: bool = False
    error: Text | None = None
    """Why it failed."""
    at: float = 0.0
    """When it was done, Unix time."""


class PreflightView:
    """One preflight at a time, and the preview of what would be changed."""

    def __init__(self, background: BackgroundLoop, on_change: Callable[[], None]) -> None:
        self.snapshot = Preflight()
        self._background = background
        self._on_change = on_change
        self._task: Future[None] | None = None

    def start(self, session: Session) -> None:
        """Look at every host of cluster.yaml as it is saved; a look under way is given up for this one."""
        self._cancel()
        self._put(Preflight(LookState.LOOKING, nodes=len(session.spec.nodes)))
        self._task = self._background.submit(self._look(session))

    def start_preview(self, session: Session) -> None:
        """Have every step say what it would change; preflight must be done."""
        if self.snapshot.state is LookState.DONE and not self.snapshot.previewing:
            self._put(replace(self.snapshot, previewing=True, error=None))
            self._task = self._background.submit(self._preview(session))

    def forget(self) -> None:
        """What was found does not hold any more: the plan has changed."""
        if self.snapshot.state is not LookState.NONE:
            self._cancel()
            self._put(Preflight())

    def close(self) -> None:
        """Stop looking."""
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _put(self, snapshot: Preflight) -> None:
        self.snapshot = snapshot
        self._on_change()

    def _found(self, finding: Finding) -> None:
        self._put(replace(self.snapshot, findings=(*self.snapshot.findings, finding)))

    def _facts(self, facts: NodeFacts) -> None:
        self._put(replace(self.snapshot, facts={**self.snapshot.facts, facts.node: facts}))

    async def _look(self, session: Session) -> None:
        try:
            missing = session.missing_secret_findings()
            async with session.hosts() as hosts:
                result = await session.preflight(hosts, self._found, self._facts)
            for facts in result.facts.values():
                save_facts(session.site.facts_dir, facts)
            findings = (*missing, *result.findings)
            plan = session.plan(result.facts)
            self._put(
                replace(
                    self.snapshot, state=LookState.DONE, findings=findings, facts=result.facts, plan=plan,
                    at=time.time(),
                )
            )  # fmt: skip
        except Exception as error:  # whatever it is, the screen says it instead of standing still
            text = sentence_of(error)
            self._put(replace(self.snapshot, state=LookState.FAILED, error=text))

    async def _preview(self, session: Session) -> None:
        seen = self.snapshot
        try:
            assert seen.plan is not None
            async with session.hosts() as hosts:
                steps = await preview(seen.plan, session.dry_context(hosts, seen.facts, SilentReporter()))
            self._put(replace(self.snapshot, previewed=tuple(steps), previewing=False))
        except Exception as error:  # as above
            text = sentence_of(error)
            self._put(replace(self.snapshot, previewing=False, error=text))
