"""Nodes by roles, as a table whose cells are toggled."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from rbdtui.findings import Severity
from rbdtui.spec.model import Role
from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from screens.widgets.cell_table import CellTable, Column, Row, TableCell
from screens.widgets.frame import signs

NAME: Final = "name"
FACTS: Final = ("address", "cpu", "memory")
"""By what roles are given away."""
ROOM_FOR_FACTS: Final = 76
_LEAST_NAME: Final = 10
_BAD: Final = (Severity.ERROR, Severity.WARNING)


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One node and its roles."""

    index: int
    """Its place in the list of cluster.yaml."""
    name: str
    roles: tuple[str, ...]
    facts: tuple[str, str, str] = ("", "", "")
    """Address, processors and memory, there where the table has room for them."""
    worst: Severity | None = None
    """Of what is wrong with its roles."""


@dataclass(frozen=True, slots=True)
class RoleCount:
    """How many nodes have a role."""

    count: int
    ruled: bool = False
    """Whether a rule says how many it should be."""
    worst: Severity | None = None
    """Of what that rule found."""


class RoleTable(CellTable):
    """Who does what; the cursor goes over roles only."""

    def show_rows(
        self,
        rows: Sequence[RoleRow],
        counts: Mapping[Role, RoleCount],
        in_all: int,
        marked: Collection[int] = (),
        nothing: Text | None = None,
    ) -> None:
        """Show these nodes, or ``nothing`` in place of them, with how many of all have each role below them."""
        names = [clean_line(row.name) or str(T("nodes.no_name")) for row in rows]
        title, total = str(T("nodes.column.name")), str(T("roles.in_all", count=in_all))
        widest = max([cell_len(title), cell_len(total), *map(cell_len, names)])
        columns = [Column(NAME, title, widest, min(widest, _LEAST_NAME))]
        columns += [_column(role) for role in counts]
        columns += [self._fact_column(place, rows) for place in range(len(FACTS)) if self.room >= ROOM_FOR_FACTS]
        foot = {NAME: TableCell(total, "muted")}
        foot |= {role.value: self._count_cell(count) for role, count in counts.items()}
        shown = [self._row(row, name, counts, row.index in marked) for row, name in zip(rows, names, strict=True)]
        self.show(columns, shown, [TableCell(str(nothing), "muted")] if nothing is not None else (), foot)

    @staticmethod
    def _fact_column(place: int, rows: Sequence[RoleRow]) -> Column:
        title = str(T(f"nodes.column.{FACTS[place]}"))  # words: nodes.column.*
        widest = max([cell_len(title), *(cell_len(row.facts[place]) for row in rows)])
        return Column(FACTS[place], title, widest, widest, rank=len(FACTS) - place + 1, right=place > 0)

    def _row(self, row: RoleRow, name: str, roles: Mapping[Role, RoleCount], marked: bool) -> Row:
        glyphs = signs(self)
        cells = {NAME: TableCell(name, "" if row.name else "muted")}
        cells |= {fact: TableCell(row.facts[place], "muted") for place, fact in enumerate(FACTS)}
        for role in roles:
            has = role.value in row.roles
            cells[role.value] = TableCell(glyphs.on if has else glyphs.off, "bold accent" if has else "muted")
        return Row(TableCell(*self._mark(row.worst)), cells, marked)

    def _count_cell(self, count: RoleCount) -> TableCell:
        if not count.ruled:
            return TableCell(str(count.count), "muted")
        sign, look = self._mark(count.worst) if count.worst in _BAD else (signs(self).ok, "success")
        return TableCell(f"{count.count} {sign}", look)

    def _mark(self, worst: Severity | None) -> tuple[str, str]:
        glyphs = signs(self)
        looks = {Severity.ERROR: (glyphs.bad, "bold error"), Severity.WARNING: (glyphs.warn, "bold warning")}
        return looks.get(worst, (" ", "")) if worst is not None else (" ", "")


def _column(role: Role) -> Column:
    width = cell_len(role.value)
    return Column(role.value, role.value, width, width, reached=True, centred=True)
