"""Why an attempt at a step failed, in words, whatever was raised."""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from typing import Final

from rbdtui.engine.events import StepFailed
from rbdtui.plan.step import Step, StepError
from rbdtui.redact import Redactor
from rbdtui.transport.base import RemoteScriptError, TransportError, unexpected
from rbdtui.words import T, Text

EVIDENCE_LIMIT_CHARS: Final = 8000
"""The end of what was seen is kept."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Failure:
    """An attempt that failed."""

    code: str
    """Stable: a finding's code, a `StepError`'s key, ``unexpected`` …"""
    text: Text
    remedy: Text
    evidence: str = ""
    retryable: bool = False
    """Whether trying again, with nothing changed by the operator, can help."""

    def event(self, step: Step, attempt: int, retry_in_s: float | None) -> StepFailed:
        """The failure as the journal keeps it."""
        return StepFailed(step.id, attempt, self.code, self.text, self.remedy, self.evidence, retry_in_s)


def out_of_time(step: Step, last_line: str) -> Failure:
    """The step took longer than it may."""
    text = T("error.step_out_of_time.message", step=step.title, limit_s=round(step.time_limit_s))
    return Failure("step_out_of_time", text, T("error.step_out_of_time.remedy"), evidence=last_line)


def failure_of(error: BaseException, step: Step, redactor: Redactor) -> Failure:
    """Words for what a step raised; what has none of its own goes to the runner's log with its traceback."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, StepError):
        evidence = _end_of(error.evidence, redactor)
        return Failure(error.code, error.text, error.remedy, evidence, error.retryable)
    if isinstance(error, TransportError):
        evidence = _end_of(_output(error), redactor)
        return Failure(error.code, error.text, error.remedy, evidence, error.retryable)
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        text = T("error.jump_host_file.message", path=str(error.filename), reason=error.strerror)
        return Failure("jump_host_file", text, T("error.jump_host_file.remedy"))
    _LOG.error("%s", step.id, exc_info=error)
    text = unexpected(step.node or socket.gethostname(), error)
    return Failure("unexpected", text, T("engine.unexpected_remedy"))


def _output(error: TransportError) -> str:
    if not isinstance(error, RemoteScriptError):
        return ""
    return "\n".join(part for part in (error.result.text.rstrip(), error.result.error_text.rstrip()) if part)


def _end_of(evidence: str, redactor: Redactor) -> str:
    """Secrets go before the text is cut, or half of one could stay."""
    return redactor.text(evidence)[-EVIDENCE_LIMIT_CHARS:]
