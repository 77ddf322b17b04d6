"""The picture of a run: kinds of steps by nodes, gates across all of them, a cursor on one cell.

Columns that do not fit are reached by moving the cursor; then a line above the steps has one sign for every node.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.cells import cell_len
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message

from rbdtui.engine.state import RunState, StepState, StepStatus
from rbdtui.words import T
from rbdtui.workbench.run.matrix import Matrix, Row, in_trouble
from screens.terminal.clock import Moment
from screens.widgets.canvas import Canvas, Span, Spans, cut, cut_name
from screens.widgets.marks import STALLED, STEP_MARKS, step_cell, step_mark
from screens.widgets.sight import Sight

LEAST_COLUMN: Final = 9
GOOD_COLUMN: Final = 11
"""Room for the share and the rest of a transfer."""
NARROW_COLUMN: Final = 10
WIDTHS: Final = (GOOD_COLUMN, NARROW_COLUMN, LEAST_COLUMN)
"""What columns give up, in turn, so that names of steps are whole."""
MOST_COLUMN: Final = 18
LEAST_LABEL: Final = 14
MOST_LABEL: Final = 40
_ACTIVE: Final = frozenset({StepStatus.RUNNING, StepStatus.RETRYING, StepStatus.ASKING, StepStatus.FAILED})


@dataclass(frozen=True, slots=True)
class _Columns:
    """Which nodes are in sight, and how wide things are."""

    label: int
    column: int
    first: int
    count: int


class StepMatrix(Canvas, can_focus=True):
    """Steps by nodes; posts `Moved` when the operator moves the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up", "move(-1, 0)", "key.cell", id="cell"),
        Binding("down", "move(1, 0)", "key.cell", id="cell"),
        Binding("left", "move(0, -1)", "key.cell", id="cell"),
        Binding("right", "move(0, 1)", "key.cell", id="cell"),
        Binding("home", "edge(-1)", "key.first_row", id="first_row", show=False),
        Binding("end", "edge(1)", "key.last_row", id="last_row", show=False),
        Binding("pageup", "page(-1)", "key.page", id="page", show=False),
        Binding("pagedown", "page(1)", "key.page", id="page", show=False),
    ]

    class Moved(Message):
        """The cursor is on another cell."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._matrix: Matrix | None = None
        self._moment = Moment(0.0)
        self._ascii = False
        self._row = 0
        self._column = 0
        self._rows_seen, self._columns_seen = Sight(around=1), Sight()

    # --- what is shown ---------------------------------------------------------------------------------------

    def show(self, state: RunState, moment: Moment, *, ascii_only: bool) -> None:
        """Show a run at a moment; the cursor stays in its place."""
        if self._matrix is None or self._matrix.steps is not state.steps:
            self._take(Matrix.of(state))
        self._moment, self._ascii = moment, ascii_only
        self._draw_all()

    def _take(self, matrix: Matrix) -> None:
        """Another run, or the same one laid out anew: keep the cursor where it can be kept."""
        before = self.selected
        same = self._matrix is not None and self._matrix.steps.keys() == matrix.steps.keys()
        self._matrix = matrix
        if not same:
            self._row = self._column = 0
            self._rows_seen, self._columns_seen = Sight(around=1), Sight()
        if before is not None and before.info.id in matrix.steps:
            self.select(before.info.id)

    @property
    def matrix(self) -> Matrix | None:
        """The run's layout; None before there is one."""
        return self._matrix

    @property
    def selected(self) -> StepState | None:
        """The step under the cursor; None where a node has no such step."""
        matrix = self._matrix
        if matrix is None or self._row >= len(matrix.rows):
            return None
        return matrix.step(self._row, self.selected_node)

    @property
    def selected_row(self) -> Row | None:
        """The kind of step under the cursor."""
        matrix = self._matrix
        return matrix.rows[self._row] if matrix is not None and self._row < len(matrix.rows) else None

    @property
    def selected_node(self) -> str:
        """The node under the cursor."""
        matrix = self._matrix
        return matrix.nodes[self._column] if matrix is not None and self._column < len(matrix.nodes) else ""

    def select(self, step_id: str) -> None:
        """Put the cursor on a step."""
        matrix = self._matrix
        if matrix is None or step_id not in matrix.steps:
            return
        self._row = matrix.row_of(step_id)
        node = matrix.steps[step_id].info.node
        if node in matrix.nodes:
            self._column = matrix.nodes.index(node)
        self._draw_all()

    # --- keys ------------------------------------------------------------------------------------------------

    def action_move(self, rows: int, columns: int) -> None:
        """Move the cursor by a cell."""
        matrix = self._matrix
        if matrix is None or not matrix.rows:
            return
        self._row = min(max(self._row + rows, 0), len(matrix.rows) - 1)
        self._column = min(max(self._column + columns, 0), max(0, len(matrix.nodes) - 1))
        self._draw_all()
        self.post_message(self.Moved())

    def action_page(self, by: int) -> None:
        """Move the cursor by what is in sight."""
        self.action_move(by * max(1, self._room - 1), 0)

    def action_edge(self, by: int) -> None:
        """Move the cursor to the first row or the last."""
        if self._matrix is not None:
            self.action_move(by * len(self._matrix.rows), 0)

    def find(self, wanted: str) -> bool:
        """Put the cursor on the cell that words mean; whether there is one."""
        matrix = self._matrix
        found = matrix.find(wanted, self._row, self.selected_node) if matrix is not None else None
        if matrix is None or found is None:
            return False
        self._row, node = found
        self._column = matrix.nodes.index(node) if node in matrix.nodes else self._column
        self._draw_all()
        return True

    @property
    def place(self) -> tuple[int, int]:
        """The row and the column of the cursor."""
        return self._row, self._column

    @place.setter
    def place(self, place: tuple[int, int]) -> None:
        self._row, self._column = place
        self._draw_all()

    # --- the picture -----------------------------------------------------------------------------------------

    def on_resize(self, _: events.Resize) -> None:
        """Use the room."""
        self._draw_all()

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Head, a line of all nodes where they do not fit, and all rows."""
        matrix = self._matrix
        if matrix is None:
            return 0
        return 1 + (len(matrix.nodes) > self._columns(width).count) + len(matrix.rows)

    @property
    def _head_lines(self) -> int:
        matrix = self._matrix
        return 2 if matrix is not None and len(matrix.nodes) > self._columns(self.content_size.width).count else 1

    @property
    def _room(self) -> int:
        """How many rows are in sight."""
        return max(1, self.content_size.height - self._head_lines)

    def _columns(self, width: int) -> _Columns:
        matrix = self._matrix
        assert matrix is not None
        nodes = max(1, len(matrix.nodes))
        longest = max((cell_len(str(row.title)) for row in matrix.rows), default=0) + 3
        count = min(nodes, max(1, (width - 1 - LEAST_LABEL) // LEAST_COLUMN))
        fitting = (each for each in WIDTHS if longest + count * each <= width - 1)
        wanted = LEAST_COLUMN if count < nodes else next(fitting, LEAST_COLUMN)
        label = max(LEAST_LABEL, min(longest, MOST_LABEL, width - 1 - count * wanted))
        room = max(1, width - label - 1)
        first = self._columns_seen.first(self._column, nodes, count)
        return _Columns(label, min(MOST_COLUMN, room // count), first, count)

    def _draw_all(self) -> None:
        matrix, width = self._matrix, self.content_size.width
        if matrix is None or width == 0:
            return
        columns = self._columns(width)
        self._columns_seen.look(self._column, max(1, len(matrix.nodes)), columns.count)
        room = self._room
        top = self._rows_seen.look(self._row, len(matrix.rows), room)
        lines = [self._head(matrix, columns)]
        if columns.count < len(matrix.nodes):
            lines.append(self._lanes(matrix, columns, width))
        rows = range(top, min(len(matrix.rows), top + room))
        bar = _scroll_bar(len(matrix.rows), top, room) if room < len(matrix.rows) else {}
        for row in rows:
            spans = (*self._line(matrix, row, columns, width), *self._scroll_span(bar, row - top, width))
            lines.append(spans)
        self.draw(lines, cursor="cursor")

    def _scroll_span(self, bar: dict[int, bool], y: int, width: int) -> Iterable[Span]:
        if bar:
            signs = ("#", "|") if self._ascii else ("┃", "│")
            yield Span(width - 1, signs[0] if bar.get(y) else signs[1], "accent" if bar.get(y) else "muted")

    def _head(self, matrix: Matrix, columns: _Columns) -> Spans:
        """Names of the nodes in sight, with how many of their steps are settled where there is room."""
        spans = [Span(1, str(T("run_screen.step")), "muted", columns.label - 1)]
        room = columns.column - 1
        counts = [matrix.lane_counts(node) for node in matrix.nodes]
        names = [(node, f"{settled}/{steps}") for node, (settled, steps) in zip(matrix.nodes, counts, strict=True)]
        # By the longest count there can be, so that counts do not come and go with the run.
        longest = max(
            (cell_len(node) + 2 * len(str(steps)) for node, (_, steps) in zip(matrix.nodes, counts, strict=True)),
            default=0,
        )
        counted = longest + 1 < room
        for index in range(columns.first, min(len(names), columns.first + columns.count)):
            name = " ".join(names[index]) if counted else names[index][0]
            look = "bold underline accent" if index == self._column else "bold"
            x = columns.label + (index - columns.first) * columns.column
            spans.append(Span(x, cut_name(name, room, self._cut_mark), look, room))
        return tuple(spans)

    def _lanes(self, matrix: Matrix, columns: _Columns, width: int) -> Spans:
        """One sign for every node; those in sight are underlined."""
        last = columns.first + columns.count
        spans = [Span(1, f"{columns.first + 1}-{last}/{len(matrix.nodes)}", "muted", 9)]
        x = 11
        for index, node in enumerate(matrix.nodes[: width - x - 1]):
            status = matrix.lane_status(node)
            stalled = any(step.stall is not None for step in matrix.lanes[node])
            mark = STALLED if stalled and status is StepStatus.RUNNING else STEP_MARKS[status]
            look = f"{mark.look} underline" if columns.first <= index < last else mark.look
            look = f"{look} reverse" if index == self._column else look
            spans.append(Span(x + index, mark.sign(ascii_only=self._ascii), look))
        return tuple(spans)

    def _line(self, matrix: Matrix, index: int, columns: _Columns, width: int) -> Iterable[Span]:
        row = matrix.rows[index]
        here = index == self._row
        pointer = (">" if self._ascii else "▸") if here else ""
        yield Span(0, pointer, "bold accent", 1)
        title = cut(str(row.title), columns.label - 2, self._cut_mark)
        yield Span(1, title, self._label_look(row, here=here), columns.label - 1)
        if row.shared is not None:
            yield self._across(row, row.shared, columns, width, here=here)
            return
        for place in range(columns.count if matrix.nodes else 0):
            number = columns.first + place
            step = row.cells.get(matrix.nodes[number])
            key = "cursor" if here and number == self._column else None
            x, cells = columns.label + place * columns.column, columns.column - 1
            if step is None:
                yield Span(x, "", "", cells, key)
            else:
                text = step_cell(step, self._moment, cells, ascii_only=self._ascii)
                yield Span(x, text, step_mark(step, self._moment).look, cells, key)

    def _across(self, row: Row, step: StepState, columns: _Columns, width: int, *, here: bool) -> Span:
        """A step that belongs to no node, across all of them; a gate is a line that is drawn."""
        cells = min(columns.count * columns.column - 1, width - columns.label - 1)
        rule = "-" if self._ascii else "─"
        text = step_cell(step, self._moment, max(3, cells - 6), ascii_only=self._ascii)
        if not row.gate:
            text = f"{T('run_screen.this_machine')}  {text}"
        else:
            text = f"{rule * 2} {text} "
            text += rule * max(0, cells - cell_len(text))
        return Span(columns.label, text, step_mark(step, self._moment).look, cells, "cursor" if here else None)

    def _label_look(self, row: Row, *, here: bool) -> str:
        if any(in_trouble(step) for step in row.cells.values()):
            return "bold"
        if here or any(step.status in _ACTIVE for step in row.cells.values()):
            return "bold"
        return "" if not all(step.status.settled for step in row.cells.values()) else "muted"

    @property
    def _cut_mark(self) -> str:
        return "~" if self._ascii else "…"


def _scroll_bar(total: int, top: int, room: int) -> dict[int, bool]:
    """For every line in sight, whether the thumb is there."""
    size = max(1, room * room // total)
    begin = 0 if total <= room else round(top * (room - size) / (total - room))
    return {y: begin <= y < begin + size for y in range(room)}
