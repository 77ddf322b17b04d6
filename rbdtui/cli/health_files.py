"""What `health` reads from the site's history and writes for Prometheus."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rbdtui.atomic import write_atomic
from rbdtui.cli.output import CommandError, Exit, Styled, answer, answer_json, pad, styled, tell
from rbdtui.paths import as_typed
from rbdtui.probes.history import HealthHistory, PastEvent
from rbdtui.probes.model import HealthSnapshot, ProbeState, ProbeStatus
from rbdtui.probes.monitor import HealthMonitor
from rbdtui.probes.prometheus import metrics
from rbdtui.site import Site
from rbdtui.terminal_text import clean_lines
from rbdtui.words import T

_WRITE_S: Final = 10.0
"""How often the file is written while watching."""
_EVIDENCE_LINES: Final = 6
_READABLE: Final = 0o644
"""node_exporter is another user, and nothing in the file is secret."""
_MARKS = {
    ProbeState.OK: ("✓", "ok", "green"),
    ProbeState.EXPECTED: ("–", "-", "cyan"),
    ProbeState.DEGRADED: ("!", "!", "yellow"),
    ProbeState.DOWN: ("✗", "x", "red"),
    ProbeState.UNKNOWN: ("?", "?", "yellow"),
}


def show_history(path: Path, *, as_json: bool, ascii_only: bool, verbose: bool) -> int:
    """Write what has changed, oldest first; asks no server and needs no secret."""
    site = Site.open(path)
    try:
        events = HealthHistory(site.health_dir).events()
    except OSError as error:
        place = as_typed(site.health_dir)
        raise CommandError(T("cli.health.history_unreadable", path=place, reason=error.strerror or "")) from error
    if as_json:
        answer_json({"events": [_as_json(event) for event in events]})
    elif not events:
        tell(T("cli.health.no_history"))
    for event in events if not as_json else []:
        answer(past_line(event, ascii_only=ascii_only))
        for line in list(clean_lines(event.evidence.strip()))[:_EVIDENCE_LINES] if verbose else ():
            answer(f"    {line}")
    return Exit.GOOD


def past_line(event: PastEvent, *, ascii_only: bool) -> Styled:
    """A change with its day and time; a tilde stands before the time of one that nobody watched."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(event.at))
    mark = state_mark(event.new, ascii_only=ascii_only)
    about = "~" if event.unwatched else " "
    return styled(f"{about}{stamp} ") + pad(styled(event.probe), 18) + " " + mark + f"  {event.detail}"


def _as_json(event: PastEvent) -> dict[str, object]:
    return {
        "at": datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds"),
        "probe": event.probe,
        "old": event.old.published,
        "new": event.new.published,
        "detail": str(event.detail),
        "evidence": event.evidence,
        "unwatched": event.unwatched,
    }


class MetricsFile:
    """A file for Prometheus, written as a whole each time."""

    def __init__(self, path: Path, site: str) -> None:
        self._path, self._site = path, site

    def write(self, snapshot: HealthSnapshot) -> None:
        """Write a picture; raises `CommandError`."""
        try:
            write_atomic(self._path, metrics(snapshot, self._site).encode(), _READABLE)
        except OSError as error:
            said = T("cli.health.metrics_unwritable", path=as_typed(self._path), reason=error.strerror or "")
            raise CommandError(said) from error

    @asynccontextmanager
    async def kept(self, monitor: HealthMonitor) -> AsyncIterator[None]:
        """Have the file written now and then for the time of the block; a disk that fails is told once."""
        task = asyncio.create_task(self._keep(monitor))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _keep(self, monitor: HealthMonitor) -> None:
        told = False
        while True:
            await asyncio.sleep(_WRITE_S)
            try:
                self.write(monitor.snapshot())
                told = False
            except CommandError as error:
                if not told:
                    tell(error.text)
                told = True


def state_mark(state: ProbeState, *, ascii_only: bool) -> Styled:
    """Sign and word for a state, coloured."""
    fancy, plain, colour = _MARKS[state]
    word = T(f"health.state.{state.value}")  # words: health.state.*
    return styled(f"{plain if ascii_only else fancy} {word}", colour=colour)


def status_mark(status: ProbeStatus, *, ascii_only: bool) -> Styled:
    """As `state_mark`, but for what is well and should be known all the same."""
    if status.newest is not None and status.newest.notice and status.state.good:
        return styled(f"! {T('health.notice')}", colour="yellow")
    return state_mark(status.state, ascii_only=ascii_only)
