"""Earlier runs of a site as lines of a list: when each began and how it ended, without reading whole journals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rbdtui.bounded_json import is_time, read_json
from rbdtui.engine.client import find_active
from rbdtui.engine.events import RunOutcome
from rbdtui.engine.inputs import JOURNAL_NAME, Purpose, PurposeKind, is_given_up, purpose_of
from rbdtui.site import Site
from rbdtui.words import Text
from rbdtui.workbench.run.run_phase import RunPhase

MOST_RUNS: Final = 200
_HEAD_BYTES: Final = 4 * 1024
_TAIL_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run."""

    run_id: str
    began_at: float | None
    """Unix time; None when the journal does not say."""
    outcome: RunOutcome | None
    """None for one that has not ended."""
    changed: int = 0
    """Steps that changed something."""
    duration_s: float = 0.0
    active: bool = False
    """Whether a runner has it in its hands."""
    given_up: bool = False
    """Whether it was left unfinished for good."""
    purpose: Purpose | None = None
    """None when it cannot be read."""

    @property
    def other_work(self) -> Text | None:
        """What it did, when it was no installation."""
        return None if self.purpose is None or self.purpose.kind is PurposeKind.INSTALL else self.purpose.title

    @property
    def phase(self) -> RunPhase:
        """How it stands, as far as a line can tell: one under way is running, whatever it waits for."""
        if self.active:
            return RunPhase.RUNNING
        if self.given_up:
            return RunPhase.GIVEN_UP
        return RunPhase(self.outcome.value) if self.outcome is not None else RunPhase.GONE


def list_runs(site: Site) -> list[RunLine]:
    """The newest runs, the latest first; what cannot be read is listed without a date."""
    active = find_active(site)
    active_id = active.run_id if active is not None else ""
    ids = site.run_ids()[: -MOST_RUNS - 1 : -1]
    return [run_line(site, run_id, active=run_id == active_id) for run_id in ids]


def run_line(site: Site, run_id: str, *, active: bool) -> RunLine:
    """One run of a site."""
    purpose = purpose_of(site.run_dir(run_id))
    first, last = _ends(site.run_dir(run_id) / JOURNAL_NAME)
    given_up = is_given_up(site.run_dir(run_id))
    at = first.get("at")
    began_at = float(at) if isinstance(at, int | float) and is_time(at) else None
    try:
        outcome = RunOutcome(str(last.get("outcome"))) if last.get("type") == "run-finished" else None
    except ValueError:
        return RunLine(run_id, began_at, None, active=active, given_up=given_up, purpose=purpose)
    changed, duration_s = last.get("changed"), last.get("duration_s")
    return RunLine(
        run_id,
        began_at,
        outcome,
        changed if isinstance(changed, int) else 0,
        duration_s if isinstance(duration_s, int | float) else 0.0,
        active,
        given_up,
        purpose,
    )


def _ends(journal: Path) -> tuple[Mapping[str, object], Mapping[str, object]]:
    """The first line's head, as far as it is needed, and the last whole line."""
    try:
        with journal.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            stream.seek(max(0, stream.seek(0, 2) - _TAIL_BYTES))
            whole = stream.read().rpartition(b"\n")[0]
    except OSError:
        return {}, {}
    return _head(head), _parsed(whole.rpartition(b"\n")[2])


def _head(data: bytes) -> Mapping[str, object]:
    """What stands before the list of steps, which may be long."""
    begin, found, _ = data.partition(b'"run_id"')
    return _parsed(begin.rstrip(b", ") + b"}") if found else {}


def _parsed(line: bytes) -> Mapping[str, object]:
    try:
        content = read_json(line)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
