"""One attempt at a step: what is pending, apply, verify; what it tells meanwhile, and an alarm when it is silent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from rbdtui.engine.events import (
    Event,
    Outcome,
    StepDescribed,
    StepNoted,
    StepProgressed,
    StepStalled,
    StepStirred,
)
from rbdtui.engine.failure import Failure, failure_of, out_of_time
from rbdtui.engine.journal import JournalError
from rbdtui.engine.logs import StepLogs
from rbdtui.plan.step import LetGoError, Step, StepContext, StepKind
from rbdtui.redact import Redactor
from rbdtui.transport.base import UploadProgress
from rbdtui.words import Text

PROGRESS_INTERVAL_S: Final = 0.5
LAST_LINE_LIMIT_CHARS: Final = 500


class StepReporter:
    """Takes what one attempt tells, and raises the alarm when that is nothing for long."""

    def __init__(self, step: Step, tell: Callable[[Event], None], logs: StepLogs, redactor: Redactor) -> None:
        self._step = step
        self._tell = tell
        self._logs = logs
        self._redactor = redactor
        self._loop = asyncio.get_running_loop()
        self._heard_at = self._loop.time()
        self._patience_s = step.stall_s
        self._alarm = self._loop.call_later(self._patience_s, self._look)
        self._progress_at = float("-inf")
        self._note: Text | None = None
        self.last_line = ""

    def line(self, text: str) -> None:
        """A raw line of remote output, for the step's log."""
        self._logs.line(self._step.id, text)
        if text.strip():
            self.last_line = text
        self._heard()

    def note(self, text: Text) -> None:
        """A sentence for the operator; one that says the same as the last is dropped."""
        if text != self._note:
            self._note = text
            self._tell(StepNoted(self._step.id, text))
        self._heard()

    def progress(self, progress: UploadProgress) -> None:
        """How far a transfer is; told at most twice a second, and at its end."""
        now = self._loop.time()
        done = progress.sent_bytes >= progress.total_bytes
        if done or now - self._progress_at >= PROGRESS_INTERVAL_S:
            self._progress_at = now
            self._tell(StepProgressed(self._step.id, progress.sent_bytes, progress.total_bytes, progress.bytes_per_s))
        self._heard()

    def close(self) -> None:
        """The attempt is over."""
        self._alarm.cancel()

    def _heard(self) -> None:
        self._heard_at = self._loop.time()
        if self._patience_s > self._step.stall_s:
            self._patience_s = self._step.stall_s
            self._alarm.cancel()
            self._alarm = self._loop.call_later(self._patience_s, self._look)
            self._tell(StepStirred(self._step.id))

    def _look(self) -> None:
        silent_s = self._loop.time() - self._heard_at
        if silent_s >= self._patience_s:
            last_line = self._redactor.text(self.last_line)[:LAST_LINE_LIMIT_CHARS]
            self._tell(StepStalled(self._step.id, round(silent_s, 3), last_line))
            self._patience_s = 2 * silent_s
        self._alarm = self._loop.call_later(max(0.001, self._patience_s - silent_s), self._look)


async def attempt(
    step: Step,
    context: StepContext,
    reporter: StepReporter,
    emit: Callable[[Event], None],
    commit: Callable[[], Awaitable[None]],
    redactor: Redactor,
) -> Outcome | Failure | None:
    """Carry a step out once, within its time limit; None when it was only waiting and the run is to stop.

    ``emit`` writes to the journal and ``commit`` waits until that is on the disk: both raise when it cannot be, and
    then nothing is changed on the host.
    """
    try:
        async with asyncio.timeout(step.time_limit_s) as limit:
            if step.kind is not StepKind.GATE:
                return await _carry_out(step, context, emit, commit)
            async with context.waiting():
                return await _carry_out(step, context, emit, commit)
    except LetGoError:
        return None
    except TimeoutError as error:
        return out_of_time(step, reporter.last_line) if limit.expired() else failure_of(error, step, redactor)
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
        return failure_of(error, step, redactor)
    except JournalError:
        raise
    except Exception as error:
        return failure_of(error, step, redactor)


async def _carry_out(
    step: Step, context: StepContext, emit: Callable[[Event], None], commit: Callable[[], Awaitable[None]]
) -> Outcome:
    pending = await step.pending(context)
    if pending.is_done:
        return Outcome.UNCHANGED
    if pending.changes:
        emit(StepDescribed(step.id, tuple(change.to_json() for change in pending.changes)))
    await commit()
    only_waited = await step.apply(context, pending) is False
    await step.verify(context)
    return Outcome.UNCHANGED if only_waited or step.kind is StepKind.GATE else Outcome.CHANGED
