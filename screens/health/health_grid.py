"""Health as a grid with a cursor: a sign for every answer, with its latency where there is room."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.binding import BindingType
from textual.geometry import Size
from textual.message import Message

from rbdtui.probes.model import BALANCER, CLUSTER, VIP, ProbeKey, ProbeState, ProbeStatus
from rbdtui.words import T, Text
from rbdtui.workbench.health.health_table import HealthRow, HealthTable
from screens.widgets.canvas import Canvas, Span, cut, cut_name
from screens.widgets.cell_table import CELL_KEYS
from screens.widgets.marks import PROBE_MARKS, Mark, state_word
from screens.widgets.port_lights import latency
from screens.widgets.sight import Sight

LEAST_LABEL: Final = 6
MOST_LABEL: Final = 20
GOOD_COLUMN: Final = 7
"""Room for a sign and a latency."""
MOST_COLUMN: Final = 11
UNASKED: Final = Mark("·", ".", "muted")


class HealthGrid(Canvas, can_focus=True):
    """Hosts by questions; says `Moved` when the cursor goes elsewhere."""

    BINDINGS: ClassVar[list[BindingType]] = [*CELL_KEYS]

    class Moved(Message):
        """The cursor is on another answer."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._table = HealthTable((), (), gateway_unused=False)
        """As it is seen: one of the next two."""
        self._whole = self._crowded = self._table
        """What is shown where all of it is in sight, and where it is not."""
        self._nothing: Text | None = None
        self._ascii = False
        self._target = ""
        self._column = ""
        self._wanted: ProbeKey | None = None
        """Of several answers in the cell, the one that was asked for; None for the worst."""
        self._sight = Sight()

    # --- what is shown ---------------------------------------------------------------------------------------

    def show(self, table: HealthTable, crowded: HealthTable, *, ascii_only: bool, nothing: Text | None = None) -> None:
        """Show these answers; the cursor stays on its own.

        ``crowded`` has the same rows as they stand while not all are in sight; ``nothing`` is said when there are none.
        """
        count = len(self._table.rows)
        self._whole, self._crowded, self._nothing, self._ascii = table, crowded, nothing, ascii_only
        self._draw_all()
        if count != len(table.rows):
            self.refresh(layout=True)

    @property
    def is_crowded(self) -> bool:
        """Whether not all rows are in sight."""
        return 0 < self._room < len(self._whole.rows)

    @property
    def table(self) -> HealthTable:
        """The rows as they are seen."""
        return self._table

    @property
    def target(self) -> str:
        """The row under the cursor; empty where there is none."""
        return self._table.rows[self._place()[0]].target if self._table.rows else ""

    @property
    def selected(self) -> ProbeStatus | None:
        """The answer under the cursor; None where there is none."""
        row, column = self._place()
        if not self._table.rows or not self._table.columns:
            return None
        shown, name = self._table.rows[row], self._table.columns[column]
        wanted = (status for status in shown.told.get(name, ()) if status.key == self._wanted)
        return next(wanted, shown.cells.get(name))

    def select(self, target: str, column: str, key: ProbeKey | None = None) -> None:
        """Put the cursor on an answer: the worst in the cell, or the one with the key."""
        self._target, self._column, self._wanted = target, column, key
        self._draw_all()
        self.post_message(self.Moved())

    def stay(self) -> None:
        """Have the cursor stay on the row where it is seen now, whatever is seen later."""
        self._target = self.target

    def _place(self) -> tuple[int, int]:
        targets = [row.target for row in self._table.rows]
        columns = self._table.columns
        row = targets.index(self._target) if self._target in targets else 0
        return row, columns.index(self._column) if self._column in columns else 0

    # --- keys ------------------------------------------------------------------------------------------------

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by a cell."""
        table = self._table
        if not table.rows or not table.columns:
            return
        row, column = self._place()
        row = min(max(row + rows, 0), len(table.rows) - 1)
        column = min(max(column + columns, 0), len(table.columns) - 1)
        self.select(table.rows[row].target, table.columns[column])

    def action_page(self, by: int) -> None:
        """Move the cursor by what is in sight."""
        self.action_move(by * max(1, self._room - 1), 0)

    def action_ends(self, which: int) -> None:
        """Go to the first or the last row."""
        self.action_move(which * len(self._table.rows), 0)

    # --- the picture -----------------------------------------------------------------------------------------

    def on_resize(self, _: events.Resize) -> None:
        """Use the room."""
        self._draw_all()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """A head and all rows."""
        return 1 + max(1, len(self._whole.rows))

    @property
    def _room(self) -> int:
        """How many rows are in sight."""
        return max(0, self.content_size.height - 1)

    def _draw_all(self) -> None:
        width, room = self.content_size.width, self._room
        self._table = table = self._crowded if self.is_crowded else self._whole
        if not table.columns or width == 0 or room == 0:
            self.draw([])
            return
        if not table.rows:
            words = str(self._nothing) if self._nothing is not None else ""
            self.draw([(Span(1, cut(words, width - 1, self._cut_mark), "muted"),)])
            return
        row, column = self._place()
        top = self._sight.look(row, len(table.rows), room)
        label, widths = self._fit(width)
        lines = [tuple(self._head(label, widths, column))]
        for number in range(top, min(len(table.rows), top + room)):
            lines.append(tuple(self._line(table.rows[number], label, widths, column if number == row else None)))
        self.draw(lines, cursor="cursor")

    def _fit(self, width: int) -> tuple[int, list[int]]:
        """How wide the names are, and each column with the blank behind it."""
        names = max(cell_len(_name(row.target)) for row in self._table.rows) + 2
        titles = [cell_len(_short_title(column)) + 1 for column in self._table.columns]
        label = min(max(LEAST_LABEL, names), MOST_LABEL, max(LEAST_LABEL, width - 1 - sum(titles)))
        each = (width - label - 1) // len(titles)
        if each >= GOOD_COLUMN:
            return label, [min(MOST_COLUMN, each)] * len(titles)
        whole = [cell_len(_title(column)) + 1 for column in self._table.columns]
        return label, whole if label + 1 + sum(whole) <= width else titles

    def _head(self, label: int, widths: list[int], here: int) -> Iterable[Span]:
        x = label
        for number, (column, cells) in enumerate(zip(self._table.columns, widths, strict=True)):
            look = "bold accent" if number == here else "muted"
            title = _title(column) if cell_len(_title(column)) < cells else _short_title(column)
            yield Span(x, cut(title, cells - 1, self._cut_mark), look, cells - 1)
            x += cells

    def _line(self, row: HealthRow, label: int, widths: list[int], here: int | None) -> Iterable[Span]:
        pointer = (">" if self._ascii else "▸") if here is not None else ""
        yield Span(0, pointer, "bold accent", 1)
        look = "bold" if here is not None or row.rank < len(PROBE_MARKS) - 2 else ""
        yield Span(1, cut_name(_name(row.target), label - 2, self._cut_mark), look, label - 1)
        x = label
        for number, (column, cells) in enumerate(zip(self._table.columns, widths, strict=True)):
            text, look = self._cell(row.cells.get(column), cells - 1)
            yield Span(x, text, look, cells - 1, "cursor" if number == here else None)
            x += cells

    def _cell(self, status: ProbeStatus | None, cells: int) -> tuple[str, str]:
        if status is None:
            return "", ""
        mark = mark_of(status)
        sign = mark.sign(ascii_only=self._ascii)
        for word in _words_of(status):
            if cell_len(word) + 2 <= cells:
                return f"{sign} {word}".rstrip(), mark.look
        return sign, mark.look

    @property
    def _cut_mark(self) -> str:
        return "~" if self._ascii else "…"


def mark_of(status: ProbeStatus) -> Mark:
    """The mark of an answer; a faint one before the first."""
    return UNASKED if status.newest is None else PROBE_MARKS[status.state]


def _words_of(status: ProbeStatus) -> Iterable[str]:
    """What may stand behind the sign, the most telling first."""
    if status.newest is None:
        yield ""
        return
    if status.state is ProbeState.OK and status.latency_ms is not None:
        yield latency(status.latency_ms)
    if status.state is not ProbeState.OK:
        yield str(state_word(status.state))
    yield ""


def _name(target: str) -> str:
    if target in (VIP, BALANCER, CLUSTER):
        return str(T(f"health_screen.target.{target}"))  # words: health_screen.target.*
    return target


def _title(column: str) -> str:
    return column if column.isdigit() else str(T(f"health_screen.column.{column}"))  # words: health_screen.column.*


def _short_title(column: str) -> str:
    return column if column.isdigit() else str(T(f"health_screen.short.{column}"))  # words: health_screen.short.*
