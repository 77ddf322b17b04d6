"""A table with a cursor on single cells, drawn line by line: rows of a plan that are edited where they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.geometry import Region
from textual.message import Message

from screens.shell.base import key
from screens.widgets.canvas import Canvas, Span, Spans, cut
from screens.widgets.field import MORE_LEFT, MORE_RIGHT
from screens.widgets.frame import signs
from screens.widgets.sight import Sight

LEAD_CELLS: Final = 4
"""In front of the first column: pointer, sign of the row, mark."""
MARK: Final = "*"
MOST_GAP: Final = 3


@dataclass(frozen=True, slots=True)
class Column:
    """A column and how much room it wants."""

    key: str
    title: str
    wanted: int
    """As wide as its widest cell."""
    least: int
    """Narrower it is of no use."""
    rank: int = 0
    """What goes first when there is no room: the highest; 0 always stays."""
    reached: bool = False
    """Whether the cursor goes there."""
    right: bool = False
    """Whether figures stand at the right end."""
    centred: bool = False


@dataclass(frozen=True, slots=True)
class TableCell:
    """What stands in a cell."""

    text: str
    look: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A row: its sign and its cells by column."""

    sign: TableCell
    cells: dict[str, TableCell]
    marked: bool = False
    """Whether it is one of those that the operator has marked."""


def fit(columns: Sequence[Column], room: int) -> tuple[list[Column], int]:
    """The columns that have room, with the widths that they get, and the gap between them."""
    kept = list(columns)
    while sum(column.least + 1 for column in kept) - 1 > room and any(column.rank for column in kept):
        kept.remove(max(kept, key=lambda column: column.rank))
    widths = {column.key: max(column.least, column.wanted) for column in kept}
    while sum(widths.values()) + len(kept) - 1 > room:
        widest = max(kept, key=lambda column: widths[column.key] - column.least)
        if widths[widest.key] <= widest.least:
            break
        widths[widest.key] -= 1
    spare = room - sum(widths.values())
    gap = max(1, min(MOST_GAP, spare // max(1, len(kept) - 1)))
    return [replace(column, wanted=widths[column.key]) for column in kept], gap


CELL_KEYS: Final[tuple[BindingType, ...]] = (
    key("up", "move(-1, 0)", "move", show=False),
    key("down", "move(1, 0)", "move", show=False),
    key("left", "move(0, -1)", "move", show=False),
    key("right", "move(0, 1)", "move", show=False),
    key("pageup", "page(-1)", "move", show=False),
    key("pagedown", "page(1)", "move", show=False),
    key("home", "ends(-1)", "move", show=False),
    key("end", "ends(1)", "move", show=False),
)
"""For whatever has a cursor on single cells."""


class CellTable(Canvas, can_focus=True):
    """A table of `Row`; says `Moved` when the cursor goes elsewhere."""

    BINDINGS: ClassVar[list[BindingType]] = [*CELL_KEYS]

    class Moved(Message):
        """The cursor is on another cell."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.row = 0
        """The row that the cursor is on."""
        self._column = 0
        self._sight = Sight()
        self._columns: Sequence[Column] = ()
        self._rows: Sequence[Row] = ()
        self._note: Sequence[TableCell] = ()
        self._foot: Mapping[str, TableCell] = {}
        self._gap = 1

    # --- what is shown ---------------------------------------------------------------------------------------

    @property
    def room(self) -> int:
        """Cells for columns, with the gaps between them."""
        return self.content_size.width - LEAD_CELLS - 1

    def show(
        self,
        columns: Sequence[Column],
        rows: Sequence[Row],
        note: Sequence[TableCell] = (),
        foot: Mapping[str, TableCell] | None = None,
    ) -> None:
        """Show these rows; ``columns`` have been fitted or are fitted now; ``note`` stands below the last row.

        Cells of ``foot`` stand below all rows, in sight whatever is scrolled.
        """
        self._columns, self._gap = fit(columns, self.room)
        self._rows, self._note, self._foot = rows, note, foot or {}
        self.row = max(0, min(self.row, len(rows) - 1))
        self._column = min(self._column, max(0, len(self._reached) - 1))
        self.draw_rows()

    @property
    def _reached(self) -> list[Column]:
        return [column for column in self._columns if column.reached]

    @property
    def column(self) -> str:
        """Key of the column that the cursor is in; empty without columns."""
        reached = self._reached
        return reached[self._column].key if reached else ""

    @property
    def columns(self) -> list[str]:
        """Keys of the columns that are seen."""
        return [column.key for column in self._columns]

    def draw_rows(self) -> None:
        """Draw what is in sight."""
        height = max(0, self.content_size.height - 1 - bool(self._foot))
        top = self._sight.look(self.row, len(self._rows), height)
        lines = [self._heading()]
        shown = self._rows[top : top + height]
        lines += [self._line(top + offset, row) for offset, row in enumerate(shown)]
        lines += [(Span(LEAD_CELLS, cell.text, cell.look),) for cell in self._note][: max(0, height - len(shown))]
        lines = self._with_bar(lines, height)
        if self._foot:
            lines.append(tuple(self._span(x, column, self._foot) for x, column in self._starts()))
        self.draw(lines, cursor=(self.row, self.column) if self._rows else None)

    def _span(self, x: int, column: Column, cells: Mapping[str, TableCell]) -> Span:
        cell = cells.get(column.key, TableCell(""))
        return Span(x, self._aligned(cell.text, column), cell.look, column.wanted)

    def _starts(self) -> list[tuple[int, Column]]:
        """The columns in sight and where they begin."""
        starts, x = [], LEAD_CELLS
        for column in self._in_sight():
            starts.append((x, column))
            x += column.wanted + self._gap
        return starts

    def _in_sight(self) -> list[Column]:
        """The columns that have room: what the cursor never reaches in any case, of the others the cursor's."""
        shown, reached = list(self._columns), self._reached
        here = reached[self._column] if reached else None
        for column in (*reversed(reached[self._column + 1 :]), *reached[: self._column]):
            if sum(each.wanted + self._gap for each in shown) - self._gap <= self.room or column is here:
                break
            shown.remove(column)
        return shown

    def _heading(self) -> Spans:
        spans = [Span(x, self._aligned(column.title, column), "muted", column.wanted) for x, column in self._starts()]
        shown, reached = self._in_sight(), self._reached
        if reached and reached[0] not in shown:
            spans.insert(0, Span(LEAD_CELLS - 1, MORE_LEFT, "bold accent", 1))
        if reached and reached[-1] not in shown:
            spans.append(Span(self.content_size.width - 1, MORE_RIGHT, "bold accent", 1))
        return tuple(spans)

    def _line(self, number: int, row: Row) -> Spans:
        here = number == self.row
        spans = [
            Span(0, signs(self).pointer if here else " ", "bold accent", 1),
            Span(1, row.sign.text, row.sign.look, 2),
        ]
        if row.marked:
            spans.append(Span(LEAD_CELLS - 1, MARK, "bold accent", 1))
        for x, column in self._starts():
            cell = row.cells.get(column.key, TableCell(""))
            look = f"bold {cell.look}".strip() if here and column.reached else cell.look
            spans.append(Span(x, self._aligned(cell.text, column), look, column.wanted, (number, column.key)))
        return tuple(spans)

    def _aligned(self, text: str, column: Column) -> str:
        """A cell's text at its end of the column."""
        text = cut(text, column.wanted, signs(self).busy)
        spare = column.wanted - cell_len(text)
        if column.right:
            return " " * spare + text
        return " " * (spare // 2) + text if column.centred else text

    def _with_bar(self, lines: list[Spans], height: int) -> list[Spans]:
        """Beside rows that are not all in sight, where in them this is."""
        count = len(self._rows)
        if count <= height or height <= 0:
            return lines
        length = max(1, height * height // count)
        start = (height - length) * self._sight.top // max(1, count - height)
        glyphs = signs(self)
        x = self.content_size.width - 1
        for y in range(height):
            on = start <= y < start + length
            sign = Span(x, glyphs.bar_full if on else glyphs.upright, "accent" if on else "border", 1)
            if y + 1 < len(lines):
                lines[y + 1] = (*lines[y + 1], sign)
        return lines

    def cell_region(self) -> Region:
        """Where the cell under the cursor is, from the upper left corner of the table on."""
        for x, column in self._starts():
            if column.key == self.column:
                return Region(x, 1 + self.row - self._sight.top, column.wanted, 1)
        return Region(0, 0, 0, 0)

    def field_region(self, least: int) -> Region:
        """Where a field that edits this cell has ``least`` cells, up to the end of a column: it covers none in part."""
        cell = self.cell_region()
        ends = [x + column.wanted for x, column in self._starts()]
        end = next((end for end in ends if end >= max(cell.right, cell.x + least)), self.content_size.width - 1)
        return Region(cell.x, cell.y, max(cell.width, end - cell.x), 1)

    @property
    def cell_text(self) -> str:
        """What stands in the cell under the cursor."""
        return self._rows[self.row].cells[self.column].text if self._rows and self.column else ""

    @property
    def row_text(self) -> str:
        """The row under the cursor, with tabs between its cells."""
        if not self._rows:
            return ""
        return "\t".join(cell.text for cell in self._rows[self.row].cells.values())

    def on_resize(self, _: events.Resize) -> None:
        """More or fewer rows are in sight, and columns get other widths."""
        self.post_message(self.Resized())

    class Resized(Message):
        """The room has changed: columns are to be fitted anew."""

    # --- the cursor ------------------------------------------------------------------------------------------

    def put_cursor(self, row: int, column: str = "") -> None:
        """Put the cursor on a cell."""
        reached = [each.key for each in self._reached]
        self.row = max(0, min(row, len(self._rows) - 1))
        if column in reached:
            self._column = reached.index(column)
        self.draw_rows()
        self.post_message(self.Moved())

    def action_move(self, rows: int, columns: int) -> None:
        """Go to a neighbour."""
        reached = len(self._reached)
        self._column = max(0, min(self._column + columns, reached - 1))
        self.put_cursor(self.row + rows)

    def action_page(self, by: int) -> None:
        """Go a screenful up or down."""
        self.put_cursor(self.row + by * max(1, self.content_size.height - 2))

    def action_ends(self, which: int) -> None:
        """Go to the first or the last row."""
        self.put_cursor(0 if which < 0 else len(self._rows) - 1)

    def on_click(self, event: events.Click) -> None:
        """Go where the mouse is, where one is used."""
        at = event.get_content_offset(self)
        row = self._sight.top + at.y - 1 if at is not None else -1
        if at is not None and at.y >= 1 and row < len(self._rows):
            under = [column.key for x, column in self._starts() if x <= at.x < x + column.wanted]
            self.put_cursor(row, under[0] if under else "")
