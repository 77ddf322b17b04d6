"""The disks of all servers, to choose from for Ceph: what each is, and why it cannot be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets.option_list import Option

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.draft.operations import field_of, nodes_in
from rbdtui.workbench.live.disk_offers import Chosen, OfferedDisk, chosen_disks, offered_disks, toggled
from screens.dialogs.list_dialog import ListDialog
from screens.shell.base import Words, key
from screens.shell.list_screen import SEARCH_KEY


class DisksDialog(ListDialog[list[Chosen]]):
    """Answers what is chosen, as it stands in cluster.yaml."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("space", "toggle_disk", "toggle_disk", priority=True),
        key("enter", "take", "done", priority=True),
        SEARCH_KEY,
    ]

    def __init__(self) -> None:
        super().__init__()
        self._chosen: list[Chosen] | None = None
        self._offers: list[OfferedDisk] = []
        self._nothing: Text | None = None
        """What stands there while there are none."""

    def title_text(self) -> Text:
        """That disks for Ceph are chosen."""
        return T("disks_dialog.title")

    def body(self) -> Iterable[Widget]:
        """What may be chosen, the disks, and how many are."""
        yield Words(T("disks_dialog.explain"), classes="paragraph")
        yield from self.list_widgets()
        yield Words(id="count")

    def refresh_view(self) -> None:
        """List what the servers say now; what was chosen here stays chosen."""
        workbench = self.program.workbench
        if workbench is None:
            return
        if self._chosen is None:
            self._chosen = chosen_disks(workbench.draft.data)
        facts = workbench.live.facts
        offers = offered_disks(workbench.draft.data, facts)
        nothing = T("disks_dialog.none") if facts else T("disks_dialog.nobody")
        if offers == self._offers and nothing == self._nothing and not self.redraw:
            return
        here = self.here
        entry = self._offers[here].entry if here is not None else None
        self._offers, self._nothing = offers, nothing
        self.lay_out(next((place for place, offer in enumerate(offers) if offer.entry == entry), None))
        if not offers:
            self.listed.add_option(Option(str(nothing)))
        self._count()

    @property
    def count(self) -> int:
        """How many disks there are."""
        return len(self._offers)

    def option(self, place: int) -> Option:
        """One of them as it is listed."""
        return Option(self._line(self._offers[place]))

    def searched(self, place: int) -> str:
        """Its server with the address, and what it is."""
        offer, data = self._offers[place], self.program.workbench.draft.data if self.program.workbench else {}
        address = next((field_of(node, "address") for _, node in nodes_in(data) if node.get("name") == offer.node), "")
        return f"{offer.node} {address} {offer.words}"

    def _count(self) -> None:
        chosen = self._chosen or []
        servers = len({each.get("node") for each in chosen})
        self.query_one("#count", Words).text = T("disks_dialog.count", disks=len(chosen), servers=servers)

    def _is_chosen(self, offer: OfferedDisk) -> bool:
        return any(offer.is_like(each) for each in self._chosen or [])

    def _line(self, offer: OfferedDisk) -> Line:
        mark = "[x]" if self._is_chosen(offer) else "[ ]" if offer.refusal is None else " - "
        line = Line(f"{mark} {clean_line(offer.node)}  ", no_wrap=True)
        style = "dim" if offer.refusal is not None or offer.disk is None else "default"
        return line.append(clean_line(str(offer.words)), style=style)

    def action_toggle_disk(self) -> None:
        """Choose what is under the cursor, or drop it; say why it cannot be chosen."""
        here, at = self.here, self.listed.highlighted
        if here is None or at is None or self._chosen is None:
            return
        offer = self._offers[here]
        refusal = offer.refusal
        if refusal is not None and not self._is_chosen(offer):
            self.tell(refusal, bad=True)
            return
        self._chosen = toggled(self._chosen, offer)
        self.listed.replace_option_prompt_at_index(at, self._line(offer))
        self._count()

    def action_take(self) -> None:
        """Dismiss with the disks that are chosen."""
        self.dismiss(self._chosen)
