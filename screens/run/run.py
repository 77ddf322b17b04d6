"""The run: steps by nodes with the gateways beside them, the log of one step, what happened when, and the steering."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events, on, work
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from rbdtui.engine.state import RunState, StepState
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.health.gateway_view import GatewayView, gateways_of_run
from rbdtui.workbench.run.replay import Replay
from rbdtui.workbench.run.run_phase import RunPhase, phase_of
from rbdtui.workbench.run.run_view import RunFollower
from rbdtui.workbench.run.timeline import Timeline, Tone
from screens.run.log_pane import LogPane
from screens.run.run_past import RunPast
from screens.run.run_words import banner_of, slider_line, status_line, step_facts, step_title
from screens.run.step_matrix import StepMatrix
from screens.shell.base import Words, css, key
from screens.shell.sections import entry_of
from screens.terminal import clock
from screens.widgets.canvas import Canvas, Span, Spans, cut
from screens.widgets.event_list import EventList
from screens.widgets.field import TextLine
from screens.widgets.message_block import MessageBlock
from screens.widgets.port_lights import PortLights

LOG_S: Final = 0.25
SLOW_LOG_S: Final = 2.5
LOOK_S: Final = 5.0
"""How often it is looked whether another terminal has started a run."""
MANY_NODES: Final = 5
"""With more the picture has the whole width, and the gateways stand in a line below it."""
LOG, TIMELINE, GATEWAYS = "log", "timeline", "gateways"
CELL: Final = "cell"
"""What is looked for in the picture, as against in the log."""
_TONES: Final = {Tone.PLAIN: "", Tone.GOOD: "success", Tone.WARN: "warning", Tone.BAD: "bold error"}


class RunScreen(RunPast):
    """One run, live or looked back at."""

    SECTION = sections.RUN
    CSS_PATH = css("run")
    AUTO_FOCUS = "#matrix"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "read", "log"),
        key("enter", "review", "to_review"),
        *RunPast.IN_THE_PAST,
        *RunPast.STEERING,
        key("t", "pane('timeline')", "timeline"),
        key("slash", "search", "search"),
        key("g", "pane('gateways')", "gateways"),
        key("c", "changes", "changes"),
        key("e", "trouble", "trouble"),
        key("l", "all_logs", "all_logs"),
        *RunPast.TO_THE_PAST,
        key("o", "runs", "runs"),
        key("escape", "back", "back"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._timeline = Timeline()
        self._shown: RunFollower | None = None
        self._pane = LOG
        self._auto = True
        """Whether the cursor follows the work."""
        self._searching = ""
        """Where something is looked for: in the log or in the picture; empty while nothing is."""
        self._place = (0, 0)
        """Where the cursor was before something was looked for in the picture."""
        self._chosen = False
        """Whether the operator has chosen an earlier run."""
        self._looked_at = 0.0
        self._no_gateways = False
        """Whether the profile of the run that is shown has no gateway; nothing is said of its ports then."""

    def body(self) -> Iterable[Widget]:
        """What to do without a run; else status, picture, gateways, and the pane below."""
        yield Words(self._none_text, id="none")
        with Vertical(id="run"):
            yield Canvas(id="status")
            yield MessageBlock(id="banner")
            with Horizontal(id="top"):
                yield StepMatrix(id="matrix")
                yield PortLights(table=True, id="ports")
            yield PortLights(table=False, id="strip")
            yield Canvas(id="slider")
            yield Canvas(id="title")
            yield MessageBlock(id="facts")
            yield LogPane(id="log")
            yield EventList(id="timeline")
            yield PortLights(table=True, id="gateways")
            with Horizontal(id="search"):
                yield Words("/", id="slash")
                yield TextLine(id="wanted")

    def on_mount(self) -> None:
        """Begin to let clocks run and to look after the log."""
        self.set_interval(self.tick_s, self._tick)
        self.set_interval(SLOW_LOG_S if self.program.settings.slow_link else LOG_S, self._poll_log)

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def _ascii(self) -> bool:
        return self.program.settings.ascii_only

    @property
    def _matrix(self) -> StepMatrix:
        return self.query_one(StepMatrix)

    @property
    def _log(self) -> LogPane:
        return self.query_one(LogPane)

    @property
    def selected_step(self) -> StepState | None:
        """The step under the cursor."""
        return self._matrix.selected

    def _none_text(self) -> Text:
        entry = entry_of(sections.REVIEW)
        return T("run_screen.none", key=entry.key) if entry is not None else T("run_screen.none_here")

    def refresh_view(self) -> None:
        """Draw what is new."""
        run = self.run
        if run is not self._shown:
            self._take(run)
        self.query_one("#none").display = run is None
        self.query_one("#run").display = run is not None
        if run is not None:
            self._draw(run)

    def _take(self, run: RunFollower | None) -> None:
        """Another run is looked at."""
        self._shown, self.replay, self._timeline, self._auto = run, Replay(), Timeline(), True
        self._log.show(None)
        self.refresh_bindings()

    def _draw(self, run: RunFollower) -> None:
        state, phase, moment = self.state_of(run), self.shown_phase(run), self.moment
        matrix, gateways = self._matrix, gateways_of_run(state)
        self._no_gateways = gateways.unused or not (run.installs or gateways.lights)
        matrix.show(state, moment, ascii_only=self._ascii)
        self._follow_work()
        self.set_class(matrix.matrix is not None and len(matrix.matrix.nodes) > MANY_NODES, "-many")
        self._share_room()
        self._draw_status(run, state, phase, gateways)
        banner: tuple[Text | None, str] = (None, "")
        if matrix.matrix is not None and not self.replay.looks_back:
            banner = banner_of(run, state, phase, matrix.matrix)
        self.query_one("#banner", MessageBlock).lines = ((banner[0], banner[1]),) if banner[0] is not None else ()
        for lights in self.query(PortLights):
            lights.show(gateways, ascii_only=self._ascii)
        self._draw_pane(run)

    def _draw_status(self, run: RunFollower, state: RunState, phase: RunPhase, gateways: GatewayView) -> None:
        status, slider = self.query_one("#status", Canvas), self.query_one("#slider", Canvas)
        width = status.content_size.width
        status.draw([status_line(state, phase, self.moment, gateways, width=width, ascii_only=self._ascii)])
        slider.display = self.replay.looks_back
        slider.draw([slider_line(self.replay, run.records, self.end_of(run), width=width, ascii_only=self._ascii)])

    def _follow_work(self) -> None:
        """Put the cursor on what matters most, and leave it there while that is so."""
        matrix = self._matrix
        urgent = matrix.matrix.in_work() if self._auto and matrix.matrix is not None else []
        here = matrix.selected
        if not urgent and self._auto and matrix.matrix is not None:
            urgent = matrix.matrix.last_done()
        if urgent and not (here is not None and here in urgent and here.status is urgent[0].status):
            matrix.select(urgent[0].info.id)

    def _draw_pane(self, run: RunFollower) -> None:
        for name in (LOG, TIMELINE, GATEWAYS):
            self.query_one(f"#{name}").display = self._pane == name
        self.query_one("#search").display = bool(self._searching)
        if self._pane == TIMELINE:
            self._timeline.take(run.records)
            self.query_one(EventList).show(len(self._timeline.happenings), self._happening)
        if self._pane == LOG:
            step = self._matrix.selected
            until = clock.stamp(self.replay.at(self.end_of(run))) if self.replay.looks_back else ""
            empty = T("run_screen.log.empty_but_changes") if step is not None and step.changes else None
            self._log.show(run.log(step.info.id) if step is not None else None, until, empty=empty)
        known = self._matrix.matrix
        facts = step_facts(self._matrix.selected, known) if self._pane == LOG and known is not None else ()
        said, banner = self.query_one("#facts", MessageBlock), self.query_one("#banner", MessageBlock)
        said.lines = tuple(facts)
        # Not by what is said of the step: with another one under the cursor the picture keeps its height.
        self.set_class(bool(banner.lines), "-crowded")
        self._draw_title()

    def _draw_title(self) -> None:
        title = self.query_one("#title", Canvas)
        matrix, width = self._matrix, title.content_size.width
        if self._pane != LOG:
            word = str(T(f"run_screen.pane.{self._pane}"))  # words: run_screen.pane.*
            title.draw([(Span(1, word, "bold accent"),)])
            return
        row = matrix.selected_row
        row_title = row.title if row is not None else None
        spans = step_title(matrix.selected, row_title, matrix.selected_node, self.moment, ascii_only=self._ascii)
        right = self._log_words()
        used = spans[-1].x + spans[-1].width if spans else 0
        if used + cell_len(right) + 3 <= width:
            spans = (*spans, Span(width - cell_len(right) - 1, right, "muted"))
        title.draw([spans])

    def _log_words(self) -> str:
        """Which part of the log is in sight, at the right end of its title."""
        log = self._log
        words = [f"/{log.wanted}"] if log.wanted else []
        words += [str(T("run_screen.log.wraps"))] if log.wraps else []
        words += [str(T("run_screen.log.whole_lines"))] if log.whole_lines else []
        if not log.follows:
            words.append(f"{log.share:.0%}")
        elif not self.replay.looks_back:
            words.append(str(T("run_screen.log.follows")))
        return "  ".join(words)

    def _happening(self, index: int, width: int) -> Spans:
        """One line of the timeline."""
        said = self._timeline.happenings[index]
        names = min(36, max(14, width // 2 - 8))
        node = said.node.ljust(min(self._timeline.longest_node, names // 2))
        who = f"{node}  {said.title}" if said.title is not None and said.node else str(said.title or said.node)
        mark = "~" if self._ascii else "…"
        room = max(1, width - 13 - names)
        return (
            Span(1, clock.moment(said.at), "muted", 10),
            Span(11, cut(who, names, mark), "", names + 1),
            Span(12 + names, cut(str(said.text), room, mark), _TONES[said.tone], room),
        )

    # --- time ------------------------------------------------------------------------------------------------

    @property
    def _seen(self) -> bool:
        return self.is_mounted and self in self.app.screen_stack

    def _tick(self) -> None:
        """Let clocks run; nothing is written to the terminal where none does."""
        if not self._seen:
            return
        run = self.run
        if run is not None and not self.replay.looks_back and phase_of(run).live:
            self._draw(run)
        at = clock.now()
        if at - self._looked_at >= LOOK_S and not self._chosen and (run is None or not run.alive):
            self._looked_at = at
            self.workbench.look_for_run()

    def _poll_log(self) -> None:
        if self._seen and self._pane == LOG:
            self._log.poll()

    def on_resize(self, _: events.Resize) -> None:
        """Use the room, once it is known how much each part has."""
        self.call_after_refresh(self.refresh_view)

    def on_descendant_focus(self, _: events.DescendantFocus) -> None:
        """Share the room anew."""
        self._share_room()

    def _share_room(self) -> None:
        """On a low screen the pane that is read takes the room of the picture; the ports need a table or a line."""
        # By a class, every widget below it would be styled anew at every change of the focus.
        away = isinstance(self.focused, LogPane | EventList) or self._searching == LOG
        reading = self.has_class("-low") and away
        beside = self.has_class("-wide") and not self.has_class("-many")
        self.query_one("#top").display = not reading
        self.query_one("#strip").display = not reading and not beside and not self._no_gateways
        self.query_one("#ports").display = beside and not self._no_gateways

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what has a meaning now."""
        for may in (self.may_steer, self.may_go):
            if (answer := may(action)) is not None:
                return answer
        run = self.run
        match action:
            case "review":
                return run is None and entry_of(sections.REVIEW) is not None
            case "read":
                return run is not None and isinstance(self.focused, StepMatrix) and self.selected_step is not None
            case "changes":
                step = self.selected_step if run is not None else None
                return step is not None and bool(step.changes)
            case "trouble":
                known = self._matrix.matrix if run is not None else None
                return known is not None and bool(known.in_trouble())
            case "back":
                return run is not None and self._can_go_back
            case "pane" | "search" | "runs" | "all_logs":
                return run is not None
        return True

    def action_review(self) -> None:
        """Go where a run is started."""
        self.program.show_section(sections.REVIEW)

    def action_read(self) -> None:
        """Read the log of the step under the cursor."""
        self._show_pane(LOG)
        self.set_focus(self._log)

    def action_pane(self, name: str) -> None:
        """Show something else below the picture, or the log again."""
        wanted = LOG if self._pane == name else name
        self._show_pane(wanted)
        self.set_focus(self.query_one(EventList) if wanted == TIMELINE else self._matrix)

    def _show_pane(self, name: str) -> None:
        self._pane, self._searching = name, ""
        self.refresh_view()

    @property
    def _can_go_back(self) -> bool:
        reading = bool(self._searching) or not isinstance(self.focused, StepMatrix) or self._pane != LOG
        return reading or self.replay.looks_back or not self._auto

    def action_back(self) -> None:
        """Back by one: from the field to where it was opened, from a pane to the picture, to now, to the work."""
        if self._searching:
            self._end_search()
        elif not isinstance(self.focused, StepMatrix) or self._pane != LOG:
            self._pane = LOG
            self.set_focus(self._matrix)
        elif self.replay.looks_back:
            self.replay.now()
        else:
            self._auto = True
        self.after_move()

    def after_move(self) -> None:
        """Draw what is shown now, and the keys that have a meaning there."""
        self.refresh_view()
        self.refresh_bindings()

    def on_step_matrix_moved(self) -> None:
        """From now on the operator decides what is seen."""
        self._auto = False
        self.after_move()

    def action_trouble(self) -> None:
        """Go to the next step that needs somebody."""
        known, here = self._matrix.matrix, self.selected_step
        steps = known.in_trouble() if known is not None else []
        if steps:
            index = steps.index(here) + 1 if here in steps else 0
            self._auto = False
            self._matrix.select(steps[index % len(steps)].info.id)
            self.after_move()

    # --- looking for something -------------------------------------------------------------------------------

    def action_search(self) -> None:
        """Ask for a node or a step to go to, or, while a log is read, for a text to look for in it."""
        self._searching = CELL if isinstance(self.focused, StepMatrix) and self._pane == LOG else LOG
        self._pane, self._place = LOG, self._matrix.place
        self.refresh_view()
        field = self.query_one("#wanted", TextLine)
        field.value = ""
        field.placeholder = str(T(f"run_screen.look_for.{self._searching}"))  # words: run_screen.look_for.*
        self.set_focus(field)

    @on(Input.Changed, "#wanted")
    def _go_to(self, event: Input.Changed) -> None:
        """Put the cursor at once where what is typed so far leads."""
        event.stop()
        if self._searching == CELL:
            self._auto = False
            if not event.value.strip() or not self._matrix.find(event.value):
                self._matrix.place = self._place
            self.refresh_view()

    @on(Input.Submitted, "#wanted")
    def _search(self, event: Input.Submitted) -> None:
        event.stop()
        where, self._searching = self._searching, ""
        if where == CELL:
            self.set_focus(self._matrix)
            if event.value.strip() and not self._matrix.find(event.value):
                self.tell(T("run_screen.no_cell", wanted=event.value))
        else:
            self.set_focus(self._log)
            self._log.search(event.value)
        self.after_move()

    def _end_search(self) -> None:
        """Look for nothing any more; the cursor is where it was."""
        where, self._searching = self._searching, ""
        if where == CELL:
            self._matrix.place = self._place
        self.set_focus(self._matrix if where == CELL else self._log)

    # --- the log ---------------------------------------------------------------------------------------------

    def on_log_pane_moved(self) -> None:
        """Say which part is in sight."""
        self._draw_title()

    def on_log_pane_not_found(self, message: LogPane.NotFound) -> None:
        """Say so."""
        self.tell(message.text)

    def copy_text(self) -> str:
        """The log as far as it is in sight while it is read, else the screen."""
        return "\n".join(self._log.text_rows) if isinstance(self.focused, LogPane) else super().copy_text()

    def on_event_list_chosen(self, message: EventList.Chosen) -> None:
        """Show the run as it was then."""
        if self.run is not None:
            self.replay.go(self.run.records, self._timeline.happenings[message.index].count)
        self._pane = LOG
        self.set_focus(self._matrix)
        self.after_move()

    # --- dialogs ---------------------------------------------------------------------------------------------

    def action_changes(self) -> None:
        """Show what the step changes."""
        from screens.dialogs.changes import ChangesDialog

        step = self.selected_step
        if step is not None and step.changes:
            self.app.push_screen(ChangesDialog(step))

    @work(group="dialog", exit_on_error=False)
    async def action_all_logs(self) -> None:
        """Go to what failed, or to a text in any log."""
        from screens.run.run_logs import RunLogsDialog

        run, known = self.run, self._matrix.matrix
        if run is None or known is None:
            return
        place = await self.program.ask(RunLogsDialog(run, known.in_trouble()))
        if place is None:
            return
        self._auto = False
        self._matrix.select(place.step)
        self._show_pane(LOG)
        if place.wanted:
            self.set_focus(self._log)
            self._log.search(place.wanted)
        self.after_move()

    @work(exit_on_error=False)
    async def action_runs(self) -> None:
        """Choose an earlier run."""
        from screens.run.runs import RunsDialog

        run_id = await self.program.ask(RunsDialog(self.run.run_id if self.run is not None else ""))
        if run_id:
            self._chosen = run_id != next(iter(reversed(self.workbench.site.run_ids())), "")
            self.workbench.open_run(run_id)
