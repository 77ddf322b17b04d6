"""Roles: who does what, and for the node under the cursor what is left when it dies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import work
from textual.binding import BindingType
from textual.containers import Vertical
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.findings import Finding, Severity
from rbdtui.profiles import Profile
from rbdtui.roles import OUTSIDE
from rbdtui.spec.model import GatewayMode, Role
from rbdtui.spec.single_points import bound_to_a_node
from rbdtui.spec.survival import Impact, Outcome, what_if_dies
from rbdtui.terminal_text import clean_line
from rbdtui.words import T
from rbdtui.workbench import sections
from rbdtui.workbench.draft.operations import (
    NodeData,
    field_of,
    nodes_in,
    text_at,
    uses_balancers,
    uses_builds,
    uses_services,
    value_at,
)
from rbdtui.workbench.live.node_rows import SEVERITY_MARK, Mark, size
from rbdtui.workbench.roles import (
    COUNT_RULES,
    LOSS_RULES,
    apply_preset,
    role_findings,
    roles_of,
    sketch,
    toggle_roles,
)
from rbdtui.workbench.row_view import ListedRow
from screens.roles.role_table import RoleCount, RoleRow, RoleTable
from screens.shell.base import Words, css, key
from screens.shell.edit import UNDO_KEYS
from screens.shell.row_list import LIST_KEYS, RowListScreen
from screens.widgets.cell_table import CellTable
from screens.widgets.field import severity_look, worst_of
from screens.widgets.hanging import hanging
from screens.widgets.view_line import SearchBar, ViewLine

MOST_FINDINGS: Final = 2


class RolesScreen(RowListScreen):
    """The matrix of nodes and roles."""

    SECTION = sections.ROLES
    CSS_PATH = css("roles")
    AUTO_FOCUS = "#table"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("space,enter", "give", "toggle"),
        *LIST_KEYS[:1],
        key("m", "mark", "mark"),
        key("p", "preset", "preset"),
        *UNDO_KEYS,
        *LIST_KEYS[1:],
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[int, RoleRow] = {}
        """All nodes by their places in the list."""
        self._findings: Sequence[Finding] = ()

    def body(self) -> Iterable[Widget]:
        """Table, counts, what is wrong, and what if it dies."""
        yield Words(T("roles.empty"), id="empty")
        yield ViewLine()
        with Vertical(id="sides"):
            yield RoleTable(id="table")
            yield Static(id="detail")
        yield SearchBar()

    # --- drawing ---------------------------------------------------------------------------------------------

    @property
    def table(self) -> RoleTable:
        """Nodes by roles."""
        return self.query_one(RoleTable)

    @property
    def _detail(self) -> Static:
        return self.query_one("#detail", Static)

    def _roles(self) -> list[Role]:
        """The roles of this profile; one that it has no use for stays while a node has it."""
        data = self.workbench.draft.data
        held = {role for row in self._rows.values() for role in row.roles}
        used = {
            Role.BUILD: uses_builds(data),
            Role.BALANCER: uses_balancers(data),
            Role.SERVICE: uses_services(data),
        }
        return [role for role in Role if used.get(role, True) or role.value in held]

    def refresh_view(self) -> None:
        """Draw the draft."""
        had = bool(self._rows)
        super().refresh_view()
        shown = bool(self._rows)
        self.query_one("#empty").display, self.query_one("#sides").display = not shown, shown
        if had != shown:
            self.refresh_bindings()

    def read_rows(self) -> Sequence[ListedRow]:
        """All nodes and what is wrong with their roles."""
        draft = self.workbench.draft
        self._findings = role_findings(draft)
        listed = nodes_in(draft.data)
        self._rows = {
            index: RoleRow(
                index, field_of(node, "name"), tuple(roles_of(node)), self._facts_of(node), self._worst_at(index)
            )
            for index, node in listed
        }
        return [
            ListedRow(index, field_of(node, "name"), field_of(node, "address"), _mark_of(self._rows[index].worst))
            for index, node in listed
        ]

    def searched(self, index: int) -> str:
        """Name, address, user, roles, and what is wrong with them."""
        row, data = self._rows[index], self.workbench.draft.data
        own = [text_at(data, f"nodes[{index}].{field}") for field in ("address", "ssh.user")]
        found = [str(finding.message) for finding in self._at(index)]
        return " ".join([row.name, *own, "" if own[1] else text_at(data, "ssh.user"), *row.roles, *found])

    def show_rows(self) -> None:
        """Draw the nodes that are seen."""
        wrong = any(not finding.code.startswith(LOSS_RULES) for finding in self._findings)
        self.set_class(wrong, "-told")
        self.table.styles.height = max(1, len(self.shown)) + 2
        rows, counts = (
            [self._rows[index] for index in self.shown],
            {role: self._count_of(role) for role in self._roles()},
        )
        self.table.show_rows(rows, counts, len(self._rows), self.view.marked, self.nothing_seen())
        self._draw_detail()

    def _facts_of(self, node: NodeData) -> tuple[str, str, str]:
        """Address, processors and memory, as far as they are known."""
        live = self.workbench.live.nodes.get(field_of(node, "name"))
        facts = live.facts if live is not None else None
        cpus, memory = (str(facts.cpu_count), size(facts.memory.total_bytes)) if facts is not None else ("", "")
        return clean_line(field_of(node, "address"), 200), cpus, memory

    def _at(self, index: int) -> list[Finding]:
        """What is wrong with the roles of one node."""
        path = f"nodes[{index}].roles"
        return [finding for finding in self._findings if finding.place.field.startswith(path)]

    def _worst_at(self, index: int) -> Severity | None:
        worst = worst_of(self._at(index))
        return worst.severity if worst is not None else None

    def _count_of(self, role: Role) -> RoleCount:
        """How many nodes have a role, and whether that is as it should be."""
        codes = COUNT_RULES.get(role, ())
        worst = worst_of([finding for finding in self._findings if finding.code in codes])
        balanced = text_at(self.workbench.draft.data, "gateway.mode") in ("", GatewayMode.KEEPALIVED.value)
        ruled = bool(codes) and (role is not Role.GATEWAY or balanced or worst is not None)
        count = sum(role.value in row.roles for row in self._rows.values())
        return RoleCount(count, ruled, worst.severity if worst is not None else None)

    def _draw_detail(self) -> None:
        page, row = Line(), self._row
        for finding in self._told(row):
            self._append_finding(page, finding)
        if page:
            page.append("\n")
        known = sketch(self.workbench.draft.data) if row is not None else None
        if row is not None and known is not None and row.index in known.names:
            survival = what_if_dies(known.spec, known.names[row.index])
            page.append(f"{T('roles.if_dies', node=_name(row))}\n", style="bold")
            for outcome in survival.outcomes:
                self._append_outcome(page, outcome)
            if OUTSIDE.isdisjoint(row.roles):
                self._append_components(page, known.spec.profile, _name(row))
        elif row is not None:
            page.append(hanging(self._detail, "", str(T("roles.no_role", node=_name(row))), indent=0), style="dim")
        if self._detail.content != page:
            self._detail.update(page)

    def _append_components(self, page: Line, profile: Profile, node: str) -> None:
        """What becomes of the parts of the platform: nobody knows before which node will have one."""
        spec = self.workbench.draft.spec
        if "mysql" not in profile.sections:
            page.append(hanging(self._detail, self.glyphs.dash, str(T("roles.not_used"))), style="dim")
        elif spec is not None and (bound := bound_to_a_node(spec)):
            text = T("roles.bound", node=node, parts=", ".join(bound))
            page.append(hanging(self._detail, self.glyphs.warn, str(text)), style=self.style("warning"))
        elif spec is not None:
            page.append(hanging(self._detail, self.glyphs.dash, str(T("roles.start_again"))), style="dim")

    def _told(self, row: RoleRow | None) -> list[Finding]:
        """What is wrong with the roles as a whole, or with the node under the cursor; the worst first.

        What is lost with a node stands below in any case.
        """
        here = f"nodes[{row.index}]" if row is not None else ""
        found = [
            finding
            for finding in self._findings
            if not finding.code.startswith(LOSS_RULES)
            and (not finding.place.field.startswith("nodes[") or finding.place.field.startswith(here))
        ]
        return sorted(found, key=lambda finding: finding.severity.rank)[:MOST_FINDINGS]

    def _append_finding(self, page: Line, finding: Finding) -> None:
        finding = finding.on_form()
        colour, sign = severity_look(self._detail, finding.severity)
        page.append(f"{hanging(self._detail, sign, str(finding.message))}\n", style=colour)
        page.append(f"{hanging(self._detail, '', str(finding.remedy))}\n", style="dim")

    def _append_outcome(self, page: Line, outcome: Outcome) -> None:
        glyphs = self.glyphs
        sign, name = {
            Impact.HOLDS: (glyphs.ok, "success"),
            Impact.LOST: (glyphs.bad, "error"),
            Impact.UNTOUCHED: (glyphs.off, "muted"),
            Impact.UNUSED: (glyphs.dash, "muted"),
        }[outcome.impact]
        first, lines = len(page), hanging(self._detail, sign, str(outcome.text))
        looks = {Impact.LOST: self.style("error"), Impact.UNUSED: "dim"}
        page.append(f"{lines}\n", style=looks.get(outcome.impact, ""))
        page.stylize(self.style(name), first, first + len(sign))

    @property
    def _row(self) -> RoleRow | None:
        """The node under the cursor."""
        return self._rows.get(self.here) if self.here is not None else None

    def on_cell_table_moved(self, _: CellTable.Moved) -> None:
        """Say what its death would mean."""
        self.note_move()
        self._draw_detail()

    def on_cell_table_resized(self, _: CellTable.Resized) -> None:
        """Fit the columns into another width."""
        if self.is_mounted:
            self.refresh_view()

    def copy_text(self) -> str:
        """The matrix, and the answer for the node under the cursor."""
        lines = [f"{row.name}\t{', '.join(row.roles)}" for row in self._rows.values()]
        return "\n".join([*lines, "", str(self._detail.content)])

    def jump(self, field: str) -> None:
        """Put the cursor on a node, and on the role when one is meant."""
        role = value_at(self.workbench.draft.data, field) if "].roles[" in field else ""
        for index, row in self._rows.items():
            if field == row.name or field == f"nodes[{index}]" or field.startswith(f"nodes[{index}]."):
                self.go_to(index, str(role))
                return

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a node is there only with one."""
        if action == "give":
            return not self.searching and (bool(self.shown) or bool(self.view.marked))
        if action == "preset":
            return not self.searching and bool(self._rows)
        return super().check_action(action, parameters)

    def action_give(self) -> None:
        """Give the role under the cursor, or take it away; all that are marked are the same in it afterwards."""
        targets, role = self.targets(), self.table.column
        if targets and role:
            self.workbench.change(lambda data: toggle_roles(data, targets, role))
            self.refresh_view()

    @work(group="dialog", exit_on_error=False)
    async def action_preset(self) -> None:
        """Choose a ready-made division of work."""
        from screens.roles.presets import PresetsDialog

        preset = await self.program.ask(PresetsDialog(self.workbench.draft.data))
        if preset is not None:
            self.workbench.change(lambda data: apply_preset(data, preset))
            self.refresh_view()
            self.tell(T("roles.taken_over"))


def _name(row: RoleRow) -> str:
    return clean_line(row.name) or str(T("roles.nameless", number=row.index + 1))


def _mark_of(worst: Severity | None) -> Mark:
    return SEVERITY_MARK[worst] if worst is not None else Mark.NONE
