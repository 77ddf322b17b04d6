"""Review: what stands in the way, what the run would do, and its start."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.engine.events import FailurePolicy
from rbdtui.findings import Finding, Severity
from rbdtui.plan.preview import PreviewedStep
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.plan_rows import PlanRow, plan_rows
from rbdtui.workbench.preflight_view import LookState, Preflight
from screens import clock
from screens.base import SectionScreen, css, key
from screens.dialogs.changes import change_text
from screens.dialogs.save import SaveDialog
from screens.dialogs.start_run import RunScope, StartRunDialog
from screens.widgets.finding_list import FindingList
from screens.widgets.plan_list import PlanList
from screens.widgets.said import Said

FINDINGS, PLAN = "findings", "plan"
MOST_NAMES: Final = 4


class DetailPane(VerticalScroll, can_focus=True):
    """What a row of the plan would change, to be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [key("escape", "leave", "back")]

    def action_leave(self) -> None:
        """Back to the plan."""
        self.screen.query_one(PlanList).focus()


class ReviewScreen(SectionScreen):
    """Findings and plan of the site."""

    SECTION = sections.REVIEW
    CSS_PATH = css("review")
    AUTO_FOCUS = "#findings"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("c", "check", "check_servers"),
        key("v", "view", "plan"),
        key("v", "view", "findings"),
        key("x", "start", "start"),
        key("escape", "give_up", "give_up"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._view = FINDINGS
        self._rows: tuple[PlanRow, ...] = ()
        self._drawn: Preflight | None = None

    def body(self) -> Iterable[Widget]:
        """How it stands, then findings, or the plan with what the row under the cursor would change."""
        yield Said(id="state")
        yield FindingList(id="findings")
        yield PlanList(id="plan")
        with DetailPane(id="detail"):
            yield Static(id="detail-text")

    # --- drawing ---------------------------------------------------------------------------------------------

    def refresh_view(self) -> None:
        """Draw what is new."""
        seen = self.workbench.preflight
        if seen.plan is None and self._view == PLAN:
            self._view = FINDINGS
        self.query_one("#state", Said).lines = tuple(self._state_lines(seen))
        self._show_findings()
        if seen is not self._drawn or self.redraw:
            self._drawn = seen
            self._rows = plan_rows(seen.plan, seen.previewed) if seen.plan is not None else ()
            self.query_one(PlanList).show_rows(self._rows)
            self._draw_detail()
        for name in (FINDINGS, PLAN):
            self.query_one(f"#{name}").display = self._view == name
        self.query_one(DetailPane).display = self._view == PLAN
        if self.focused is None or not self.focused.display:
            self._focus_view()
        self.refresh_bindings()

    def _show_findings(self) -> None:
        found = self.query_one(FindingList)
        found.show(self.workbench.findings, redraw=self.redraw)

    def _focus_view(self) -> None:
        wanted = self.query_one(PlanList) if self._view == PLAN else self.query_one(FindingList)
        self.set_focus(wanted)

    def _state_lines(self, seen: Preflight) -> Iterable[tuple[Text, str]]:
        counts = Counter(finding.severity for finding in self.workbench.findings)
        yield self._checked(seen, counts)
        yield self._what_next(seen, counts)

    def _checked(self, seen: Preflight, counts: Counter[Severity]) -> tuple[Text, str]:
        match seen.state:
            case LookState.LOOKING:
                missing = [name for name in self._node_names() if name not in seen.facts]
                names = ", ".join(missing[:MOST_NAMES]) + (", …" if len(missing) > MOST_NAMES else "")
                answered = len(seen.facts)
                if not missing:
                    return T("review.state.comparing", nodes=seen.nodes), "accent"
                return T("review.state.looking", answered=answered, nodes=seen.nodes, missing=names), "accent"
            case LookState.FAILED:
                return T("review.state.failed", reason=seen.error or ""), "error"
            case LookState.DONE:
                words = {"errors": counts[Severity.ERROR], "warnings": counts[Severity.WARNING]}
                look = "bold error" if words["errors"] else "bold warning" if words["warnings"] else "bold success"
                return T("review.state.done", time=clock.moment(seen.at), **words), look
            case _:
                return T("review.state.none"), "bold"

    def _what_next(self, seen: Preflight, counts: Counter[Severity]) -> tuple[Text, str]:
        active = self.workbench.active_run
        if active is not None:
            return T("review.next.run", run=active.run_id.rpartition("-")[2]), ""
        if seen.state is LookState.LOOKING:
            return T("review.next.wait"), "muted"
        if counts[Severity.ERROR]:
            return T("review.next.errors", count=counts[Severity.ERROR]), ""
        if seen.state is not LookState.DONE:
            return T("review.next.check"), ""
        if seen.previewing:
            return T("review.next.previewing"), "muted"
        if seen.error is not None:
            return T("review.state.failed", reason=seen.error), "error"
        return T("review.next.start"), ""

    def _node_names(self) -> list[str]:
        spec = self.workbench.draft.spec
        return [node.name for node in spec.nodes] if spec is not None else []

    def on_plan_list_moved(self) -> None:
        """Say what the row would change."""
        self._draw_detail()
        self.query_one(DetailPane).scroll_home(animate=False)

    def _draw_detail(self) -> None:
        row = self.query_one(PlanList).row
        self.query_one("#detail-text", Static).update(self._detail_page(row) if row is not None else "")

    def _detail_page(self, row: PlanRow) -> Line:
        page = Line()
        page.append(f"{row.title}\n", style=self.style("accent", bold=True))
        if row.is_slow:
            page.append(f"{T(f'review.slow.{row.name}')}\n")  # words: review.slow.*
        if row.is_gate:
            page.append(f"{T('review.gate_explain')}\n")
        elif not row.previewed:
            asking = self.workbench.preflight.previewing
            page.append(f"{T('review.looking_at_changes') if asking else T('review.not_previewed')}\n", style="dim")
        for step in row.previewed if not row.is_gate else ():
            self._append_step(page, step)
        page.rstrip()
        return page

    def _append_step(self, page: Line, seen: PreviewedStep) -> None:
        page.append("\n")
        page.append(f"{seen.step.node or T('review.whole')}", style="bold")
        if seen.satisfied:
            page.append(f"  {T('review.same')}\n", style=self.style("success"))
        elif seen.unknown is not None:
            page.append(f"  {T('review.later')}\n", style="dim")
            page.append(f"{seen.unknown}\n", style="dim")
        else:
            page.append("\n")
        for change in seen.changes:
            page.append_text(change_text(self, str(change.title), change.detail))

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what has a meaning now."""
        looking = self.is_mounted and self.workbench.preflight.state is LookState.LOOKING
        match action:
            case "check":
                return not looking
            case "give_up":
                return looking
            case "view":
                return self.is_mounted and self.workbench.preflight.plan is not None
            case "start":
                return not looking
        return True

    def on_finding_list_chosen(self, event: FindingList.Chosen) -> None:
        """Lead to where it can be put right."""
        self.program.show_finding(event.finding)

    def on_event_list_chosen(self) -> None:
        """Read what the row would change."""
        self.set_focus(self.query_one(DetailPane))

    def action_view(self) -> None:
        """Show the plan, or the findings again."""
        self._view = PLAN if self._view == FINDINGS else FINDINGS
        self._focus_view_after()
        if self._view == PLAN and not self.workbench.preflight.previewed:
            self._preview()

    def _focus_view_after(self) -> None:
        self.refresh_view()
        self._focus_view()

    def copy_text(self) -> str:
        """All findings, or what the plan would change."""
        if self._view == PLAN:
            return "\n\n".join(self._detail_page(row).plain for row in self._rows)
        return "\n".join(_finding_words(finding) for finding in self.workbench.findings)

    def action_give_up(self) -> None:
        """Stop checking."""
        self.workbench.give_up_preflight()
        self.tell(T("review.given_up"))

    @work(group="dialog", exit_on_error=False)
    async def action_check(self) -> None:
        """Check every server, after what was changed has been written into cluster.yaml."""
        if await self._ready_to_check():
            self.workbench.start_preflight()

    async def _ready_to_check(self) -> bool:
        workbench = self.workbench
        if workbench.draft.spec is None or any(f.severity is Severity.ERROR for f in workbench.draft.findings):
            self.tell(T("review.rules_first"), bad=True)
            return False
        if workbench.draft.dirty:
            if not await self.app.push_screen_wait(SaveDialog(workbench.draft.preview_save())):
                return False
            workbench.save()
        return not workbench.needs_secrets or await self.program.ensure_unlocked(T("passphrase.why_logins"))

    @work(group="dialog", exit_on_error=False)
    async def _preview(self) -> None:
        """Ask the servers what each step would change."""
        if not self.workbench.has_vault or await self.program.ensure_unlocked(T("review.why_unlock_preview")):
            self.workbench.start_preview()

    @work(group="dialog", exit_on_error=False)
    async def action_start(self) -> None:
        """Start the run, when nothing stands in the way."""
        workbench = self.workbench
        errors = sum(finding.severity is Severity.ERROR for finding in workbench.findings)
        if workbench.active_run is not None:
            self.program.show_section(sections.RUN)
        elif errors:
            self.tell(T("review.next.errors", count=errors), bad=True)
        elif workbench.preflight.state is not LookState.DONE:
            if await self._ready_to_check():
                workbench.start_preflight()
                self.tell(T("review.checked_first"))
        else:
            await self._start()

    async def _start(self) -> None:
        workbench = self.workbench
        if not await self.program.ensure_unlocked(T("review.why_unlock")):
            return
        policy = await self.app.push_screen_wait(StartRunDialog(await self._scope()))
        if policy is None:
            return
        self.tell(T("review.starting"))
        if await self.done(workbench.start_run(FailurePolicy(policy))):
            self.program.show_section(sections.RUN)

    async def _scope(self) -> RunScope:
        workbench = self.workbench
        interrupted = await asyncio.to_thread(workbench.session.interrupted_run)
        plan = workbench.preflight.plan
        return RunScope(
            name=workbench.session.spec.name,
            nodes=tuple(node.name for node in workbench.session.spec.nodes),
            steps=len(plan.steps) if plan is not None else 0,
            warnings=sum(finding.severity is Severity.WARNING for finding in workbench.findings),
            interrupted=interrupted.run_id if interrupted is not None else "",
        )


def _finding_words(finding: Finding) -> str:
    place = finding.place.node or finding.place.field
    return f"{finding.severity.value}  {place}  {finding.message}  {finding.code}\n  {finding.remedy}"
