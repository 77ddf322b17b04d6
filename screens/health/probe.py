"""One question of a cluster's health in full: what was asked, what came back, and how that has changed."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text as Line
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.probes.model import HealthSnapshot, ProbeStatus
from rbdtui.terminal_text import clean_lines
from rbdtui.words import T, Text
from rbdtui.workbench.health.health_table import beside
from screens.shell.base import Dialog, Words
from screens.terminal import clock
from screens.widgets.marks import PROBE_MARKS, state_word
from screens.widgets.port_lights import latency
from screens.widgets.spark import spark

SPARK_CELLS = 40
MOST_CHANGES = 8


class ProbeDialog(Dialog[None]):
    """Follows the answers to one question while it is shown."""

    AUTO_FOCUS = "#page"

    def __init__(self, probe_id: str) -> None:
        super().__init__()
        self._probe = probe_id
        self._shown: tuple[object, ...] = ()

    def title_text(self) -> Text:
        """Which question it is."""
        return T("health_screen.probe.title", probe=self._probe)

    def body(self) -> Iterable[Widget]:
        """Everything that is known."""
        with VerticalScroll(id="page"):
            yield Words(self._page, id="probe")

    @property
    def _snapshot(self) -> HealthSnapshot | None:
        workbench = self.program.workbench
        return workbench.health.snapshot if workbench is not None else None

    def refresh_view(self) -> None:
        """Draw a new answer."""
        snapshot = self._snapshot
        status = snapshot.by_id.get(self._probe) if snapshot is not None else None
        seen = (status.answered_at, status.state) if status is not None else ()
        if seen != self._shown:
            self._shown = seen
            self.query_one("#probe", Words).refresh(layout=True)

    def _page(self) -> Line:
        snapshot = self._snapshot
        status = snapshot.by_id.get(self._probe) if snapshot is not None else None
        page = Line()
        if snapshot is None or status is None:
            return page
        self._append_state(page, status)
        newest = status.newest
        if not status.state.good or (newest is not None and newest.notice):
            self._append_next(page, status)
        if newest is not None and newest.asked:
            self._append_raw(page, T("health_screen.probe.asked"), newest.asked)
        if newest is not None and newest.evidence:
            self._append_raw(page, T("health_screen.probe.answer"), newest.evidence)
        self._append_changes(page, snapshot)
        self._append_beside(page, snapshot, status)
        page.rstrip()
        return page

    def _append_state(self, page: Line, status: ProbeStatus) -> None:
        mark = PROBE_MARKS[status.state]
        sign = mark.sign(ascii_only=self.program.settings.ascii_only)
        colour = self.style(mark.look.split()[-1], bold=True)
        page.append(f"{sign} {state_word(status.state)}", style=colour)
        page.append(f"  {T('health_screen.probe.since', time=clock.moment(status.since))}")
        if status.latency_ms is not None:
            bars = spark(status.latencies_ms, SPARK_CELLS, self.glyphs)
            page.append(f"  {latency(status.latency_ms)}  ")
            page.append(bars, style=self.style("accent"))
        page.append(f"\n{status.detail}\n")
        if status.newest is not None and status.newest.state is not status.state:
            page.append(f"{T('health_screen.probe.wavers', detail=status.newest.detail)}\n", style="dim")
        page.append("\n")

    def _append_raw(self, page: Line, title: Text, raw: str) -> None:
        page.append(f"{title}\n", style="bold")
        for line in clean_lines(raw.rstrip()):
            page.append(f"  {line}\n", style="dim")
        page.append("\n")

    @staticmethod
    def _append_next(page: Line, status: ProbeStatus) -> None:
        """What to do: about this very answer, and where to look whatever it is."""
        page.append(f"{T('health_screen.probe.next')}\n", style="bold")
        if status.newest is not None and status.newest.remedy is not None:
            page.append(f"  {status.newest.remedy}\n")
        page.append(f"  {T(f'health_screen.look.{status.key.kind.value}')}\n\n")  # words: health_screen.look.*

    def _append_beside(self, page: Line, snapshot: HealthSnapshot, status: ProbeStatus) -> None:
        """The other answers of the cell that it was opened from."""
        others = beside(snapshot, status)
        if not others:
            return
        page.append(f"{T('health_screen.probe.beside')}\n", style="bold")
        for one in others:
            mark = PROBE_MARKS[one.state]
            page.append(f"  {mark.sign(ascii_only=self.program.settings.ascii_only)} ", style=self.style(mark.look))
            page.append(f"{one.key.id}  {one.detail}\n")

    def _append_changes(self, page: Line, snapshot: HealthSnapshot) -> None:
        mine = [change for change in snapshot.changes if change.key.id == self._probe][-MOST_CHANGES:]
        if not mine:
            return
        page.append(f"{T('health_screen.probe.changes')}\n", style="bold")
        for change in reversed(mine):
            page.append(f"  {clock.moment(change.at)}  {state_word(change.new)}  {change.detail}\n")
        page.append("\n")
