"""A text in the logs of all steps of a run, the newest place of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rbdtui.log_words import log_message
from rbdtui.workbench.run.log_view import LogFile


@dataclass(frozen=True, slots=True)
class LogHit:
    """The newest line of a step's log that holds a text."""

    step: str
    """The step's id."""
    message: str
    """What the line says, without the stamp in front of it."""


def search_logs(logs: Iterable[tuple[str, LogFile]], wanted: str) -> list[LogHit]:
    """Look in every log, in the given order, for a text, capitals or not. Reads files: use a thread."""
    hits = []
    for step, file in logs:
        at = file.find_before(wanted, file.size_bytes())
        line = next(iter(file.after(at, 1)), None) if at is not None else None
        if line is not None:
            stamp, _, rest = line.text.partition(" ")
            hits.append(LogHit(step, log_message(rest if stamp[:1].isdecimal() else line.text)))
    return hits
