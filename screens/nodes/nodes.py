"""Nodes: the servers as a table that is edited in place, with what the real servers answer beside what was typed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from rich.text import Text as Line
from textual import events, work
from textual.binding import BindingType
from textual.containers import Container
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from rbdtui.findings import Finding
from rbdtui.spec.values import MAX_NODES
from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.draft import operations
from rbdtui.workbench.draft.cell_edit import FIELDS, SHARED, CellEdit
from rbdtui.workbench.draft.operations import value_at
from rbdtui.workbench.live.node_rows import NodeRow, findings_by_node, node_rows
from rbdtui.workbench.pasting import add_pasted, addresses_in, put_addresses
from rbdtui.workbench.roles import roles_of
from rbdtui.workbench.row_view import ListedRow
from screens.nodes.cell_line import LEAST_CELLS, CellLine
from screens.nodes.node_detail import detail_lines
from screens.nodes.node_table import NodeTable
from screens.shell.base import Words, css, key
from screens.shell.edit import UNDO_KEYS
from screens.shell.row_list import LIST_KEYS, RowListScreen
from screens.widgets.cell_table import CellTable
from screens.widgets.hanging import broken_page
from screens.widgets.view_line import SearchBar, ViewLine

MOST_NAMES: Final = 12
"""Of the servers that a question is about."""
EDITS: Final = (
    "add", "paste", "undo", "redo", "search", "problems", "sort", "mark", "mark_all", "clear_view",
)  # fmt: skip
"""What is not there while a cell is being typed."""
JUDGE_AFTER_S: Final = 0.25
"""How long after a letter the draft takes over what is being typed; far below a second, so that a crash loses none."""


class NodesScreen(RowListScreen):
    """The servers of the site."""

    SECTION = sections.NODES
    CSS_PATH = css("nodes")
    AUTO_FOCUS = "#table"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("a", "add", "add"),
        key("e,enter,f2", "edit", "edit"),
        *LIST_KEYS[:1],
        key("space,m", "mark", "mark"),
        key("d,delete", "remove", "delete"),
        key("p", "paste", "paste"),
        key("t", "trust", "trust"),
        key("l", "login", "login"),
        key("n", "fields", "node_fields", show=False),
        key("y", "duplicate", "duplicate"),
        *UNDO_KEYS,
        *LIST_KEYS[1:],
        key("g,f5", "ask_again", "again"),
        key("T", "trust_all", "trust_all"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[int, NodeRow] = {}
        """All servers by their places in the list."""
        self._findings: dict[int, list[Finding]] = {}
        self._editing: CellEdit | None = None
        self._begun_at: int | None = None
        """The server under the cursor when the cell was begun."""
        self._edited = 0
        self._judging: Timer | None = None

    def body(self) -> Iterable[Widget]:
        """Table, the field that lies over a cell of it, and what is to be said of the server under the cursor."""
        yield Words(self._how_to_begin, id="empty")
        yield ViewLine()
        with Container(id="sides"):
            yield NodeTable(id="table")
            yield Static(id="detail")
        yield SearchBar()
        yield CellLine(id="cell")

    # --- what is shown ---------------------------------------------------------------------------------------

    def refresh_view(self) -> None:
        """Draw what servers answered, and what is wrong with what was typed."""
        had = bool(self._rows)
        super().refresh_view()
        self.query_one("#sides").display = bool(self._rows)
        self.query_one("#empty").display = not self._rows
        if had != bool(self._rows):
            self.refresh_bindings()
            if self._rows and self._editing is None:
                self.table.focus()

    def read_rows(self) -> Sequence[ListedRow]:
        """All servers, with what they answer."""
        data, findings = self.workbench.draft.data, self.workbench.findings
        rows = node_rows(data, self.workbench.live, findings)
        self._rows, self._findings = {row.index: row for row in rows}, findings_by_node(data, findings)
        return [ListedRow(row.index, row.name, row.address, row.mark) for row in rows]

    def searched(self, index: int) -> str:
        """What stands in the row, the roles, and what is wrong."""
        row, node = self._rows[index], value_at(self.workbench.draft.data, f"nodes[{index}]")
        roles = roles_of(node) if isinstance(node, dict) else []
        found = [str(finding.message) for finding in self._findings.get(index, ())]
        return " ".join(
            [row.name, row.address, row.user, row.port, str(row.login.text), str(row.os.text), *roles, *found]
        )

    def show_rows(self) -> None:
        """Draw the servers that are seen."""
        self.table.show_rows([self._rows[index] for index in self.shown], self.view.marked, self.nothing_seen())
        if self._editing is not None:
            self._lay_cell()
        self._draw_detail()

    def places_moved(self, places: Mapping[int, int]) -> None:
        """The cell that is being typed stays its server's; a server that has gone takes it along."""
        if self._editing is not None and not self._editing.moved(places):
            self._close()

    def _lay_cell(self) -> None:
        """Put the field over the cell under the cursor."""
        table = self.table
        shift = table.region.offset - self.query_one("#body").content_region.offset
        self.query_one(CellLine).lie_over(table.field_region(LEAST_CELLS).translate(shift))

    def _how_to_begin(self) -> Line:
        """What stands in place of the table while there are no servers."""
        page = Line(f"{T('nodes.empty_title')}\n\n", style="bold")
        for sign, what in (("a", T("nodes.empty_add")), ("p", T("nodes.empty_paste")), ("0", T("nodes.empty_site"))):
            page.append(f" {sign}", style=self.style("accent", bold=True))
            page.append(f"  {what}\n", style="not bold default")
        page.append(f"\n{T('nodes.empty_then')}", style="not bold dim")
        return page

    @property
    def table(self) -> NodeTable:
        """The servers."""
        return self.query_one(NodeTable)

    @property
    def _row(self) -> NodeRow | None:
        """The server under the cursor."""
        return self._rows.get(self.here) if self.here is not None else None

    def _draw_detail(self) -> None:
        """What is to be said of the server under the cursor, or how to begin."""
        detail, row = self.query_one("#detail", Static), self._row
        if row is None:
            return
        most = max(1, (detail.size.height - 2) // 4)
        lines = detail_lines(self, self.workbench, row, self.table.column, most, beside=self.has_class("-broad"))
        cells = detail.content_size.width
        page = Line("\n").join(broken_page(line, cells) for line in lines)
        if page != detail.content:
            detail.update(page, layout=False)

    def on_cell_table_moved(self, _: CellTable.Moved) -> None:
        """The cursor is elsewhere: a cell that was left by the mouse is done."""
        editing = self._editing
        if editing is not None and (self.here, self.table.column) != (self._begun_at, editing.column):
            self._finish(editing.text)
        self.note_move()
        self._draw_detail()

    def on_cell_table_resized(self, _: CellTable.Resized) -> None:
        """Fit the columns into another width."""
        if self.is_mounted:
            self.refresh_view()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """What needs a server is there only with one; nothing but the cell while it is edited."""
        if action in ("edit", "trust", "login", "duplicate", "remove", "ask_again"):
            return self._editing is None and not self.searching and (bool(self.shown) or bool(self.view.marked))
        if action == "trust_all":
            return self._editing is None and not self.searching and bool(self._rows)
        if action in EDITS and (self._editing is not None or self.searching):
            return False
        return super().check_action(action, parameters)

    def copy_text(self) -> str:
        """The server under the cursor with all that is said of it."""
        return f"{self.table.row_text}\n{self.query_one('#detail', Static).content}"

    def jump(self, field: str) -> None:
        """Put the cursor on a field, named by its path or by the name of its node."""
        for index, row in self._rows.items():
            path = f"nodes[{index}]"
            if field in (row.name, path) or field.startswith(f"{path}."):
                below = field.removeprefix(path).removeprefix(".")
                self.go_to(index, next((column for column, name in FIELDS.items() if name == below), ""))
                return

    # --- editing ---------------------------------------------------------------------------------------------

    def action_edit(self) -> None:
        """Edit the cell under the cursor, or the column of all servers that are marked."""
        column, indexes = self.table.column, self.targets()
        if self.view.marked and len(indexes) > 1 and column not in SHARED:
            self.tell(T("nodes.not_shared", count=len(indexes)), bad=True)
        elif self.view.marked and indexes:
            self._begin_all(indexes, column)
        else:
            self._begin(column)

    def _begin(self, column: str, *, added: bool = False, replace: bool = False) -> None:
        self.up_to_date()
        row, table = self._row, self.table
        if row is None:
            return
        self._editing = None
        table.put_cursor(table.row, column)
        text = table.editable_text(row, column)
        hint = operations.following_address(self.workbench.draft.data, row.index) if column == "address" else ""
        self._open([row.index], column, text, hint, added=added, replace=replace)

    def _begin_all(self, indexes: list[int], column: str) -> None:
        """Edit a column of several servers; what they have in common stands there."""
        texts = {self.table.editable_text(self._rows[index], column) for index in indexes}
        self._open(
            indexes, column, texts.pop() if len(texts) == 1 else "", str(T("nodes.for_marked", count=len(indexes)))
        )
        if len(indexes) > 1:
            self.tell(T("nodes.edits_marked", count=len(indexes)))

    def _open(
        self, indexes: list[int], column: str, text: str, hint: str, *, added: bool = False, replace: bool = False
    ) -> None:
        self._edited += 1
        data = self.workbench.draft.data
        self._editing = CellEdit.begin(data, indexes, column, text, added=added, number=self._edited)
        self._begun_at = self.here
        self._lay_cell()
        self.query_one(CellLine).open(text, placeholder=hint, replace=replace)
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
        self.up_to_date()
        editing = self._editing
        if editing is not None:
            self.workbench.change(lambda data: editing.put(data, editing.text), merge=editing.mark)

    def _cancel_judging(self) -> None:
        if self._judging is not None:
            self._judging.stop()
            self._judging = None

    def on_cell_line_finished(self, event: CellLine.Finished) -> None:
        """Accept the cell and go on; from the name of a new node to its address, unless that was typed there."""
        self.up_to_date()
        editing = self._editing
        new_name = editing is not None and editing.added and editing.column == "name"
        if editing is not None and editing.is_address(event.text):
            self.workbench.change(editing.name_back, merge=editing.mark)
            self.table.put_cursor(self.table.row, "address")
            new_name = False
        several = editing is not None and editing.several
        self._finish(event.text)
        if not several:
            self._onward("next" if new_name and event.onward == "stay" else event.onward)

    def _finish(self, text: str) -> None:
        self.up_to_date()
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
            self.workbench.change(lambda data: editing.put_finally(data, text), merge=editing.mark)

    def _close(self) -> CellEdit | None:
        """End editing; what was edited."""
        editing, self._editing = self._editing, None
        self._cancel_judging()
        self.query_one(CellLine).display = False
        self.table.focus()
        self.refresh_bindings()
        return editing

    def on_cell_line_given_up(self, _: CellLine.GivenUp) -> None:
        """Have the cell as it was; a node that was added for it goes."""
        self.up_to_date()
        editing = self._close()
        if editing is None:
            return
        self.workbench.change(editing.give_up, merge=editing.mark)
        if editing.added:
            self.workbench.undo(for_good=True)

    def _onward(self, onward: str) -> None:
        """Where the cursor goes from a cell that is done."""
        table = self.table
        typed = [column for column in table.columns if column in FIELDS]
        place = typed.index(table.column)
        if onward in ("up", "down"):
            row = table.row + (1 if onward == "down" else -1)
            if 0 <= row < len(self.shown):
                table.put_cursor(row, table.column)
                self._begin(table.column)
        elif onward != "stay" and 0 <= (place := place + (1 if onward == "next" else -1)) < len(typed):
            self._begin(typed[place])

    # --- servers come and go ---------------------------------------------------------------------------------

    def action_add(self) -> None:
        """Add a server and begin to type its name."""
        if not operations.room_for_nodes(self.workbench.draft.data):
            self.tell(T("paste.no_room", most=MAX_NODES), bad=True)
            return
        self.workbench.change(operations.add_node)
        self._show_added(operations.nodes_in(self.workbench.draft.data)[-1][0])

    def action_duplicate(self) -> None:
        """Add a server like the one under the cursor."""
        targets = self.targets()
        if len(targets) != 1:
            self.tell(T("nodes.one_only", count=len(targets)), bad=True)
        elif not operations.room_for_nodes(self.workbench.draft.data):
            self.tell(T("paste.no_room", most=MAX_NODES), bad=True)
        else:
            self.workbench.change(lambda data: operations.duplicate_node(data, targets[0]))
            self._show_added(targets[0] + 1)

    def _show_added(self, index: int) -> None:
        self.go_to(index, "name")
        self._begin("name", added=True, replace=True)

    def action_remove(self) -> None:
        """Remove what is marked, after a question for more than one, else the server under the cursor."""
        targets = self.targets()
        if len(targets) > 1:
            self._ask_remove(targets)
        elif targets:
            self._remove(targets)

    @work(group="dialog", exit_on_error=False)
    async def _ask_remove(self, targets: Sequence[int]) -> None:
        from screens.dialogs.confirm import ConfirmDialog

        names, count = self._names(targets), len(targets)
        question = T("nodes.remove_several", count=count, names=_listed(names), stay=self._stay)
        if not await self.program.ask(ConfirmDialog(T("nodes.remove_title", count=count), question)):
            return
        targets = self.targets()
        if self._names(targets) == names:
            self._remove(targets)
        else:
            self.tell(T("nodes.changed_meanwhile"), bad=True)

    def _remove(self, targets: Sequence[int]) -> None:
        what = self._said_of(targets)
        self.workbench.change(lambda data: operations.remove_nodes(data, targets))
        self.refresh_view()
        stays = self.workbench.run is not None
        self.tell(T("nodes.removed_stays", node=what) if stays else T("nodes.removed", node=what))

    @property
    def _stay(self) -> Text | str:
        """What is to be known before servers of a cluster are removed from the plan."""
        return T("nodes.they_stay") if self.workbench.run is not None else ""

    def _said_of(self, indexes: Sequence[int]) -> Text | str:
        """A server by its name, several by how many they are."""
        return T("nodes.count", count=len(indexes)) if len(indexes) != 1 else self._names(indexes)[0]

    def _names(self, indexes: Iterable[int]) -> list[str]:
        rows = [self._rows[index] for index in indexes if index in self._rows]
        return [row.name or row.address or str(row.index + 1) for row in rows]

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
        from screens.nodes.paste import PasteDialog

        pasted = await self.program.ask(PasteDialog(text))
        if pasted is None:
            return
        self.workbench.change(lambda data: add_pasted(data, pasted))
        self.refresh_view()
        if pasted.nodes:
            self.go_to(operations.nodes_in(self.workbench.draft.data)[-1][0])
            self.tell(T("nodes.pasted", count=len(pasted.nodes), refused=pasted.refused))

    # --- servers asked ---------------------------------------------------------------------------------------

    def action_ask_again(self) -> None:
        """Ask what is marked, else the server under the cursor, once more."""
        targets = self.targets()
        for index in targets:
            self.workbench.ask_again(self._rows[index].name)
        if targets:
            self.tell(T("nodes.asked_again", node=self._said_of(targets)))

    @work(group="dialog", exit_on_error=False)
    async def action_login(self) -> None:
        """How to log in to what is marked, else to the server under the cursor."""
        from screens.nodes.login import LoginDialog

        if targets := self.targets():
            await self.program.ask(LoginDialog(self.workbench.draft.data, targets))

    @work(group="dialog", exit_on_error=False)
    async def action_fields(self) -> None:
        """Further addresses, labels and taints of what is marked, else of the server under the cursor."""
        from screens.nodes.node_fields import NodeFieldsDialog

        if targets := self.targets():
            await self.program.ask(NodeFieldsDialog(self.workbench.draft.data, targets))

    def action_trust(self) -> None:
        """Compare and pin the host keys of what is marked, else of the server under the cursor."""
        if targets := self.targets():
            self._ask_trust([self._rows[index].name for index in targets])

    def action_trust_all(self) -> None:
        """Compare and pin the host keys of all servers."""
        self._ask_trust(())

    @work(group="dialog", exit_on_error=False)
    async def _ask_trust(self, nodes: Sequence[str]) -> None:
        from screens.nodes.trust import TrustDialog

        if pinned := await self.program.ask(TrustDialog(nodes)):
            self.tell(T("trust.pinned", count=pinned))


def _listed(names: Sequence[str]) -> Text | str:
    """Names in a question: the first ones, and how many more."""
    listed = ", ".join(names[:MOST_NAMES])
    more = len(names) - MOST_NAMES
    return T("nodes.and_more", names=listed, count=more) if more > 0 else listed
