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
from rbdtui.workbench.health.health_rows import seen_rows, worst_first
from rbdtui.workbench.health.health_table import health_table, summary_of
from rbdtui.workbench.row_view import ListView, Order
from screens.health.health_grid import HealthGrid, mark_of
from screens.shell.base import SectionScreen, Words, css, key
from screens.shell.list_screen import CLEAR_KEY, PROBLEMS_KEY, SEARCH_KEY, SORT_KEY, ListScreen
from screens.shell.sections import entry_of
from screens.terminal import clock
from screens.widgets.canvas import Canvas, Span, Spans, cut
from screens.widgets.event_list import LINE_KEYS, EventList
from screens.widgets.marks import PROBE_MARKS, Mark, state_word
from screens.widgets.message_block import MessageBlock
from screens.widgets.port_lights import latency
from screens.widgets.spark import spark
from screens.widgets.view_line import SearchBar, ViewLine

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


class HealthScreen(ListScreen[None], SectionScreen):
    """The cluster as it answers now."""

    SECTION = sections.HEALTH
    CSS_PATH = css("health")
    AUTO_FOCUS = "#grid"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "why", "why"),
        key("enter", "review", "to_review"),
        key("b", "next_bad", "next_bad"),
        key("c", "changes", "health_changes"),
        SEARCH_KEY,
        PROBLEMS_KEY,
        key("g,f5", "ask", "ask_now"),
        SORT_KEY,
        key("escape", "back", "back"),
        CLEAR_KEY,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._changes: tuple[HealthEvent, ...] = ()
        self._seen_at = 0.0
        """When the picture was made, Unix time."""
        self._keys: tuple[object, ...] = ()
        """What the keys hang on: whether there are changes, rows, and bad answers among those that are seen."""
        self._view = ListView()
        self._is_sorted = False
        """Whether the operator has chosen the order; else the worst come first where not all are in sight."""
        self._stray = ""
        """A row that is seen only because the cursor is on it."""
        self._wanted = False
        """Whether the operator has it asked though nothing seems to be installed."""

    def body(self) -> Iterable[Widget]:
        """What must come first, or verdict, figures, grid, answer and changes."""
        yield Words(self._none_text, id="none")
        with Vertical(id="health"):
            yield Canvas(id="verdict")
            yield Canvas(id="figures")
            yield ViewLine()
            with Container(id="sides"):
                yield HealthGrid(id="grid")
                with Vertical(id="below"):
                    yield Canvas(id="title")
                    yield MessageBlock(id="answer")
                    yield Canvas(id="changes-title")
                    yield ChangeList(id="changes")
            yield SearchBar()

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
        self._draw_verdict(snapshot)
        self._draw_figures(snapshot)
        self._draw_rows(self.grid.target)
        self._draw_answer()
        self._changes, self._seen_at = tuple(reversed(snapshot.changes)), snapshot.at
        title = self.query_one("#changes-title", Canvas)
        count = len(self._changes)
        words = T("health_screen.changes", count=count) if count else T("health_screen.no_changes")
        title.draw([(Span(1, str(words), "muted"),)])
        self.query_one(ChangeList).show(count, self._change_line)
        self._note_keys()

    def _draw_rows(self, keep: str) -> None:
        """Draw the rows that are wanted, and the one of ``keep``, which does not go from under the cursor by itself."""
        snapshot, data, grid = self.workbench.health.snapshot, self.workbench.draft.data, self.grid
        if snapshot is None:
            return
        table = health_table(snapshot)
        wanted = seen_rows(table, self._view, data)
        self._stray = keep if keep and keep not in {row.target for row in wanted.rows} else ""
        shown = seen_rows(table, self._view, data, keep)
        crowded = shown if self._is_sorted else worst_first(table, self._view, data, keep)
        nothing = T("rows.no_match") if self._view.query.strip() else T("rows.no_problems")
        grid.show(shown, crowded, ascii_only=self._ascii, nothing=nothing)
        self.draw_view_line(len(shown.rows), len(table.rows))

    def _note_keys(self) -> None:
        """Say other keys when what they hang on is another."""
        keys = (bool(self._changes), bool(self.grid.table.rows), any(row.bad for row in self.grid.table.rows))
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
        status, title = self.grid.selected, self.query_one("#title", Canvas)
        said = self.query_one("#answer", MessageBlock)
        if status is None:
            words = str(T("health_screen.no_question")) if self.grid.table.rows else ""
            title.draw([(Span(1, words, "muted"),)])
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
        """Say what came back there; a row that was seen only because of the cursor goes."""
        if self._stray and self.grid.target != self._stray:
            self._draw_rows("")
            self._note_keys()
        self._draw_answer()

    def on_resize(self, _: events.Resize) -> None:
        """Use the room, once it is known how much each part has."""
        self.call_after_refresh(self.refresh_view)

    # --- what is seen of it ----------------------------------------------------------------------------------

    @property
    def grid(self) -> HealthGrid:
        """The answers."""
        return self.query_one(HealthGrid)

    @property
    def view(self) -> ListView:
        """What is wanted to be seen."""
        return self._view

    @property
    def listed(self) -> HealthGrid:
        """The answers."""
        return self.grid

    @property
    def is_anything_listed(self) -> bool:
        """Whether anything was asked."""
        return self.workbench.health.snapshot is not None

    @property
    def usual_order(self) -> Order:
        """The order of which nothing need be said."""
        if not self._is_sorted:
            return self._view.order
        return Order.WORST if self.grid.is_crowded else Order.FILE

    def move_in_list(self, by: int) -> None:
        """Move the cursor by rows."""
        self.grid.action_move(by, 0)

    def narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its own is not."""
        self._draw_rows("")
        self.grid.stay()
        self._draw_answer()
        self._note_keys()

    def reorder(self) -> None:
        """Draw in the order that is wanted now; the cursor stays on its row."""
        self._draw_rows(self.grid.target)

    def action_sort(self) -> None:
        """Sort by the next thing, beginning with what is seen."""
        if not self._is_sorted and self.grid.is_crowded:
            self._view.order = Order.WORST
        self._is_sorted = True
        super().action_sort()

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what has a meaning now."""
        if not self.is_mounted:
            return True
        if self.searching:
            return False
        snapshot = self.workbench.health.snapshot
        match action:
            case "why":
                return snapshot is not None and isinstance(self.focused, HealthGrid) and bool(self.grid.table.rows)
            case "review":
                return snapshot is None and entry_of(sections.REVIEW) is not None
            case "next_bad":
                return snapshot is not None and any(row.bad for row in self.grid.table.rows)
            case "changes":
                return bool(self._changes) and not isinstance(self.focused, ChangeList)
            case "back":
                return isinstance(self.focused, ChangeList)
        return super().check_action(action, parameters)

    def action_why(self) -> None:
        """Show all about the answer under the cursor."""
        status = self.grid.selected
        if status is not None:
            self._show_probe(status.key.id)

    def _show_probe(self, probe_id: str) -> None:
        from screens.health.probe import ProbeDialog

        self.app.push_screen(ProbeDialog(probe_id))

    def on_event_list_chosen(self, message: EventList.Chosen) -> None:
        """Show all about what has changed."""
        self._show_probe(self._changes[message.index].key.id)

    def action_next_bad(self) -> None:
        """Go to the next answer that is not good, of those that are seen."""
        grid = self.grid
        bad = [
            (row.target, column, status.key)
            for row in grid.table.rows
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
        self.set_focus(self.grid)

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
