"""Preflight and preview as a screen sees them: run in the background, read as immutable pictures."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace

from rbdtui.facts.model import NodeFacts
from rbdtui.facts.store import save_facts
from rbdtui.findings import Finding
from rbdtui.plan.preview import PreviewedStep, SilentReporter, preview
from rbdtui.plan.step import Plan
from rbdtui.session import Session
from rbdtui.words import Text
from rbdtui.workbench.background import BackgroundLoop
from rbdtui.workbench.errors import sentence_of
from rbdtui.workbench.survey import SurveyStatus


@dataclass(frozen=True, slots=True)
class Preflight:
    """What preflight has found so far."""

    state: SurveyStatus = SurveyStatus.NONE
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
    """When it ended, Unix time."""
    of: str = ""
    """Which draft was looked at, as `Draft.fingerprint` tells it."""
    outdated: bool = False
    """Whether the draft, or who is trusted, has changed since."""

    @property
    def holds(self) -> bool:
        """Whether it is all known, of the draft as it is."""
        return self.state is SurveyStatus.DONE and not self.outdated


class PreflightView:
    """One preflight at a time, and the preview of what would be changed.

    What the background tells counts only as long as the screen has not turned to something else.
    """

    def __init__(self, background: BackgroundLoop, on_change: Callable[[], None]) -> None:
        self.snapshot = Preflight()
        self._background = background
        self._on_change = on_change
        self._task: Future[None] | None = None
        self._lock = threading.Lock()
        self._turn = 0
        """Which look or preview holds; what an earlier one still has to say is dropped."""

    def start(self, session: Session, of: str = "") -> None:
        """Look at every host of cluster.yaml as it is saved; a look under way is given up for this one."""
        turn = self._turn_to(lambda _: Preflight(SurveyStatus.LOOKING, nodes=len(session.spec.nodes), of=of))
        self._task = self._background.submit(self._look(session, turn))

    def start_preview(self, session: Session) -> None:
        """Have every step say what it would change; preflight must be done, and hold."""
        if self.snapshot.holds and not self.snapshot.previewing:
            turn = self._turn_to(lambda seen: replace(seen, previewing=True, error=None))
            self._task = self._background.submit(self._preview(session, turn))

    def give_up(self) -> None:
        """End a look that is under way; what was found so far stays."""
        if self.snapshot.state is SurveyStatus.LOOKING:
            self._turn_to(_given_up)

    def compare(self, draft: str) -> None:
        """Say which draft holds now; a look at another one is given up, and what was found of it is outdated."""
        seen = self.snapshot
        outdated = seen.of != draft
        if seen.state is not SurveyStatus.NONE and outdated != seen.outdated:
            self._turn_to(lambda seen: replace(_given_up(seen), outdated=outdated, previewing=False))

    def outdate(self) -> None:
        """What was found holds of no plan any more: the servers are other than they were, or others are trusted."""
        if self.snapshot.state is not SurveyStatus.NONE:
            self._turn_to(lambda seen: replace(_given_up(seen), of="", outdated=True, previewing=False))

    def show(self, snapshot: Preflight) -> None:
        """Take what was found elsewhere."""
        self._turn_to(lambda _: snapshot)

    def close(self) -> None:
        """Stop looking."""
        self._cancel()

    def _cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _turn_to(self, change: Callable[[Preflight], Preflight]) -> int:
        """End what is under way and go on from another picture; the number of the new turn."""
        self._cancel()
        with self._lock:
            self._turn += 1
            turn = self._turn
            self.snapshot = change(self.snapshot)
        self._on_change()
        return turn

    def _put(self, turn: int, change: Callable[[Preflight], Preflight]) -> None:
        """Take what the background has found out in a turn, unless that is over."""
        with self._lock:
            if turn != self._turn:
                return
            self.snapshot = change(self.snapshot)
        self._on_change()

    async def _look(self, session: Session, turn: int) -> None:
        def found(finding: Finding) -> None:
            self._put(turn, lambda seen: replace(seen, findings=(*seen.findings, finding)))

        def answered(facts: NodeFacts) -> None:
            self._put(turn, lambda seen: replace(seen, facts={**seen.facts, facts.node: facts}))

        try:
            missing = session.missing_secret_findings()
            async with session.hosts() as hosts:
                result = await session.preflight(hosts, found, answered)
            for facts in result.facts.values():
                save_facts(session.site.facts_dir, facts)
            done = Preflight(
                SurveyStatus.DONE, (*missing, *result.findings), result.facts, plan=session.plan(result.facts),
                at=time.time(),
            )  # fmt: skip
            self._put(turn, lambda seen: replace(done, nodes=seen.nodes, of=seen.of))
        except Exception as error:  # whatever it is, the screen says it instead of standing still
            text = sentence_of(error)
            self._put(turn, lambda seen: replace(seen, state=SurveyStatus.FAILED, error=text, at=time.time()))

    async def _preview(self, session: Session, turn: int) -> None:
        seen = self.snapshot
        try:
            assert seen.plan is not None
            async with session.hosts() as hosts:
                steps = await preview(seen.plan, session.dry_context(hosts, seen.facts, SilentReporter()))
            self._put(turn, lambda seen: replace(seen, previewed=tuple(steps), previewing=False))
        except Exception as error:  # as above
            text = sentence_of(error)
            self._put(turn, lambda seen: replace(seen, previewing=False, error=text))


def _given_up(seen: Preflight) -> Preflight:
    """The same, ended half-way if it was under way."""
    return replace(seen, state=SurveyStatus.GIVEN_UP, at=time.time()) if seen.state is SurveyStatus.LOOKING else seen
