"""Nodes: the servers as a table that is edited in place, with what the real servers answer beside what was typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import events, work
from textual.binding import BindingType
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.words import T
from rbdtui.workbench import operations, sections
from rbdtui.workbench.draft import Data
from rbdtui.workbench.node_rows import NodeRow, node_rows
from rbdtui.workbench.pasting import add_pasted, addresses_in, put_addresses
from screens.base import Words, css, key
from screens.edit import UNDO_KEYS, EditScreen
from screens.node_detail import detail_lines
from screens.widgets.cell_line import CellLine
from screens.widgets.cell_table import CellTable
from screens.widgets.node_table import FIELDS, NodeTable

JUDGE_AFTER_S: Final = 0.25
"""How long after a letter the draft takes over what is being typed; far below a second, so that a crash loses none."""


@dataclass(slots=True)
class _Editing:
    """A cell that is being edited."""

    index: int
    column: str
    before: str
    text: str
    added: bool
    """Whether the node was added for this, and goes again when it is given up."""

    number: int
    """Which editing this is, counted from the first."""

    def is_address(self, text: str) -> bool:
        """Whether an address is typed where a new server's name stands, which is made up already."""
        return self.added and self.column == "name" and operations.is_address_begun(text)

    @property
    def mark(self) -> str:
        """What makes all changes of this editing one step of undo."""
        return f"cell {self.number}"


class NodesScreen(EditScreen):
    """The servers of the site."""

    SECTION = sections.NODES
    CSS_PATH = css("nodes")
    AUTO_FOCUS = "#table"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("a", "add", "add"),
        key("e,enter,f2", "edit", "edit"),
        key("p", "paste", "paste"),
        key("t", "trust", "trust"),
        key("l", "login", "login"),
        key("y", "duplicate", "duplicate"),
        key("d,delete", "remove", "delete"),
        *UNDO_KEYS,
        key("g,f5", "ask_again", "again"),
        key("T", "trust_all", "trust_all"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[NodeRow] = []
        self._editing: _Editing | None = None
        self._edited = 0
        self._judging: Timer | None = None

    def body(self) -> Iterable[Widget]:
        """Table, the field that lies over a cell of it, and what is to be said of the server under the cursor."""
        yield Words(self._how_to_begin, id="empty")
        yield NodeTable(id="table")
        yield Static(id="detail")
        yield CellLine(id="cell")

    # --- what is shown ---------------------------------------------------------------------------------------

    def refresh_view(self) -> None:
        """Draw what servers answered, and what is wrong with what was typed."""
        workbench = self.workbench
        count = len(self._rows)
        self._rows = node_rows(workbench.draft.data, workbench.live, workbench.findings)
        self._table.display = self.query_one("#detail").display = bool(self._rows)
        self.query_one("#empty").display = not self._rows
        self._table.show_rows(self._rows)
        if self._editing is not None:
            self.query_one(CellLine).lie_over(self._table.cell_region(), self._table.size.width)
        self._draw_detail()
        if bool(count) != bool(self._rows):
            self.refresh_bindings()
            if self._rows and self._editing is None:
                self._table.focus()

    def _how_to_begin(self) -> Line:
        """What stands in place of the table while there are no servers."""
        page = Line(f"{T('nodes.empty_title')}\n\n", style="bold")
        for sign, what in (("a", T("nodes.empty_add")), ("p", T("nodes.empty_paste")), ("0", T("nodes.empty_site"))):
            page.append(f" {sign}", style=self.style("accent", bold=True))
            page.append(f"  {what}\n", style="not bold default")
        page.append(f"\n{T('nodes.empty_then')}", style="not bold dim")
        return page

    @property
    def _table(self) -> NodeTable:
        return self.query_one(NodeTable)

    @property
    def _row(self) -> NodeRow | None:
        """The server under the cursor."""
        return self._rows[self._table.row] if self._table.row < len(self._rows) else None

    def _draw_detail(self) -> None:
        """What is to be said of the server under the cursor, or how to begin."""
        detail, row = self.query_one("#detail", Static), self._row
        if row is None:
            return
        most = max(1, (detail.size.height - 2) // 4)
        page = Line("\n").join(detail_lines(self, self.workbench, row, self._table.column, most))
        if page != detail.content:
            detail.update(page, layout=False)

    def on_cell_table_moved(self, _: CellTable.Moved) -> None:
        """The cursor is elsewhere: a cell that was left by the mouse is done."""
        editing, row = self._editing, self._row
        if (
            editing is not None
            and row is not None
            and (row.index, self._table.column) != (editing.index, editing.column)
        ):
            self._finish(editing.text)
        self._draw_detail()

    def on_cell_table_resized(self, _: CellTable.Resized) -> None:
        """Fit the columns into another width."""
        if self.is_mounted:
            self.refresh_view()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a server is there only with one; nothing but the cell while it is edited."""
        if action in ("edit", "trust", "login", "duplicate", "remove", "ask_again", "trust_all"):
            return bool(self._rows) and self._editing is None
        if action in ("add", "paste", "undo", "redo") and self._editing is not None:
            return False
        return super().check_action(action, parameters)

    def copy_text(self) -> str:
        """The server under the cursor with all that is said of it."""
        return f"{self._table.row_text}\n{self.query_one('#detail', Static).content}"

    def jump(self, field: str) -> None:
        """Put the cursor on a field, named by its path or by the name of its node."""
        for place, row in enumerate(self._rows):
            path = f"nodes[{row.index}]"
            if field in (row.name, path) or field.startswith(f"{path}."):
                below = field.removeprefix(path).removeprefix(".")
                column = next((column for column, name in FIELDS.items() if name == below), "")
                self._table.put_cursor(place, column)
                return

    # --- editing ---------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Edit the cell under the cursor."""
        self._begin(self._table.column)

    def _begin(self, column: str, *, added: bool = False, replace: bool = False) -> None:
        row, table = self._row, self._table
        if row is None:
            return
        self._editing = None
        table.put_cursor(table.row, column)
        text = table.editable_text(row, column)
        self._edited += 1
        self._editing = _Editing(row.index, column, text, text, added, self._edited)
        hint = operations.following_address(self.workbench.draft.data, row.index) if column == "address" else ""
        line = self.query_one(CellLine)
        line.lie_over(table.cell_region(), table.size.width)
        line.open(text, placeholder=hint, replace=replace)
        self.refresh_bindings()

    def on_cell_line_typed(self, event: CellLine.Typed) -> None:
        """Have the draft take the text over in a moment, so that a letter costs no judging."""
        if self._editing is not None:
            self._editing.text = event.text
            if self._judging is None:
                self._judging = self.set_timer(JUDGE_AFTER_S, self._judge)

    def _judge(self) -> None:
        """Have the draft take over what stands in the cell."""
        self._cancel_judging()
        editing = self._editing
        if editing is not None:
            self.workbench.change(lambda data: _put(data, editing, editing.text), merge=editing.mark)

    def _cancel_judging(self) -> None:
        if self._judging is not None:
            self._judging.stop()
            self._judging = None

    def on_cell_line_finished(self, event: CellLine.Finished) -> None:
        """Accept the cell and go on; from the name of a new node to its address, unless that was typed there."""
        editing = self._editing
        if editing is not None and editing.is_address(event.text):
            self._put_name_back(editing)
        new_name = editing is not None and editing.added and editing.column == "name"
        self._finish(event.text)
        self._onward("next" if new_name and event.onward == "stay" else event.onward)

    def _put_name_back(self, editing: _Editing) -> None:
        """What was typed for a name is the address: the name is as it was, and the address is being edited."""
        index, name = editing.index, editing.before
        self.workbench.change(lambda data: operations.put_in_node(data, index, "name", name), merge=editing.mark)
        editing.column, editing.before = "address", ""
        self._table.put_cursor(self._table.row, "address")

    def _finish(self, text: str) -> None:
        editing = self._close()
        if editing is None:
            return
        if editing.column == "address":
            text = operations.completed_address(self.workbench.draft.data, editing.index, text)
        addresses = addresses_in(text) if editing.column == "address" else []
        if addresses:
            self.workbench.change(lambda data: put_addresses(data, editing.index, addresses), merge=editing.mark)
            self.tell(T("nodes.range_taken", count=len(addresses), first=addresses[0], last=addresses[-1]))
        else:
            self.workbench.change(lambda data: _put_finally(data, editing, text), merge=editing.mark)

    def _close(self) -> _Editing | None:
        """End editing; what was edited."""
        editing, self._editing = self._editing, None
        self._cancel_judging()
        self.query_one(CellLine).display = False
        self._table.focus()
        self.refresh_bindings()
        return editing

    def on_cell_line_given_up(self, _: CellLine.GivenUp) -> None:
        """Have the cell as it was; a node that was added for it goes."""
        editing = self._close()
        if editing is None:
            return
        self.workbench.change(lambda data: _put(data, editing, editing.before), merge=editing.mark)
        if editing.added:
            self.workbench.undo(for_good=True)

    def _onward(self, onward: str) -> None:
        """Where the cursor goes from a cell that is done."""
        table = self._table
        typed = [column for column in table.columns if column in FIELDS]
        place = typed.index(table.column)
        if onward in ("up", "down"):
            row = table.row + (1 if onward == "down" else -1)
            if 0 <= row < len(self._rows):
                table.put_cursor(row, table.column)
                self._begin(table.column)
        elif onward != "stay" and 0 <= (place := place + (1 if onward == "next" else -1)) < len(typed):
            self._begin(typed[place])

    # --- servers come and go ---------------------------------------------------------------------------------

    def action_add(self) -> None:
        """Add a server and begin to type its name."""
        if not operations.room_for_nodes(self.workbench.draft.data):
            self.tell(T("paste.no_room", most=operations.MOST_NODES), bad=True)
            return
        self.workbench.change(operations.add_node)
        self._show_added(len(operations.nodes_in(self.workbench.draft.data)) - 1)

    def action_duplicate(self) -> None:
        """Add a server like the one under the cursor."""
        row = self._row
        if row is None:
            return
        if not operations.room_for_nodes(self.workbench.draft.data):
            self.tell(T("paste.no_room", most=operations.MOST_NODES), bad=True)
            return
        self.workbench.change(lambda data: operations.duplicate_node(data, row.index))
        self._show_added(self._table.row + 1)

    def _show_added(self, place: int) -> None:
        self.refresh_view()
        self._table.put_cursor(place, "name")
        self._begin("name", added=True, replace=True)

    def action_remove(self) -> None:
        """Take the server under the cursor out; undo brings it back."""
        row = self._row
        if row is not None:
            self.workbench.change(lambda data: operations.remove_node(data, row.index))
            self.refresh_view()
            self.tell(T("nodes.removed", node=row.name or row.address or str(row.index + 1)))

    def action_paste(self) -> None:
        """Have a list typed or pasted."""
        self._ask_list("")

    def on_paste(self, event: events.Paste) -> None:
        """A list that is pasted anywhere here."""
        event.stop()
        if event.text.strip() and self._editing is None:
            self._ask_list(event.text)

    def on_cell_line_pasted_lines(self, event: CellLine.PastedLines) -> None:
        """A list that is pasted into a cell is not the cell's."""
        editing = self._editing
        if editing is not None:
            self.query_one(CellLine).post_message(CellLine.GivenUp())
            self._ask_list(event.text)

    @work(group="dialog", exit_on_error=False)
    async def _ask_list(self, text: str) -> None:
        from screens.dialogs.paste import PasteDialog

        pasted = await self.program.ask(PasteDialog(text))
        if pasted is not None and pasted.nodes:
            self.workbench.change(lambda data: add_pasted(data, pasted))
            self.refresh_view()
            self._table.put_cursor(len(self._rows) - 1)
            self.tell(T("nodes.pasted", count=len(pasted.nodes), refused=pasted.refused))

    # --- servers asked ---------------------------------------------------------------------------------------

    def action_ask_again(self) -> None:
        """Ask the server under the cursor once more."""
        row = self._row
        if row is not None:
            self.workbench.ask_again(row.name)
            self.tell(T("nodes.asked_again", node=row.name))

    @work(group="dialog", exit_on_error=False)
    async def action_login(self) -> None:
        """How to log in to the server under the cursor."""
        from screens.dialogs.login import LoginDialog

        row = self._row
        if row is not None:
            await self.program.ask(LoginDialog(row.index, row.name))

    def action_trust(self) -> None:
        """Compare and pin the host key of the server under the cursor."""
        row = self._row
        if row is not None:
            self._ask_trust(row.name)

    def action_trust_all(self) -> None:
        """Compare and pin the host keys of all servers."""
        self._ask_trust("")

    @work(group="dialog", exit_on_error=False)
    async def _ask_trust(self, node: str) -> None:
        from screens.dialogs.trust import TrustDialog

        if pinned := await self.program.ask(TrustDialog(node)):
            self.tell(T("trust.pinned", count=pinned))


def _put(data: Data, editing: _Editing, text: str) -> None:
    """Put what is being typed into the draft as it stands, right or wrong."""
    match editing.column:
        case "name" if editing.added:
            is_address = editing.is_address(text)
            operations.put_in_node(data, editing.index, "name", editing.before if is_address else text.strip())
            operations.put_in_node(data, editing.index, "address", text.strip() if is_address else "")
        case "port":
            operations.put(data, f"nodes[{editing.index}].ssh.port", operations.number_or_text(text))
        case "user":
            operations.put(data, f"nodes[{editing.index}].ssh.user", text.strip())
        case column:
            operations.put_in_node(data, editing.index, column, text.strip())


def _put_finally(data: Data, editing: _Editing, text: str) -> None:
    """Put what was typed into the draft; an address may bring user and port."""
    if editing.column == "address":
        operations.put_where(data, editing.index, text)
    else:
        _put(data, editing, text)
