"""Review: what stands in the way, what the run would do, and its start."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, Final

from textual import events, on, work
from textual.binding import BindingType
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widget import Widget
from textual.widgets import Input, Static

from rbdtui.engine.events import FailurePolicy
from rbdtui.engine.inputs import Purpose
from rbdtui.engine.journal import JournalError
from rbdtui.errors import SentenceError
from rbdtui.findings import Finding, Severity
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.draft.acknowledging import acknowledge, withdraw
from rbdtui.workbench.review import auditing, repairing
from rbdtui.workbench.review.plan_rows import PlanRow, plan_rows
from rbdtui.workbench.review.preflight_view import Preflight
from rbdtui.workbench.survey import SurveyStatus
from screens.dialogs.wait import looked
from screens.review.acknowledge import AcknowledgeDialog
from screens.review.audit import AuditDialog
from screens.review.carrying import carry_repair, convert
from screens.review.finding_list import FindingList
from screens.review.node_chips import NodeChips, chips_of
from screens.review.plan_list import PlanList
from screens.review.review_pages import Part, drawn, finding_page, plain, step_page
from screens.review.review_words import check_lines, counts_of, next_of_review, outdated_findings, plan_lines
from screens.review.save import SaveDialog
from screens.review.single_points import SinglePointsDialog
from screens.review.start_run import RunScope, StartRunDialog
from screens.shell.base import SectionScreen, Words, css, key
from screens.widgets.event_list import EventList
from screens.widgets.field import TextLine
from screens.widgets.message_block import MessageBlock

FINDINGS, PLAN = "findings", "plan"
CHIP_LINES: Final = 2
CHIP_LINES_TALL: Final = 5
TALL_ROWS: Final = 30
_GRAVER: Final = {
    Severity.INFO: Severity.WARNING, Severity.WARNING: Severity.ERROR, Severity.ERROR: Severity.INFO,
}  # fmt: skip
"""What is shown next: notes, too; warnings and errors; errors alone."""


class DetailPane(VerticalScroll, can_focus=True):
    """All about the row under the cursor, to be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [key("escape", "screen.read", "back")]


class ReviewScreen(SectionScreen):
    """Findings and plan of the site."""

    SECTION = sections.REVIEW
    CSS_PATH = css("review")
    AUTO_FOCUS = "#findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("c", "check", "check_servers"),
        key("c", "audit", "audit"),
        key("v", "show('plan')", "plan"),
        key("v", "show('findings')", "findings"),
        key("x", "start", "start"),
        key("x", "to_run", "to_run"),
        key("k", "acknowledge", "acknowledge"),
        key("k", "withdraw", "withdraw"),
        key("p", "repair", "repair"),
        key("P", "repair_all", "repair_all"),
        key("z", "undo_repair", "undo_repair"),
        key("o", "single_points", "single_points"),
        key("slash", "search", "search"),
        key("exclamation_mark", "severity", "severity"),
        key("tab", "read", "read_below", show=False),
        key("escape", "give_up", "give_up"),
        key("escape", "all", "all_steps"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._view = FINDINGS
        self._rows: tuple[PlanRow, ...] = ()
        self._wanted = ""
        """What is looked for in the plan; empty to see all of it."""
        self._reading = False
        """Whether what is under the cursor has the whole screen."""
        self._least = Severity.INFO
        """Of the findings that are shown."""
        self._drawn: tuple[object, ...] = ()
        self._repairs: Mapping[str, tuple[Finding, ...]] = {}
        """What is offered for what was found, by the ids of steps."""

    def body(self) -> Iterable[Widget]:
        """How it stands; findings, or the plan; and what is under the cursor."""
        yield MessageBlock(id="state")
        yield NodeChips(id="chips")
        with Container(id="sides"):
            yield Words(self._nothing_words, id="nothing")
            yield FindingList(id="findings")
            yield PlanList(id="plan")
            with DetailPane(id="detail"):
                yield Static(id="detail-text")
        with Horizontal(id="search"):
            yield Words("/", id="slash")
            yield TextLine(id="wanted")

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def next_hint(self) -> Text:
        """What to press next."""
        return next_of_review(self.workbench, of_plan=self._view == PLAN)

    def on_resize(self, _: events.Resize) -> None:
        """Break what is under the cursor anew, once it is known how much room it has."""
        self.call_after_refresh(self._draw_detail)

    def refresh_view(self) -> None:
        """Draw what is new."""
        workbench, seen = self.workbench, self.workbench.preflight
        if not seen.holds and self._view == PLAN:
            self._view, self._wanted, self._reading = FINDINGS, "", False
        found, old = workbench.findings, outdated_findings(workbench)
        found, old = self._grave_enough(found), self._grave_enough(old)
        drawn_from = (seen, found, old, workbench.draft.dirty, self._view, self._wanted, self._reading)
        if drawn_from != self._drawn or self.redraw:
            self._drawn = drawn_from
            self._repairs = repairing.offered(workbench)
            self._rows = plan_rows(seen.plan, seen.previewed) if seen.plan is not None else ()
            self.query_one(FindingList).show_findings(found, old)
            self.query_one(PlanList).show_rows(self._rows_in_sight())
            self._arrange(bool(found or old))
            self._draw_detail()
        self._draw_state(seen)
        self.refresh_bindings()

    def _grave_enough(self, findings: Sequence[Finding]) -> list[Finding]:
        """Those that are to be shown."""
        return [finding for finding in findings if finding.severity.rank <= self._least.rank]

    def _draw_state(self, seen: Preflight) -> None:
        lines = check_lines(self.workbench) if self._view == FINDINGS else plan_lines(self._rows, seen)
        if self._view == FINDINGS and self._least is not Severity.INFO:
            lines = (*lines, (T(f"review.only.{self._least.value}"), "accent"))  # words: review.only.*
        self.query_one("#state", MessageBlock).lines = lines
        chips = chips_of(self._node_names(), seen)
        self.query_one(NodeChips).show(chips, CHIP_LINES_TALL if self.size.height >= TALL_ROWS else CHIP_LINES)

    def _arrange(self, any_findings: bool) -> None:
        """Show what belongs to the view, and have the cursor somewhere that is seen."""
        findings = self._view == FINDINGS
        alone = self._reading = self._reading and (any_findings or not findings)
        self.set_class(alone, "-reading")
        self.query_one(FindingList).display = findings and any_findings and not alone
        self.query_one("#nothing").display = findings and not any_findings
        self.query_one(NodeChips).display = findings and not alone
        self.query_one(PlanList).display = not findings and not alone
        self.query_one(DetailPane).display = any_findings or not findings
        self.query_one("#search").display = not findings and (self._searching or bool(self._wanted))
        if self.focused is None or not all(part.display for part in self.focused.ancestors_with_self):
            self._focus_list()

    @property
    def _searching(self) -> bool:
        return self.focused is not None and self.focused.id == "wanted"

    def _focus_list(self) -> None:
        wanted = self.query_one(PlanList) if self._view == PLAN else self.query_one(FindingList)
        self.set_focus(wanted if wanted.display else None)

    def _rows_in_sight(self) -> Sequence[PlanRow]:
        return [row for row in self._rows if row.has(self._wanted)] if self._wanted else self._rows

    def _nothing_words(self) -> Text | str:
        seen = self.workbench.preflight
        if self._least is not Severity.INFO and self.workbench.findings:
            return T("review.none_so_grave")
        if seen.state is SurveyStatus.GIVEN_UP:
            return T("review.nothing_until_then")
        return T("review.nothing_found") if seen.holds else ""

    def _node_names(self) -> list[str]:
        spec = self.workbench.draft.spec
        return [node.name for node in spec.nodes] if spec is not None else []

    @on(FindingList.Moved)
    @on(PlanList.Moved)
    def _show_row(self) -> None:
        """Say all about the row that the cursor has come to."""
        self._draw_detail()
        self.query_one(DetailPane).scroll_home(animate=False)

    def _draw_detail(self) -> None:
        text = self.query_one("#detail-text", Static)
        text.update(drawn(self._page(), text.content_size.width))

    def _page(self) -> list[Part]:
        if self._view == PLAN:
            row = self.query_one(PlanList).row
            return self._step_page(row) if row is not None else []
        group = self.query_one(FindingList).group
        return finding_page(self, group.first, group.nodes) if group is not None else []

    def _step_page(self, row: PlanRow) -> list[Part]:
        return step_page(self, row, asking=self.workbench.preflight.previewing)

    def copy_text(self) -> str:
        """All findings, or what the plan would change."""
        if self._view == PLAN:
            return "\n\n".join(plain(self._step_page(row)) for row in self._rows_in_sight())
        return "\n\n".join(plain(finding_page(self, finding)) for finding in self.workbench.findings)

    # --- moving about ----------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what has a meaning now."""
        if not self.is_mounted or self.program.workbench is None:
            return False
        seen = self.workbench.preflight
        looking = seen.state is SurveyStatus.LOOKING
        meanings = {
            "check": not looking and self.workbench.active_run is None and not auditing.is_audited(self.workbench),
            "audit": auditing.is_audited(self.workbench),
            "show": seen.holds and parameters != (self._view,),
            "start": not looking and self.workbench.active_run is None and not auditing.is_audited(self.workbench),
            "to_run": self.workbench.active_run is not None,
            "search": self._view == PLAN and not self._reading,
            "severity": self._view == FINDINGS and bool(self.workbench.findings),
            "acknowledge": self._acceptable(lambda finding: finding.severity is Severity.WARNING),
            "withdraw": self._acceptable(lambda finding: bool(finding.acknowledged)),
            "repair": self._may_repair() and bool(self._repairs_here()),
            "repair_all": self._may_repair() and bool(self._repairs),
            "undo_repair": self._may_repair() and repairing.was_repaired(self.workbench),
            "single_points": self._view == FINDINGS
            and self.workbench.draft.spec is not None
            and not auditing.is_audited(self.workbench),
            "give_up": looking,
            "all": self._view == PLAN and (bool(self._wanted) or self._searching),
        }
        return meanings.get(action, True)

    def _acceptable(self, is_meant: Callable[[Finding], bool]) -> bool:
        """Whether what is under the cursor may be accepted, or no longer."""
        group = self.query_one(FindingList).group if self._view == FINDINGS else None
        return group is not None and not group.faded and is_meant(group.first)

    @work(group="dialog", exit_on_error=False)
    async def action_acknowledge(self) -> None:
        """Accept the warning under the cursor, on all nodes where it is the same."""
        group = self.query_one(FindingList).group
        if group is not None and (reason := await self.program.ask(AcknowledgeDialog(group.findings))):
            self.workbench.change(lambda data: acknowledge(data, group.findings, reason))

    def action_withdraw(self) -> None:
        """Accept it no longer."""
        group = self.query_one(FindingList).group
        if group is not None:
            self.workbench.change(lambda data: withdraw(data, group.findings))

    def _may_repair(self) -> bool:
        workbench = self.workbench
        looking = workbench.preflight.state is SurveyStatus.LOOKING
        return self._view == FINDINGS and not looking and workbench.active_run is None

    def _repairs_here(self) -> list[str]:
        """The repairs of what is under the cursor."""
        group = self.query_one(FindingList).group
        return repairing.steps_for(self._repairs, group.findings) if group is not None and not group.faded else []

    def action_repair(self) -> None:
        """Repair what is under the cursor, on all nodes where it is."""
        self._carry(repairing.purpose_of(self._repairs_here()))

    def action_repair_all(self) -> None:
        """Repair whatever can be."""
        self._carry(repairing.purpose_of(self._repairs))

    def action_undo_repair(self) -> None:
        """Take back what the last run has repaired."""
        try:
            self._carry(repairing.undo_purpose(self.workbench.session))
        except SentenceError as error:
            self.tell(error.text, bad=True)

    @work(group="dialog", exit_on_error=False)
    async def _carry(self, purpose: Purpose) -> None:
        """Show what would be changed, and begin once it is agreed to."""
        await carry_repair(self, purpose)

    @work(group="dialog", exit_on_error=False)
    async def action_single_points(self) -> None:
        """What is highly available here, and what is not."""
        if (spec := self.workbench.draft.spec) is not None:
            await self.program.ask(SinglePointsDialog(spec))

    def on_event_list_chosen(self, event: EventList.Chosen) -> None:
        """Lead to where a finding can be put right; of a step, read what it would change."""
        finding = self.query_one(FindingList).finding
        if isinstance(event.events, PlanList):
            self.action_read()
        elif finding is not None:
            self._lead_to(finding)

    def _lead_to(self, finding: Finding) -> None:
        if sections.section_of(finding) == sections.REVIEW:
            self.tell(T("review.nowhere"))
        else:
            self.program.show_finding(finding)

    def action_read(self) -> None:
        """Have what is under the cursor on the whole screen, or go back to the list."""
        self._reading = not self._reading
        self.refresh_view()
        if self._reading:
            self.set_focus(self.query_one(DetailPane))
        else:
            self._focus_list()

    def action_severity(self) -> None:
        """Show only what is graver, then everything again."""
        self._least = _GRAVER[self._least]
        self.refresh_view()
        self._focus_list()

    def action_show(self, view: str) -> None:
        """Show the plan, or the findings."""
        self._view, self._wanted, self._reading = view, "", False
        self.refresh_view()
        self._focus_list()
        if view == PLAN and not self.workbench.preflight.previewed:
            self._preview()

    def action_search(self) -> None:
        """Ask what to look for in the plan."""
        self.query_one("#search").display = True
        field = self.query_one("#wanted", TextLine)
        field.value = self._wanted
        self.set_focus(field)

    @on(Input.Changed, "#wanted")
    def _narrow(self, event: Input.Changed) -> None:
        """Show only steps in which the text occurs."""
        event.stop()
        if self._view == PLAN:
            self._wanted = event.value.strip()
            self.refresh_view()

    @on(Input.Submitted, "#wanted")
    def _narrowed(self, event: Input.Submitted) -> None:
        """Back to the list, with what was found."""
        event.stop()
        if not self._rows_in_sight():
            self.tell(T("review.not_in_plan", wanted=self._wanted))
            self._wanted = ""
        self._drawn = ()
        self._focus_list()
        self.refresh_view()

    def action_all(self) -> None:
        """See all of the plan again."""
        self._wanted, self._drawn = "", ()
        self._focus_list()
        self.refresh_view()

    # --- check, preview, start -------------------------------------------------------------------------------

    def action_give_up(self) -> None:
        """Stop checking."""
        self.workbench.give_up_preflight()

    @work(group="dialog", exit_on_error=False)
    async def action_check(self) -> None:
        """Check every server, after what was changed has been written into cluster.yaml."""
        if await self._ready_to_check():
            self.workbench.start_preflight()

    @work(group="dialog", exit_on_error=False)
    async def action_audit(self) -> None:
        """Compare a site that stands with its page, row by row."""
        if not await self._ready_to_check():
            return
        found = await looked(self, auditing.look(self.workbench), T("audit.looking"))
        if found is not None and await self.program.ask(AuditDialog(found)):
            await convert(self, found)

    async def _ready_to_check(self) -> bool:
        workbench = self.workbench
        workbench.settle_file()
        if workbench.draft.spec is None or counts_of(workbench.draft.findings)[Severity.ERROR]:
            self.tell(T("review.rules_first"), bad=True)
            return False
        if not await self._saved():
            return False
        return not workbench.needs_secrets or await self.program.ensure_unlocked(T("passphrase.why_logins"))

    async def _saved(self) -> bool:
        """Whether cluster.yaml says what the draft says, after having shown what would be written."""
        workbench = self.workbench
        if workbench.draft.dirty:
            if not await self.program.ask(SaveDialog(workbench.draft.preview_save())):
                return False
            workbench.save()
        return True

    @work(group="dialog", exit_on_error=False)
    async def _preview(self) -> None:
        """Ask the servers what each step would change."""
        if not self.workbench.has_vault or await self.program.ensure_unlocked(T("review.why_unlock_preview")):
            self.workbench.start_preview()

    def action_to_run(self) -> None:
        """Show the run that is under way."""
        self.program.show_section(sections.RUN)

    @work(group="dialog", exit_on_error=False)
    async def action_start(self) -> None:
        """Start the run, when nothing stands in the way."""
        workbench = self.workbench
        workbench.look_for_run()
        workbench.settle_file()
        errors = counts_of(workbench.findings)[Severity.ERROR]
        if workbench.active_run is not None:
            self.program.show_section(sections.RUN)
        elif errors:
            self.tell(T("review.errors", count=errors), bad=True)
        elif not workbench.preflight.holds:
            if await self._ready_to_check():
                workbench.start_preflight()
                self.tell(T("review.checked_first"))
        elif await self._saved():
            await self._start()

    async def _start(self) -> None:
        workbench = self.workbench
        if not await self.program.ensure_unlocked(T("review.why_unlock")):
            return
        try:
            scope = await self._scope()
        except JournalError as error:
            self.tell(error.text, bad=True)
            return
        workbench.prepare_run()
        policy = await self.program.ask(StartRunDialog(scope))
        if policy is None:
            workbench.dismiss_run()
            return
        self.tell(T("review.starting"))
        if await self.done(workbench.start_run(FailurePolicy(policy))):
            self.program.show_section(sections.RUN)

    async def _scope(self) -> RunScope:
        workbench = self.workbench
        interrupted = await asyncio.to_thread(workbench.session.interrupted_run)
        work_rows = [row for row in self._rows if not row.is_gate]
        changing = tuple(row.title for row in work_rows if row.to_change or not row.previewed)
        perhaps = tuple(row.title for row in work_rows if row.not_known_yet)
        return RunScope(
            name=workbench.session.spec.name,
            nodes=tuple(node.name for node in workbench.session.spec.nodes),
            steps=sum(len(row.steps) for row in self._rows),
            work=changing or perhaps,
            asked=bool(workbench.preflight.previewed) and bool(changing or not perhaps),
            warnings=counts_of(workbench.findings)[Severity.WARNING],
            interrupted=interrupted.run_id if interrupted is not None else "",
        )
