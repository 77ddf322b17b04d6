"""Faults of the demo's simulated servers: have one fail, hang or reboot, and have it recover."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from typing import ClassVar, Final

from textual import work
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.words import T, Text
from rbdtui.workbench.faults import SHORT_FAULTS, FaultLine
from screens.shell.base import Dialog, Words, key
from screens.widgets.choices import Choices
from screens.widgets.field import ChoiceLine

FAULTS: Final[Mapping[str, tuple[str, Mapping[str, str]]]] = {
    "fail_file": ("fail_next", {"script": "file-write"}),
    "fail_upload": ("fail_next", {"script": "upload-receive"}),
    "fail_service": ("fail_next", {"script": "unit-action"}),
    **{name: (name, {}) for name in SHORT_FAULTS},
}
"""By name: what the simulated servers are asked for."""


class FaultsDialog(Dialog[tuple[str, str]]):
    """Choose a server with left and right, a fault with up and down; answers both once it has happened.

    It goes then, since what follows is to be seen behind it; the next one begins where this one ended.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        key("left", "server(-1)", "other_server"),
        key("right", "server(1)", "other_server"),
        key("enter", "choose", "do"),
    ]
    AUTO_FOCUS = "#faults"

    def __init__(self, faults: FaultLine, begin_at: tuple[str, str] | None = None) -> None:
        super().__init__()
        self._line = faults
        # The second server: the first is where an installation begins.
        self._server, self._fault = begin_at or (faults.nodes[min(1, len(faults.nodes) - 1)], next(iter(FAULTS)))

    def title_text(self) -> Text:
        """That a fault is let happen on a simulated server."""
        return T("faults.title")

    def body(self) -> Iterable[Widget]:
        """Servers above, faults below."""
        yield Words(T("faults.explain"), classes="paragraph")
        yield ChoiceLine(self._line.nodes, id="server")
        yield Choices(id="faults", compact=True, markup=False)

    def on_mount(self) -> None:
        """Begin where it is to begin."""
        server = self.query_one("#server", ChoiceLine)
        server.can_focus = False
        server.value = self._server

    def refresh_view(self) -> None:
        """Say the faults."""
        listed = self.query_one("#faults", OptionList)
        before = listed.highlighted
        listed.clear_options()
        listed.add_options([Option(str(Text(f"faults.{fault}")), id=fault) for fault in FAULTS])  # words: faults.*
        listed.highlighted = list(FAULTS).index(self._fault) if before is None else before

    def action_server(self, by: int) -> None:
        """Choose another server."""
        self.query_one("#server", ChoiceLine).action_step(by)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Have it happen."""
        event.stop()
        self._happen(str(event.option_id), self.query_one("#server", ChoiceLine).value)

    def action_choose(self) -> None:
        """Have what is under the cursor happen."""
        self.query_one("#faults", OptionList).action_select()

    @work(exit_on_error=False)
    async def _happen(self, fault: str, node: str) -> None:
        self.tell(T("faults.asked", fault=Text(f"faults.{fault}"), node=node))
        verb, arguments = FAULTS[fault]
        problem = await asyncio.to_thread(partial(self._line.ask, verb, node, **arguments))
        if problem is None:
            self.dismiss((node, fault))
            self.app.call_later(self.program.tell, T("faults.done", fault=Text(f"faults.{fault}"), node=node))
        else:
            self.tell(T("faults.refused", reason=problem), bad=True)
