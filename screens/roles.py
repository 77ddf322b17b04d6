"""Roles: who does what, and for the node under the cursor what is left when it dies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.findings import Finding
from rbdtui.spec.model import Role
from rbdtui.spec.survival import Fate, Outcome, what_if_dies
from rbdtui.words import T
from rbdtui.workbench import sections
from rbdtui.workbench.operations import field_of, nodes_in, uses_builds
from rbdtui.workbench.roles import apply_preset, roles_of, sketch, toggle_role
from rbdtui.workbench.sections import findings_in
from screens.base import SectionScreen, Words, css, key
from screens.widgets.cell_table import CellTable
from screens.widgets.field import severity_look, worst_of
from screens.widgets.hanging import hanging
from screens.widgets.role_table import RoleRow, RoleTable, counts_words

MOST_FINDINGS: Final = 2


class RolesScreen(SectionScreen):
    """The matrix of nodes and roles."""

    SECTION = sections.ROLES
    CSS_PATH = css("roles")
    AUTO_FOCUS = "#table"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("space,enter", "give", "toggle"),
        key("p", "preset", "preset"),
        key("u,ctrl+z", "undo", "undo"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[RoleRow] = []

    def body(self) -> Iterable[Widget]:
        """Table, counts, what is wrong, and what if it dies."""
        yield Words(T("roles.empty"), id="empty")
        with Vertical(id="matrix"):
            yield RoleTable(id="table")
            yield Static(id="counts")
        yield Static(id="detail")

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def _table(self) -> RoleTable:
        return self.query_one(RoleTable)

    @property
    def _detail(self) -> Static:
        return self.query_one("#detail", Static)

    @property
    def _roles(self) -> tuple[Role, ...]:
        """The roles of this profile; one that it has no use for stays while a node has it."""
        data = self.workbench.draft.data
        held = {role for _, node in nodes_in(data) for role in roles_of(node)}
        return tuple(r for r in Role if r is not Role.BUILD or uses_builds(data) or Role.BUILD.value in held)

    def refresh_view(self) -> None:
        """Draw the draft."""
        draft = self.workbench.draft
        rows = []
        for index, node in nodes_in(draft.data):
            worst = worst_of(draft.findings_at(f"nodes[{index}].roles"))
            severity = worst.severity if worst is not None else None
            rows.append(RoleRow(index, field_of(node, "name"), tuple(roles_of(node)), severity))
        had, self._rows = bool(self._rows), rows
        self.query_one("#empty").display = not rows
        self.query_one("#matrix").display = self.query_one("#detail").display = bool(rows)
        self._table.styles.height = len(rows) + 1
        self._table.show_rows(rows, self._roles)
        self._draw_counts()
        self._draw_detail()
        if had != bool(rows):
            self.refresh_bindings()

    def _draw_counts(self) -> None:
        line = Line(f"    {counts_words(self._rows, self._roles, self.glyphs.separator)}", style="dim")
        self._update("#counts", line)

    def _update(self, selector: str, page: Line) -> None:
        shown = self.query_one(selector, Static)
        if shown.content != page:
            shown.update(page)

    def _draw_detail(self) -> None:
        page = Line()
        for finding in findings_in(self.workbench.draft.findings, sections.ROLES)[:MOST_FINDINGS]:
            self._append_finding(page, finding)
        row = self._row
        known = sketch(self.workbench.draft.data) if row is not None else None
        if row is not None and known is not None and row.index in known.names:
            survival = what_if_dies(known.spec, known.names[row.index])
            page.append("\n" if page.plain else "")
            page.append(f"{T('roles.if_dies', node=row.name or known.names[row.index])}\n", style="bold")
            for outcome in survival.outcomes:
                self._append_outcome(page, outcome)
            page.append(hanging(self._detail, self.glyphs.dash, str(T("roles.not_planned"))), style="dim")
        elif row is not None:
            page.append(str(T("roles.no_role", node=row.name or str(row.index + 1))), style="dim")
        self._update("#detail", page)

    def _append_finding(self, page: Line, finding: Finding) -> None:
        colour, sign = severity_look(self._detail, finding.severity)
        page.append(f"{hanging(self._detail, sign, str(finding.message))}\n", style=colour)
        page.append(f"{hanging(self._detail, '', str(finding.remedy))}\n", style="dim")

    def _append_outcome(self, page: Line, outcome: Outcome) -> None:
        glyphs = self.glyphs
        sign, name = {
            Fate.HOLDS: (glyphs.ok, "success"),
            Fate.LOST: (glyphs.bad, "error"),
            Fate.UNTOUCHED: (glyphs.off, "muted"),
            Fate.UNUSED: (glyphs.dash, "muted"),
        }[outcome.fate]
        first, rest = len(page), hanging(self._detail, sign, str(outcome.text))
        page.append(f"{rest}\n", style=self.style("error") if outcome.fate is Fate.LOST else "")
        page.stylize(self.style(name), first, first + len(sign))

    @property
    def _row(self) -> RoleRow | None:
        """The node under the cursor."""
        return self._rows[self._table.row] if self._table.row < len(self._rows) else None

    def on_cell_table_moved(self, _: CellTable.Moved) -> None:
        """Say what its death would mean."""
        self._draw_detail()

    def on_cell_table_resized(self, _: CellTable.Resized) -> None:
        """Fit the columns into another width."""
        if self.is_mounted:
            self.refresh_view()

    def copy_text(self) -> str:
        """The matrix, and the answer for the node under the cursor."""
        lines = [f"{row.name}\t{', '.join(row.roles)}" for row in self._rows]
        return "\n".join([*lines, "", str(self.query_one("#detail", Static).content)])

    def jump(self, field: str) -> None:
        """Put the cursor on a node."""
        for place, row in enumerate(self._rows):
            if field == row.name or field.startswith(f"nodes[{row.index}]"):
                self._table.put_cursor(place)
                return

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a node is there only with one."""
        return bool(self._rows) if action in ("give", "preset") else True

    def action_give(self) -> None:
        """Give the role under the cursor, or take it away."""
        row, role = self._row, self._table.column
        if row is not None and role:
            self.workbench.change(lambda data: toggle_role(data, row.index, role))
            self.refresh_view()

    def action_undo(self) -> None:
        """Take the last change back."""
        if self.workbench.undo():
            self.refresh_view()
        else:
            self.tell(T("shell.nothing_to_undo"))

    @work(group="dialog", exit_on_error=False)
    async def action_preset(self) -> None:
        """Choose a ready-made division of work."""
        from screens.dialogs.presets import PresetsDialog

        preset = await self.app.push_screen_wait(PresetsDialog(self.workbench.draft.data))
        if preset is not None:
            self.workbench.change(lambda data: apply_preset(data, preset))
            self.refresh_view()
            self.tell(T("roles.taken_over"))
