"""Carries a plan out: which step may start, what becomes of one that failed, and what the operator may wish meanwhile.

Everything that is decided here is decided on the fold of the journal, so a runner that takes a run up again decides as
the one before it would have.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from rbdtui.engine.attempt import StepReporter, attempt
from rbdtui.engine.events import (
    Choice,
    Event,
    FailurePolicy,
    NodeQuarantined,
    Outcome,
    QuestionAnswered,
    QuestionAsked,
    RunFinished,
    RunOutcome,
    RunPaused,
    RunResumed,
    StepFinished,
    StepInfo,
    StepLetGo,
    StepProgressed,
    StepStarted,
    StopCause,
    StopRequested,
)
from rbdtui.engine.failure import Failure
from rbdtui.engine.inputs import RunOptions
from rbdtui.engine.journal import Journal, JournalError
from rbdtui.engine.logs import StepLogs
from rbdtui.engine.state import RunState, StepState, StepStatus
from rbdtui.errors import SentenceError
from rbdtui.plan.step import Plan, Reporter, Step, StepClass, StepContext, StepKind, StopSignal
from rbdtui.redact import Redactor
from rbdtui.transport.base import SLOW_UPLOAD_AFTER_S, SLOW_UPLOAD_BYTES_PER_S
from rbdtui.words import T, Text

HALT_GRACE_S: Final = 10.0
"""How long steps may take to let go when the journal cannot be written."""

_STARTABLE: Final = frozenset({StepStatus.READY, StepStatus.RETRYING})


class CommandRefusedError(SentenceError):
    """What the operator wishes cannot be done now; carries a sentence."""


@dataclass(frozen=True, slots=True)
class Work:
    """What an executor works with."""

    plan: Plan
    make_context: Callable[[Reporter, AbstractSet[str]], StepContext]
    """The context of one attempt, from its reporter and the (live) set of nodes in quarantine."""
    may_quarantine: Callable[[str, AbstractSet[str]], bool]
    """Whether the cluster stays safe without a node, beside those that are left out already."""
    options: RunOptions
    redactor: Redactor


def step_info(step: Step) -> StepInfo:
    """A step as the journal and the screens know it."""
    return StepInfo(step.id, step.name, step.node, step.title, step.kind.value, step.after, step.skippable)


class Executor:
    """One runner's work on one run."""

    def __init__(self, work: Work, journal: Journal, logs: StepLogs) -> None:
        self._work = work
        self._journal = journal
        self._logs = logs
        self.state = RunState.of(journal.earlier)
        journal.earlier.clear()
        self._steps = _in_order(work.plan)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lanes: dict[str, str] = {}
        self._due: set[str] = set()
        self._slow: set[str] = set()
        self._pace: dict[str, tuple[float, int]] = {}
        """When each upload was last looked at, and what had been sent by then."""
        self._changed = asyncio.Event()
        self._stop = StopSignal()
        self._halt: Exception | None = None
        self._over = False

    async def begin(self, opening: Sequence[Event]) -> None:
        """Journal the first lines of a runner; raises `JournalError`."""
        self._emit(*opening)
        await self._journal.commit()

    async def run(self) -> RunOutcome:
        """Go on until nothing is left to do, or the run is to stop.

        Raises whatever a defect of our own raises, with the steps under way cut off: the run can be taken up again.
        """
        with contextlib.suppress(JournalError):
            await self._work_through()
        if self._halt is not None:
            await self._cut_off()
            if not isinstance(self._halt, JournalError):
                raise self._halt
        await self._logs.flush()
        return await self._finish()

    async def _work_through(self) -> None:
        while self._halt is None:
            self._start_ready()
            if not self._tasks and (self.state.stop is not None or self.state.all_settled):
                return
            await self._changed.wait()
            self._changed.clear()

    def _start_ready(self) -> None:
        if self.state.paused_by is not None or self.state.stop is not None:
            return
        running = Counter(self._counted_as(self._steps[step_id]) for step_id in self._tasks)
        for known in self.state.steps.values():
            if known.status not in _STARTABLE or not self._may_start(known):
                continue
            step = self._steps[known.info.id]
            counted_as = self._counted_as(step)
            if counted_as is None or running[counted_as] < self._limit(counted_as):
                running[counted_as] += 1
                self._start(step, known.attempts + 1)

    def _may_start(self, known: StepState) -> bool:
        info = known.info
        if info.id in self._tasks or (known.status is StepStatus.RETRYING and info.id not in self._due):
            return False
        return not info.node or self._lanes.get(info.node, info.id) == info.id

    def _counted_as(self, step: Step) -> StepClass | None:
        """Gates and the jump host's own steps only wait or are light: they take nobody's place, as do slow uploads."""
        if step.id in self._slow:
            return None
        if step.step_class is StepClass.COMMAND and (step.kind is StepKind.GATE or not step.node):
            return None
        return step.step_class

    def _slows_down(self, event: StepProgressed) -> bool:
        """Whether an upload that took a place has turned out to be slow."""
        step, loop = event.step, asyncio.get_running_loop()
        since, sent_bytes = self._pace.setdefault(step, (loop.time(), event.sent_bytes))
        age_s = loop.time() - since
        if step in self._slow or age_s < SLOW_UPLOAD_AFTER_S:
            return False
        self._pace[step] = loop.time(), event.sent_bytes
        if event.sent_bytes - sent_bytes >= SLOW_UPLOAD_BYTES_PER_S * age_s:
            return False
        self._slow.add(step)
        return True

    def _limit(self, step_class: StepClass) -> int:
        options = self._work.options
        return options.max_parallel_uploads if step_class is StepClass.UPLOAD else options.max_parallel_nodes

    def _start(self, step: Step, number: int) -> None:
        self._emit(StepStarted(step.id, number))
        self._due.discard(step.id)
        if step.node:
            self._lanes[step.node] = step.id
        task = asyncio.create_task(self._attempt(step, number), name=step.id)
        self._tasks[step.id] = task
        task.add_done_callback(lambda done: self._ended(step, done))

    def _ended(self, step: Step, task: asyncio.Task[None]) -> None:
        del self._tasks[step.id]
        self._slow.discard(step.id)
        self._pace.pop(step.id, None)
        if self.state.steps[step.id].status is not StepStatus.RETRYING:
            self._lanes.pop(step.node, None)
        error = None if task.cancelled() else task.exception()
        if isinstance(error, Exception):
            self._halt = self._halt or error
        self._changed.set()

    async def _attempt(self, step: Step, number: int) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._logs.attempt(step.id, number)
        reporter = StepReporter(step, self.tell, self._logs, self._work.redactor)
        context = dataclasses.replace(self._work.make_context(reporter, self.state.quarantined), stop=self._stop)
        try:
            result = await attempt(step, context, reporter, self._emit, self._journal.commit, self._work.redactor)
        finally:
            reporter.close()
        if isinstance(result, Failure):
            if not reporter.last_line:
                # A script that only failed was not followed line by line: its log would hold nothing of what it said.
                for line in result.evidence.splitlines():
                    self._logs.line(step.id, line)
            self._failed(step, number, result)
        elif result is None:
            self._emit(StepLetGo(step.id))
        else:
            self._emit(StepFinished(step.id, result, round(loop.time() - started, 3)))

    def _failed(self, step: Step, number: int, failure: Failure) -> None:
        tries = self.state.steps[step.id].tries
        if self.state.stop is None and failure.retryable and tries < step.retry.attempts:
            delay_s = step.retry.delay_s * 2 ** (tries - 1)
            self._emit(failure.event(step, number, delay_s))
            asyncio.get_running_loop().call_later(delay_s, self._fall_due, step.id)
            return
        events: list[Event] = [failure.event(step, number, None)]
        if self.state.stop is None:
            events.append(self._consequence(step, number, failure))
        self._emit(*events)

    def _fall_due(self, step_id: str) -> None:
        self._due.add(step_id)
        self._changed.set()

    def _consequence(self, step: Step, number: int, failure: Failure) -> Event:
        """What the policy makes of a step that has failed for good."""
        safe = self._work.may_quarantine(step.node, self.state.quarantined)
        match self._work.options.policy:
            case FailurePolicy.QUARANTINE if safe:
                return NodeQuarantined(step.node, step.id)
            case FailurePolicy.ASK:
                choices = [Choice.RETRY, *([Choice.SKIP] if step.skippable else [])]
                choices += [*([Choice.QUARANTINE] if safe else []), Choice.STOP]
                text = T("question.step_failed", step=step.title, reason=failure.text)
                if step.node:
                    text = T("question.step_failed_on", step=step.title, node=step.node, reason=failure.text)
                return QuestionAsked(f"{step.id}#{number}", step.id, text, tuple(choices))
            case _:
                return StopRequested("", StopCause.FAILURE)

    def answer(self, question: str, choice: Choice, by: str) -> None:
        """Settle a question; raises `CommandRefusedError`, also when somebody was faster."""
        if (earlier := self.state.answers.get(question)) is not None:
            raise CommandRefusedError(T("command.answered_already", choice=earlier.choice.value, by=earlier.by))
        if (asked := self.state.questions.get(question)) is None:
            raise CommandRefusedError(T("command.no_such_question", question=question))
        if choice not in asked.choices:
            raise CommandRefusedError(T("command.not_a_choice", choices=", ".join(asked.choices)))
        step = self._steps[asked.step]
        consequence: list[Event] = []
        match choice:
            case Choice.SKIP:
                consequence = [StepFinished(step.id, Outcome.SKIPPED, 0.0)]
            case Choice.QUARANTINE:
                if not self._work.may_quarantine(step.node, self.state.quarantined):
                    raise CommandRefusedError(T("command.quorum", node=step.node))
                consequence = [NodeQuarantined(step.node, step.id)]
            case Choice.STOP:
                consequence = [StopRequested(by)]
        self._emit(QuestionAnswered(question, choice, by), *consequence)

    def retry(self, step_id: str | None, by: str) -> None:
        """Try a failed step again, or all of them; raises `CommandRefusedError` when none has failed."""
        if step_id is not None and step_id not in self._steps:
            raise CommandRefusedError(T("command.no_such_step", step=step_id))
        asking = [q.question for q in self.state.questions.values() if step_id in (None, q.step)]
        retrying = [
            known.info.id
            for known in self.state.steps.values()
            if known.status is StepStatus.RETRYING and step_id in (None, known.info.id)
        ]
        if not asking and not retrying:
            raise CommandRefusedError(T("command.nothing_to_retry"))
        for question in asking:
            self.answer(question, Choice.RETRY, by)
        for waiting in retrying:
            self._fall_due(waiting)

    def pause(self, by: str) -> None:
        """Start no further step."""
        if self.state.paused_by is None:
            self._emit(RunPaused(by))

    def resume(self, by: str) -> None:
        """Start steps again."""
        if self.state.paused_by is not None:
            self._emit(RunResumed(by))

    def stop(self, by: str) -> None:
        """End as soon as the steps under way have ended; those that only wait let go at once."""
        if self.state.stop is None:
            self._emit(StopRequested(by))

    def tell(self, event: Event) -> None:
        """Journal something on which nothing depends; never raises."""
        with contextlib.suppress(JournalError, CommandRefusedError):
            self._emit(event)
        if isinstance(event, StepProgressed) and self._slows_down(event):
            self._changed.set()

    def _emit(self, *events: Event) -> None:
        """Journal first, then let the state know; a journal that cannot be written halts the run."""
        if isinstance(self._halt, JournalError):
            raise self._halt
        if self._over:
            raise CommandRefusedError(T("command.run_over"))
        try:
            records = self._journal.append(*events)
        except JournalError as error:
            self._halt = error
            self._changed.set()
            raise
        for record in records:
            self.state.apply(record)
        if self.state.stop is not None:
            self._stop.give()
        if any(event.durable for event in events):
            self._changed.set()

    async def _cut_off(self) -> None:
        """Cancel what is under way: nothing may go on that cannot be journalled. Steps bear being cut off anywhere."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=HALT_GRACE_S)

    async def _finish(self) -> RunOutcome:
        """Write the last line; on a full disk in the room kept aside for it."""
        reason: Text | None = None
        if isinstance(self._halt, JournalError):
            reason, self._halt = self._halt.text, None
            self._journal.release_reserve()
        outcome = RunOutcome.FAILED if reason is not None else self._outcome()
        self._emit(RunFinished(outcome, self.state.changed_count, round(self.state.active_s(), 3), reason))
        self._over = True
        if reason is None:
            await self._journal.commit()
        else:  # the last line says that the journal failed; whether it is on the disk may never be known
            with contextlib.suppress(JournalError):
                await self._journal.commit()
        return outcome

    def _outcome(self) -> RunOutcome:
        if self.state.all_settled:
            return RunOutcome.PARTIAL if self.state.quarantined else RunOutcome.DONE
        stop = self.state.stop
        return RunOutcome.FAILED if stop is not None and stop.cause is StopCause.FAILURE else RunOutcome.STOPPED


def _in_order(plan: Plan) -> dict[str, Step]:
    """The steps by id; raises `ValueError` for a plan that could never be finished."""
    steps: dict[str, Step] = {}
    for step in plan.steps:
        missing = [needed for needed in step.after if needed not in steps]
        if step.id in steps or missing:
            raise ValueError(f"{step.id}: twice in the plan, or before {missing}")
        steps[step.id] = step
    return steps
