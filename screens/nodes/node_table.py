"""The table of servers: columns for what is typed, columns for what the servers answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from rich.cells import cell_len

from rbdtui.words import T, Text
from rbdtui.workbench.draft.cell_edit import FIELDS
from rbdtui.workbench.live.node_rows import Cell, Mark, NodeRow
from screens.widgets.cell_table import CellTable, Column, Row, TableCell, fit
from screens.widgets.frame import signs

TYPED: Final = ("name", "address", "port", "user")
SEEN: Final = ("roles",)
"""Written elsewhere, there where a table has room for it."""
ANSWERED: Final = ("login", "os", "cpu", "memory", "disk", "clock")
AIRY_GAP: Final = 2
"""Between columns, while there is one that is not needed."""
_RANKS: Final = {"user": 9, "port": 8, "clock": 4, "disk": 3, "os": 2}
_LEAST: Final = {"name": 8, "address": 15}
_RIGHT: Final = frozenset({"cpu", "memory", "disk", "clock", "port"})
_LOOKS: Final = {Mark.NONE: "muted", Mark.OK: "", Mark.BUSY: "muted", Mark.WARNING: "warning", Mark.ERROR: "error"}
_URGENCY: Final = {Mark.WARNING: "!", Mark.ERROR: "!!"}
"""Behind a figure, so that colour alone says nothing."""


class NodeTable(CellTable):
    """The servers of a draft."""

    def show_rows(self, rows: Sequence[NodeRow], marked: Collection[int] = (), nothing: Text | None = None) -> None:
        """Show the servers, or ``nothing`` in place of them.

        The port stands with the address where it has no column of its own.
        """
        texts = [self._texts(row, with_port=False) for row in rows]
        columns = self._columns_for(texts)
        if sum(column.wanted + AIRY_GAP for column in columns) - AIRY_GAP > self.room:
            columns = [column for column in columns if column.key not in SEEN]
        kept, _ = fit(columns, self.room)
        if "port" not in {column.key for column in kept}:
            texts = [self._texts(row, with_port=True) for row in rows]
            columns = [column for column in self._columns_for(texts) if column.key not in ("port", "user", *SEEN)]
        shown = [self._row(row, cells, row.index in marked) for row, cells in zip(rows, texts, strict=True)]
        self.show(columns, shown, [TableCell(str(nothing), "muted")] if nothing is not None else ())

    def editable_text(self, row: NodeRow, column: str) -> str:
        """What is in a cell when it is opened: nothing where the site's own value is shown."""
        match column:
            case "name":
                return row.name
            case "address":
                return self._address(row, with_port="port" not in self.columns)
            case "port":
                return row.port if row.own_port else ""
            case _:
                return row.user if row.own_user else ""

    def _address(self, row: NodeRow, *, with_port: bool) -> str:
        return f"{row.address}:{row.port}" if with_port and row.own_port and row.address else row.address

    def _texts(self, row: NodeRow, *, with_port: bool) -> dict[str, str]:
        texts = {
            "name": row.name or str(T("nodes.no_name")),
            "address": self._address(row, with_port=with_port) or str(T("nodes.no_address")),
            "port": row.port,
            "user": row.user,
            "roles": row.roles,
        }
        answers: dict[str, Cell] = {name: getattr(row, name) for name in ANSWERED}
        for name, cell in answers.items():
            text = str(cell.text)
            texts[name] = f"{text}{_URGENCY.get(cell.mark, '')}" if name != "login" and text else text
        return texts

    def _columns_for(self, texts: Sequence[dict[str, str]]) -> list[Column]:
        columns = []
        for name in (*TYPED, *ANSWERED, *SEEN):
            title = str(Text(f"nodes.column.{name}"))  # words: nodes.column.*
            wanted = max([cell_len(title), *(cell_len(cells[name]) for cells in texts)])
            least = min(wanted, _LEAST.get(name, wanted))
            if name == "address":
                least = wanted
            columns.append(
                Column(name, title, wanted, least, _RANKS.get(name, 0), reached=name in TYPED, right=name in _RIGHT)
            )
        return columns

    def _row(self, row: NodeRow, texts: dict[str, str], marked: bool) -> Row:
        cells = {name: TableCell(text, self._look_of(row, name)) for name, text in texts.items()}
        return Row(self._sign(row.mark), cells, marked)

    def _look_of(self, row: NodeRow, column: str) -> str:
        if column in ANSWERED:
            cell: Cell = getattr(row, column)
            return "success" if column == "login" and cell.mark is Mark.OK else _LOOKS[cell.mark]
        if column in SEEN:
            return "muted"
        given = {"name": row.name, "address": row.address, "port": row.own_port, "user": row.own_user}[column]
        mark = row.bad_fields.get(FIELDS[column], Mark.NONE)
        if mark in _URGENCY and given:
            return f"{_LOOKS[mark]} underline"
        return "" if given else "muted"

    def _sign(self, mark: Mark) -> TableCell:
        glyphs = signs(self)
        match mark:
            case Mark.OK:
                return TableCell(glyphs.ok, "success")
            case Mark.BUSY:
                return TableCell(glyphs.busy, "muted")
            case Mark.WARNING:
                return TableCell(glyphs.warn, "bold warning")
            case Mark.ERROR:
                return TableCell(glyphs.bad, "bold error")
            case _:
                return TableCell(" ")
