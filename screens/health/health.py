"""Health: the verdict first, then every answer in a grid, what the one under the cursor says, and what has changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from textual import events, work
from textual.binding import BindingType
from textual.containers import Container, Vertical
from textual.widget import Widget

from rbdtui.probes.model import Health, HealthEvent, HealthSnapshot, ProbeStatus
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.health.gateway_view import innermost
from rbdtui.workbench.health.health_table import health_table, summary_of
from screens.health.health_grid import HealthGrid, mark_of
from screens.shell.base import SectionScreen, Words, css, key
from screens.shell.sections import entry_of
from screens.terminal import clock
from screens.widgets.canvas import Canvas, Span, Spans, cut
from screens.widgets.event_list import LINE_KEYS, EventList
from screens.widgets.marks import PROBE_MARKS, Mark, state_word
from screens.widgets.message_block import MessageBlock
from screens.widgets.port_lights import latency
from screens.widgets.spark import spark

_VERDICTS: Final = {
    Health.OK: Mark("✓", "+", "bold success"),
    Health.DEGRADED: Mark("!", "!", "bold warning"),
    Health.DOWN: Mark("✗", "x", "bold error"),
    Health.UNKNOWN: Mark("?", "?", "bold warning"),
}
SPARK_CELLS: Final = 12
WIDE_SPARK_CELLS: Final = 30
MOST_ASKED: Final = 400
"""Letters of what was asked."""


class ChangeList(EventList, inherit_bindings=False):
    """Changes with their times, the newest on top."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *LINE_KEYS,
        key("enter", "choose", "why"),
    ]

    def on_mount(self) -> None:
        """Begin with the newest."""
        self.put(0)


class HealthScreen(SectionScreen):
    """The cluster as it answers now."""

    SECTION = sections.HEALTH
    CSS_PATH = css("health")
    AUTO_FOCUS = "#grid"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "why", "why"),
        key("enter", "review", "to_review"),
        key("b", "next_bad", "next_bad"),
        key("c", "changes", "health_changes"),
        key("g,f5", "ask", "ask_now"),
        key("escape", "back", "back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._changes: tuple[HealthEvent, ...] = ()
        self._seen_at = 0.0
        """When the picture was made, Unix time."""
        self._keys = (False, False)
        """Whether there are changes, and bad answers, for the keys that lead there."""
        self._wanted = False
        """Whether the operator has it asked though nothing seems to be installed."""

    def body(self) -> Iterable[Widget]:
        """What must come first, or verdict, figures, grid, answer and changes."""
        yield Words(self._none_text, id="none")
        with Vertical(id="health"):
            yield Canvas(id="verdict")
            yield Canvas(id="figures")
            with Container(id="sides"):
                yield HealthGrid(id="grid")
                with Vertical(id="below"):
                    yield Canvas(id="title")
                    yield MessageBlock(id="answer")
                    yield Canvas(id="changes-title")
                    yield ChangeList(id="changes")

    # --- asking ----------------------------------------------------------------------------------------------

    @property
    def _anything_there(self) -> bool:
        """Whether there is or may be a cluster to be asked."""
        return self._wanted or self.workbench.run is not None or self.workbench.site.kubeconfig_file.exists()

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Begin to ask."""
        if self.is_mounted and self._anything_there:
            self._begin()

    @work(group="dialog", exclusive=True, exit_on_error=False)
    async def _begin(self) -> None:
        workbench = self.workbench
        if workbench.health.asking:
            return
        if workbench.needs_secrets and not await self.program.ensure_unlocked(T("passphrase.why_logins")):
            return
        workbench.watch_health()
        self.refresh_view()

    # --- drawing ---------------------------------------------------------------------------------------------

    def _none_text(self) -> Text:
        health = self.workbench.health
        if health.error is not None:
            return T("health_screen.error", reason=health.error)
        if self._anything_there:
            return T("health_screen.locked") if not health.asking else T("health_screen.asking")
        entry = entry_of(sections.REVIEW)
        return T("health_screen.none", key=entry.key if entry is not None else "")

    def refresh_view(self) -> None:
        """Draw what is new."""
        health = self.workbench.health
        snapshot = health.snapshot
        self.query_one("#none").display = snapshot is None
        if not self.query_one("#health").display and snapshot is not None:
            self.call_after_refresh(self.refresh_view)
        self.query_one("#health").display = snapshot is not None
        if snapshot is None:
            self.query_one("#none", Words).refresh(layout=True)
            self.refresh_bindings()
            return
        self._draw(snapshot)

    def _draw(self, snapshot: HealthSnapshot) -> None:
        grid = self.query_one(HealthGrid)
        self._draw_verdict(snapshot)
        self._draw_figures(snapshot)
        grid.show(health_table(snapshot), ascii_only=self._ascii)
        self._draw_answer()
        self._changes, self._seen_at = tuple(reversed(snapshot.changes)), snapshot.at
        title = self.query_one("#changes-title", Canvas)
        count = len(self._changes)
        words = T("health_screen.changes", count=count) if count else T("health_screen.no_changes")
        title.draw([(Span(1, str(words), "muted"),)])
        self.query_one(ChangeList).show(count, self._change_line)
        keys = (bool(count), any(not status.state.good for status in snapshot.probes))
        if keys != self._keys:
            self._keys = keys
            self.refresh_bindings()

    @property
    def _ascii(self) -> bool:
        return self.program.settings.ascii_only

    def _draw_verdict(self, snapshot: HealthSnapshot) -> None:
        canvas, mark = self.query_one("#verdict", Canvas), _VERDICTS[snapshot.health]
        width, error = canvas.content_size.width, self.workbench.health.error
        word = str(T(f"health_screen.verdict.{snapshot.health.value}"))  # words: health_screen.verdict.*
        since = clock.moment(self.workbench.health.since)
        first = f"{mark.sign(ascii_only=self._ascii)} {T('health_screen.since', verdict=word, time=since)}"
        why = error if error is not None else "" if snapshot.health is Health.OK else snapshot.headline
        if snapshot.health is Health.UNKNOWN and error is None:
            first = f"{mark.sign(ascii_only=self._ascii)} {word}"
        x = Span(1, first).width + 3
        spans = (Span(1, first, mark.look), Span(x, cut(str(why), max(1, width - x), self._cut_mark), ""))
        canvas.draw([spans])

    def _draw_figures(self, snapshot: HealthSnapshot) -> None:
        canvas, known = self.query_one("#figures", Canvas), summary_of(snapshot)
        parts = [str(T("health_screen.ready", ready=known.ready, nodes=known.nodes))]
        if known.holder:
            parts.append(str(T("run_screen.vip_on", node=known.holder)))
        if known.components is not None:
            ready, count = known.components
            parts.append(str(T("health_screen.components", ready=ready, count=count)))
        if health_table(snapshot).gateway_unused:
            parts.append(str(T("health_screen.no_gateway")))
        if known.quorum is not None and known.quorum.newest is not None:
            detail = innermost(known.quorum.detail)
            whole = detail.key == "probe.etcd.quorum"
            parts.append(str(T("health_screen.etcd", **detail.params)) if whole else f"etcd: {detail}")
        if known.notices:
            parts.append(str(T("health_screen.notices", count=known.notices)))
        line = f" {self.glyphs.separator} ".join(parts)
        canvas.draw([(Span(1, cut(line, max(1, canvas.content_size.width - 1), self._cut_mark), "muted"),)])

    def _draw_answer(self) -> None:
        status, title = self.query_one(HealthGrid).selected, self.query_one("#title", Canvas)
        said = self.query_one("#answer", MessageBlock)
        if status is None:
            title.draw([(Span(1, str(T("health_screen.no_question")), "muted"),)])
            said.lines = ()
            return
        title.draw([tuple(self._title_spans(status, title.content_size.width))])
        said.lines = ((status.detail, ""), *(self._more_of(status) if self.has_class("-tall") else ()))

    @staticmethod
    def _more_of(status: ProbeStatus) -> Iterable[tuple[Text, str]]:
        """What was asked, and what to look at where it is not well: there is room for it."""
        if status.newest is not None and status.newest.asked:
            yield T("health_screen.asked", question=clean_line(status.newest.asked, MOST_ASKED)), "muted"
        if not status.state.good and status.newest is not None and status.newest.remedy is not None:
            yield status.newest.remedy, "accent"
        elif not status.state.good:
            yield Text(f"health_screen.look.{status.key.kind.value}"), "accent"  # words: health_screen.look.*

    def _title_spans(self, status: ProbeStatus, width: int) -> Iterable[Span]:
        mark = mark_of(status)
        x = 1
        since = str(T("health_screen.probe.since", time=clock.moment(status.since)))
        parts = [
            (status.key.id, "bold accent"),
            (f"{mark.sign(ascii_only=self._ascii)} {state_word(status.state)}", mark.look),
            (since, "muted"),
        ]
        if status.latency_ms is not None:
            cells = WIDE_SPARK_CELLS if width >= 90 else SPARK_CELLS
            parts += [(latency(status.latency_ms), ""), (spark(status.latencies_ms, cells, self.glyphs), "accent")]
        for text, look in parts:
            if text and x < width:
                span = Span(x, text, look)
                yield span
                x += span.width + 2

    def _change_line(self, index: int, width: int) -> Spans:
        change = self._changes[index]
        mark = PROBE_MARKS[change.new]
        names = 17 if width < 90 else 24
        word = f"{mark.sign(ascii_only=self._ascii)} {state_word(change.new)}"
        x = 13 + names
        room = max(1, width - x - 11)
        return (
            Span(1, clock.recent(change.at, self._seen_at), "muted", 12),
            Span(13, cut(change.key.id, names - 1, self._cut_mark), "", names),
            Span(x, word, mark.look, 11),
            Span(x + 11, cut(str(change.detail), room, self._cut_mark), "", room),
        )

    @property
    def _cut_mark(self) -> str:
        return "~" if self._ascii else "…"

    def head_right(self) -> str:
        """How the cluster is, at the end of the line above, unless there is more to say."""
        snapshot = self.workbench.health.snapshot
        said = super().head_right()
        return said if said or snapshot is None else str(T("health_screen.asked_at", time=clock.moment(snapshot.at)))

    def on_health_grid_moved(self) -> None:
        """Say what came back there."""
        self._draw_answer()

    def on_resize(self, _: events.Resize) -> None:
        """Use the room, once it is known how much each part has."""
        self.call_after_refresh(self.refresh_view)

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what has a meaning now."""
        if not self.is_mounted:
            return True
        snapshot = self.workbench.health.snapshot
        match action:
            case "why":
                return snapshot is not None and isinstance(self.focused, HealthGrid)
            case "review":
                return snapshot is None and entry_of(sections.REVIEW) is not None
            case "next_bad":
                return snapshot is not None and any(not status.state.good for status in snapshot.probes)
            case "changes":
                return bool(self._changes) and not isinstance(self.focused, ChangeList)
            case "back":
                return isinstance(self.focused, ChangeList)
        return True

    def action_why(self) -> None:
        """Show all about the answer under the cursor."""
        status = self.query_one(HealthGrid).selected
        if status is not None:
            self._show_probe(status.key.id)

    def _show_probe(self, probe_id: str) -> None:
        from screens.health.probe import ProbeDialog

        self.app.push_screen(ProbeDialog(probe_id))

    def on_event_list_chosen(self, message: EventList.Chosen) -> None:
        """Show all about what has changed."""
        self._show_probe(self._changes[message.index].key.id)

    def action_next_bad(self) -> None:
        """Go to the next answer that is not good."""
        grid, snapshot = self.query_one(HealthGrid), self.workbench.health.snapshot
        if snapshot is None:
            return
        bad = [
            (row.target, column, status.key)
            for row in health_table(snapshot).rows
            for column, told in row.told.items()
            for status in told
            if not status.state.good
        ]
        here = grid.selected.key if grid.selected is not None else None
        index = next((place + 1 for place, (_, _, key) in enumerate(bad) if key == here), 0)
        if bad:
            grid.select(*bad[index % len(bad)])
            self.set_focus(grid)

    def action_changes(self) -> None:
        """Go through what has changed."""
        self.set_focus(self.query_one(ChangeList))

    def action_back(self) -> None:
        """Back to the grid."""
        self.set_focus(self.query_one(HealthGrid))

    def action_review(self) -> None:
        """Go where a run is started."""
        self.program.show_section(sections.REVIEW)

    def action_ask(self) -> None:
        """Ask everything now."""
        self._wanted = True
        if self.workbench.health.asking:
            self.workbench.health.poll_now()
            self.tell(T("health_screen.asked_anew"))
        else:
            self._begin()
