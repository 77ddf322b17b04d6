"""Nodes by roles, as a table whose cells are toggled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

from rbdtui.findings import Severity
from rbdtui.spec.model import Role
from rbdtui.words import T
from screens.widgets.cell_table import CellTable, Column, Row, TableCell
from screens.widgets.frame import signs

NAME: Final = "name"


@dataclass(frozen=True, slots=True)
class RoleRow:
    """One node and its roles."""

    index: int
    """Its place in the list of cluster.yaml."""
    name: str
    roles: tuple[str, ...]
    worst: Severity | None = None
    """Of what is wrong with its roles."""


class RoleTable(CellTable):
    """Who does what; the cursor goes over roles only."""

    def show_rows(self, rows: Sequence[RoleRow], roles: Sequence[Role]) -> None:
        """Show these nodes, with how many have each role below them."""
        names = [row.name or str(T("nodes.no_name")) for row in rows]
        title = str(T("nodes.column.name"))
        widest = max([cell_len(title), *map(cell_len, names)], default=0)
        columns = [Column(NAME, title, widest, min(widest, 10))]
        columns += [_column(role) for role in roles]
        self.show(columns, [self._row(row, name, roles) for row, name in zip(rows, names, strict=True)])

    def _row(self, row: RoleRow, name: str, roles: Sequence[Role]) -> Row:
        glyphs = signs(self)
        cells = {NAME: TableCell(name, "" if row.name else "muted")}
        for role in roles:
            has = role.value in row.roles
            cells[role.value] = TableCell(glyphs.on if has else glyphs.off, "bold accent" if has else "muted")
        look = {Severity.ERROR: (glyphs.bad, "bold error"), Severity.WARNING: (glyphs.warn, "bold warning")}
        sign, colour = look.get(row.worst, (" ", "")) if row.worst is not None else (" ", "")
        return Row(TableCell(sign, colour), cells)


def _column(role: Role) -> Column:
    width = cell_len(role.value)
    return Column(role.value, role.value, width, width, reached=True, centred=True)


def counts_words(rows: Sequence[RoleRow], roles: Sequence[Role], separator: str) -> str:
    """How many nodes have each role."""
    counts: Mapping[Role, int] = {role: sum(role.value in row.roles for row in rows) for role in roles}
    return f" {separator} ".join(f"{role.value} {count}" for role, count in counts.items())
