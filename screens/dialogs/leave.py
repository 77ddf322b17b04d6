"""Leaving while a run is under way: it goes on, and this is how to come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.shell.base import Dialog, Words, key
from screens.terminal.paths import return_command


class LeaveDialog(Dialog[bool]):
    """Answers True to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "answer(True)", "leave_now"),
        key("escape", "answer(False)", "stay", priority=True),
    ]

    def title_text(self) -> Text:
        """That the screen is left while a run is under way, or that the demo ends."""
        workbench = self.program.workbench
        is_demo = workbench is not None and workbench.ends_with_screen
        return T("leave.title_demo") if is_demo else T("leave.title")

    def body(self) -> Iterable[Widget]:
        """That the run continues, and how to come back; in the demo, that nothing does."""
        workbench = self.program.workbench
        if workbench is not None and workbench.ends_with_screen:
            yield Words(T("leave.demo"), classes="paragraph")
            return
        run = workbench.active_run if workbench is not None else None
        yield Words(T("leave.goes_on", run=run.run_id if run is not None else ""), classes="paragraph")
        yield Words(T("leave.back"), classes="paragraph")
        yield Words(return_command(workbench.site.path) if workbench is not None else "", classes="command")

    def action_answer(self, answer: bool) -> None:
        """Dismiss with whether it is left."""
        self.dismiss(answer)
