"""Upkeep: snapshots of etcd and the servers of a cluster that stands, and the work that is started on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from typing import ClassVar, Final

from textual import events, on, work
from textual.binding import BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.widget import Widget

from rbdtui.words import T, Text
from rbdtui.workbench import sections
from rbdtui.workbench.draft.operations import field_of, has_mysql_pair, has_rainbond, is_existing, nodes_in
from rbdtui.workbench.row_view import ListedRow, ListView
from rbdtui.workbench.survey import SurveyStatus
from rbdtui.workbench.upkeep import starting
from rbdtui.workbench.upkeep.certificate_survey import CertificateLine
from rbdtui.workbench.upkeep.starting import Prepared
from rbdtui.workbench.upkeep.upkeep import ServerLine, SnapshotLine, Upkeep
from screens.dialogs.confirm import ConfirmDialog
from screens.dialogs.recipe import consent_to
from screens.dialogs.wait import looked
from screens.shell.base import SectionScreen, Words, css, key
from screens.shell.list_screen import CLEAR_KEY, PROBLEMS_KEY, SEARCH_KEY, ListScreen
from screens.shell.sections import entry_of
from screens.terminal import clock
from screens.upkeep.upkeep_lines import (
    Row,
    certificate_details,
    certificate_name,
    certificate_spans,
    mark_of,
    same_row,
    searched,
    server_details,
    server_spans,
    snapshot_details,
    snapshot_spans,
)
from screens.upkeep.where_to import WhereToDialog
from screens.widgets.canvas import Canvas, Span, Spans
from screens.widgets.event_list import LINE_KEYS, EventList
from screens.widgets.message_block import MessageBlock
from screens.widgets.view_line import SearchBar, ViewLine

SNAPSHOTS: Final = "snapshots"
SERVERS: Final = "servers"
CERTIFICATES: Final = "certificates"
PAGES: Final = (SNAPSHOTS, SERVERS, CERTIFICATES)
_WORK: Final = ("take", "restore", "leave", "reboot", "failover", "move", "renew")
"""Keys that start a run."""


class UpkeepList(EventList, inherit_bindings=False):
    """What the page is about, line by line; posts `Moved`."""

    BINDINGS: ClassVar[list[BindingType]] = [*LINE_KEYS]

    class Moved(Message):
        """The cursor is on another line."""

    def put(self, place: int) -> None:
        """Put the cursor on a line, and tell."""
        super().put(place)
        self.post_message(self.Moved())


class UpkeepScreen(ListScreen[None], SectionScreen):
    """One page at a time: what there is, what is wrong with it, and all about what is under the cursor."""

    SECTION = sections.UPKEEP
    CSS_PATH = css("upkeep")
    AUTO_FOCUS = "#list"
    BINDINGS: ClassVar[list[BindingType]] = [
        key("t", "take", "take_snapshot"),
        key("enter", "restore", "restore_snapshot"),
        key("d,delete", "leave", "remove_node"),
        key("b", "reboot", "reboot_node"),
        key("m", "failover", "failover_mysql"),
        key("o", "move", "move_storage"),
        key("n", "renew", "renew_certificates"),
        key("v,right", "turn(1)", "next_page"),
        key("left", "turn(-1)", "next_page", show=False),
        SEARCH_KEY,
        key("g,f5", "look", "ask_now"),
        PROBLEMS_KEY,
        CLEAR_KEY,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._page = SNAPSHOTS
        self._wanted = False
        """Whether the operator has it asked though nothing seems to be installed."""
        self._drawn = ""
        """The page that was drawn last."""
        self._views = {page: ListView() for page in PAGES}
        self._shown: Sequence[Row] = ()
        """The rows of the page that are seen."""

    def body(self) -> Iterable[Widget]:
        """What must come first; or pages, what is wrong, the list, and what is under the cursor."""
        yield Words(self._none_text, id="none")
        with Vertical(id="upkeep"):
            yield Canvas(id="pages")
            yield MessageBlock(id="wrong")
            yield ViewLine()
            yield UpkeepList(id="list")
            yield Words(self._empty_text, id="empty")
            yield Canvas(id="title")
            yield MessageBlock(id="details")
            yield SearchBar()

    # --- asking ----------------------------------------------------------------------------------------------

    @property
    def _seen(self) -> Upkeep:
        return self.workbench.upkeep.snapshot

    @property
    def _anything_there(self) -> bool:
        """Whether there is or may be a cluster to be asked."""
        ours = not is_existing(self.workbench.draft.data)
        return ours and (self._wanted or self.workbench.may_have_cluster)

    def on_screen_resume(self, _: events.ScreenResume) -> None:
        """Begin to ask."""
        self._begin_if_due()

    def _begin_if_due(self) -> None:
        """What a run has changed is asked anew once it has ended."""
        idle = self._seen.state is SurveyStatus.NONE and self.workbench.active_run is None
        if self.is_mounted and self.is_current and self._anything_there and idle:
            self._begin()

    @work(group="look", exclusive=True, exit_on_error=False)
    async def _begin(self) -> None:
        workbench = self.workbench
        if workbench.needs_secrets and not await self.program.ensure_unlocked(T("passphrase.why_logins")):
            return
        workbench.look_at_upkeep()
        self.refresh_view()

    # --- drawing ---------------------------------------------------------------------------------------------

    def _none_text(self) -> Text:
        seen = self._seen
        if is_existing(self.workbench.draft.data):
            return T("upkeep.not_ours")
        if seen.error is not None:
            return seen.error
        if seen.state is SurveyStatus.LOOKING:
            return T("upkeep.looking")
        if self._anything_there:
            return T("upkeep.busy") if self.workbench.active_run is not None else T("upkeep.locked")
        entry = entry_of(sections.REVIEW)
        return T("upkeep.none", key=entry.key if entry is not None else "")

    def _empty_text(self) -> Text | str:
        if not self._rows_of(self._page):
            return Text(f"upkeep.empty.{self._page}")  # words: upkeep.empty.*
        return T("rows.nothing_matches") if self.view.query.strip() else T("rows.nothing_wrong")

    def _rows_of(self, page: str) -> Sequence[Row]:
        seen = self._seen
        if page == CERTIFICATES:
            return seen.certificates.lines
        return seen.snapshots if page == SNAPSHOTS else seen.servers

    def refresh_view(self) -> None:
        """Draw what is new."""
        seen = self._seen
        known = bool(seen.servers)
        self.query_one("#none").display = not known
        if known and not self.query_one("#upkeep").display:
            self.call_after_refresh(self.refresh_view)
        self.query_one("#upkeep").display = known
        self.call_later(self._begin_if_due)
        if not known:
            self.query_one("#none", Words).refresh(layout=True)
        else:
            self._draw(seen)
        self.refresh_bindings()

    def _draw(self, seen: Upkeep) -> None:
        self._draw_pages()
        self.query_one("#wrong", MessageBlock).lines = tuple(self._wrong(seen))
        listed, empty = self.query_one(UpkeepList), self.query_one("#empty", Words)
        here = self._row if self._drawn == self._page else None
        rows = self._shown = self._seen_rows()
        listed.display, empty.display = bool(rows), not rows
        listed.show(len(rows), lambda index, width: self._spans(rows[index], width))
        place = next((place for place, row in enumerate(rows) if here and same_row(row, here)), 0)
        if self._drawn != self._page or listed.place != place:
            listed.put(place)
        self._drawn = self._page
        self.draw_view_line(len(rows), len(self._rows_of(self._page)))
        if empty.display:
            empty.refresh(layout=True)
        if self.focused is None and listed.display:
            self.set_focus(listed)
        self._draw_details()

    def _draw_pages(self) -> None:
        spans, x = [], 1
        for page in PAGES:
            words = str(
                T("upkeep.page", name=Text(f"upkeep.title.{page}"), count=len(self._rows_of(page)))
            )  # words: upkeep.title.*
            spans.append(Span(x, f"[{words}]" if page == self._page else f" {words} ", self._look_of(page)))
            x += spans[-1].width + 1
        self.query_one("#pages", Canvas).draw([tuple(spans)])

    def _look_of(self, page: str) -> str:
        return "bold accent" if page == self._page else "muted"

    def _wrong(self, seen: Upkeep) -> Iterable[tuple[Text, str]]:
        if seen.error is not None:
            yield seen.error, "error"
        if self._page == CERTIFICATES:
            for node, reason in seen.certificates.silent.items():
                yield T("certs.silent", node=node, reason=reason), "warning"
        if self._page == SNAPSHOTS:
            for node, reason in seen.unasked.items():
                yield T("snapshots.silent", node=node, reason=reason), "warning"
            for late in seen.late:
                yield late, "warning"
            if seen.snapshots and not any(line.can_be_restored for line in seen.snapshots):
                yield T("upkeep.none_whole"), "warning"

    def _spans(self, row: Row, width: int) -> Spans:
        ascii_only = self.program.settings.ascii_only
        if isinstance(row, SnapshotLine):
            return snapshot_spans(row, self._seen.at, width, ascii_only=ascii_only)
        if isinstance(row, CertificateLine):
            return certificate_spans(row, self._seen.at, width, ascii_only=ascii_only)
        return server_spans(row, width, ascii_only=ascii_only)

    @property
    def _row(self) -> Row | None:
        place = self.query_one(UpkeepList).place
        return self._shown[place] if place < len(self._shown) else None

    def _draw_details(self) -> None:
        row, title = self._row, self.query_one("#title", Canvas)
        title.draw([(Span(1, self._heading, "bold accent"),)])
        details: Iterable[tuple[Text, str]] = ()
        if isinstance(row, SnapshotLine):
            details = snapshot_details(row, self._seen.at)
        elif isinstance(row, CertificateLine):
            details = certificate_details(row, self._seen.at)
        elif row is not None:
            details = server_details(row)
        self.query_one("#details", MessageBlock).lines = tuple(details)

    @on(UpkeepList.Moved)
    def _show_row(self) -> None:
        """Say all about the line that the cursor has come to."""
        self._draw_details()
        self.refresh_bindings()

    def on_resize(self, _: events.Resize) -> None:
        """Use the room, once it is known how much each part has."""
        self.call_after_refresh(self.refresh_view)

    def head_right(self) -> str:
        """When it was asked, at the end of the line above, unless there is more to say."""
        said, seen = super().head_right(), self._seen
        if said or not seen.at:
            return said
        if seen.state is SurveyStatus.LOOKING:
            return str(T("upkeep.asking"))
        return str(T("health_screen.asked_at", time=clock.moment(seen.at)))

    def copy_text(self) -> str:
        """What is under the cursor."""
        return self._heading

    @property
    def _heading(self) -> str:
        row = self._row
        if row is None or isinstance(row, ServerLine):
            return row.node if row is not None else ""
        return row.name if isinstance(row, SnapshotLine) else certificate_name(row)

    # --- what is seen of the page ----------------------------------------------------------------------------

    @property
    def view(self) -> ListView:
        """What is wanted to be seen of the page; each has its own."""
        return self._views[self._page]

    @property
    def listed(self) -> UpkeepList:
        """The page's list."""
        return self.query_one(UpkeepList)

    @property
    def is_anything_listed(self) -> bool:
        """Whether the page has any row."""
        return bool(self._seen.servers and self._rows_of(self._page))

    def move_in_list(self, by: int) -> None:
        """Move the cursor by rows."""
        self.listed.action_move(by)

    def narrow(self) -> None:
        """See no more and no less than what is wanted now; the cursor goes to the first row if its own is not."""
        self.refresh_view()

    def _seen_rows(self) -> Sequence[Row]:
        """The rows of the page that are wanted, as they come."""
        rows, nodes, at = self._rows_of(self._page), nodes_in(self.workbench.draft.data), self._seen.at
        addresses = {field_of(node, "name"): field_of(node, "address") for _, node in nodes}
        listed = [ListedRow(place, "", "", mark_of(row, at)) for place, row in enumerate(rows)]
        return [rows[place] for place in self.view.seen(listed, lambda place: searched(rows[place], addresses))]

    # --- keys ------------------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what has a meaning now."""
        if not self.is_mounted or self.program.workbench is None or self.searching:
            return False
        known, row = bool(self._seen.servers), self._row
        if action in _WORK and (not known or self.workbench.active_run is not None):
            return False
        meanings = {
            "take": self._page == SNAPSHOTS,
            "restore": isinstance(row, SnapshotLine) and row.can_be_restored,
            "leave": isinstance(row, ServerLine),
            "reboot": isinstance(row, ServerLine) and row.silent is None,
            "failover": self._page == SERVERS and has_mysql_pair(self.workbench.draft.data),
            "move": self._page == SERVERS and has_rainbond(self.workbench.draft.data),
            "renew": self._page == CERTIFICATES and bool(self._rows_of(CERTIFICATES)),
            "turn": known,
        }
        return meanings[action] if action in meanings else super().check_action(action, parameters)

    def action_turn(self, by: int) -> None:
        """Show the next page, or the one before."""
        self._page = PAGES[(PAGES.index(self._page) + by) % len(PAGES)]
        self.refresh_view()

    def action_look(self) -> None:
        """Ask everything now."""
        self._wanted = True
        if self._anything_there:
            self._begin()

    def action_take(self) -> None:
        """Take a snapshot now."""
        self._carry_out(lambda: starting.prepare_snapshot(self.workbench))

    @work(group="dialog", exit_on_error=False)
    async def action_restore(self) -> None:
        """Set the cluster back to the snapshot under the cursor; who is silent must be off for good."""
        row, silent = self._row, self._seen.silent
        if not isinstance(row, SnapshotLine):
            return
        if silent:
            question = T("upkeep.leave_out", nodes=", ".join(silent))
            if not await self.program.ask(ConfirmDialog(T("upkeep.leave_out_title"), question)):
                return
        self._carry_out(lambda: starting.prepare_restore(self.workbench, row.name, silent))

    def action_leave(self) -> None:
        """Take the server under the cursor out of the cluster."""
        row = self._row
        if isinstance(row, ServerLine) and row.stays is not None:
            self.tell(T("upkeep.stays", reason=row.stays, remedy=row.remedy or ""), bad=True)
        elif isinstance(row, ServerLine) and self.workbench.draft.dirty:
            self.tell(T("upkeep.save_first"), bad=True)
        elif isinstance(row, ServerLine):
            self._carry_out(lambda: starting.prepare_removal(self.workbench, row.node))

    def action_reboot(self) -> None:
        """Start the server under the cursor anew."""
        if isinstance(row := self._row, ServerLine):
            self._carry_out(lambda: starting.prepare_reboot(self.workbench, row.node))

    def action_failover(self) -> None:
        """Make the replica of the MySQL pair the source."""
        if self.workbench.draft.dirty:
            self.tell(T("upkeep.save_first"), bad=True)
        else:
            self._carry_out(lambda: starting.prepare_failover(self.workbench))

    @work(group="dialog", exit_on_error=False)
    async def action_move(self) -> None:
        """Have Rainbond's storage go to a place that is chosen."""
        workbench = self.workbench
        if workbench.draft.dirty:
            self.tell(T("upkeep.save_first"), bad=True)
            return
        if workbench.has_vault and not await self.program.ensure_unlocked(T("upkeep.why_unlock")):
            return
        places = await looked(self, starting.find_places(workbench), T("upkeep.preparing"))
        if places is None:
            return
        if not places:
            self.tell(T("upkeep.nowhere"), bad=True)
            return
        place = await self.program.ask(WhereToDialog(places))
        if place is not None:
            self._carry_out(lambda: starting.prepare_move(workbench, place))

    def action_renew(self) -> None:
        """Have RKE2 make new certificates, one node after the other."""
        self._carry_out(lambda: starting.prepare_renewal(self.workbench))

    @work(group="dialog", exclusive=False, exit_on_error=False)
    async def _carry_out(self, prepare: Callable[[], Future[Prepared]]) -> None:
        """Show what would be done, and begin once it is agreed to."""
        workbench = self.workbench
        if workbench.has_vault and not await self.program.ensure_unlocked(T("upkeep.why_unlock")):
            return
        prepared = await looked(self, prepare(), T("upkeep.preparing"))
        if prepared is None:
            return
        if prepared.is_done:
            self.tell(T("recipe.nothing"))
        elif await self._agreed(prepared) and await self.done(starting.begin(workbench, prepared)):
            self.program.show_section(sections.RUN)

    async def _agreed(self, prepared: Prepared) -> bool:
        agreed = await self.program.ask(consent_to(prepared, self.workbench.session.spec.name))
        return agreed is True
