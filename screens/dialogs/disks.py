"""The disks of all servers, to choose from for Ceph: what each is, and why it cannot be chosen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.terminal_text import clean_line
from rbdtui.words import T, Text
from rbdtui.workbench.live.disk_offers import Chosen, OfferedDisk, chosen_disks, offered_disks, toggled
from screens.shell.base import Dialog, Words, key
from screens.widgets.choices import Choices


class DisksDialog(Dialog[list[Chosen]]):
    """Answers what is chosen, as it stands in cluster.yaml."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("space", "toggle_disk", "toggle_disk", priority=True),
        key("enter", "take", "done", priority=True),
    ]
    AUTO_FOCUS = "#choices"

    def __init__(self) -> None:
        super().__init__()
        self._chosen: list[Chosen] | None = None
        self._offers: list[OfferedDisk] = []

    def title_text(self) -> Text:
        """That disks for Ceph are chosen."""
        return T("disks_dialog.title")

    def body(self) -> Iterable[Widget]:
        """What may be chosen, the disks, and how many are."""
        yield Words(T("disks_dialog.explain"), classes="paragraph")
        yield Choices(id="choices", compact=True, markup=False)
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
        if offers == self._offers and not self.redraw and self._list.option_count:
            return
        self._offers = offers
        self._show(T("disks_dialog.none") if facts else T("disks_dialog.nobody"))

    @property
    def _list(self) -> OptionList:
        return self.query_one("#choices", OptionList)

    def _show(self, nothing: Text) -> None:
        listed, before = self._list, self._list.highlighted
        listed.clear_options()
        listed.add_options([Option(self._line(offer)) for offer in self._offers] or [Option(str(nothing))])
        listed.highlighted = min(before or 0, listed.option_count - 1)
        self._count()

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
        at = self._list.highlighted
        if at is None or at >= len(self._offers) or self._chosen is None:
            return
        offer = self._offers[at]
        refusal = offer.refusal
        if refusal is not None and not self._is_chosen(offer):
            self.tell(refusal, bad=True)
            return
        self._chosen = toggled(self._chosen, offer)
        self._list.replace_option_prompt_at_index(at, self._line(offer))
        self._count()

    def action_take(self) -> None:
        """Dismiss with the disks that are chosen."""
        self.dismiss(self._chosen)
