"""Leaving while a run is under way: it goes on, and this is how to come back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.words import T, Text
from screens.base import Dialog, Words, key
from screens.paths import return_command


class LeaveDialog(Dialog[bool]):
    """Answers True to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("enter", "answer(True)", "leave_now"),
        key("escape", "answer(False)", "stay", priority=True),
    ]

    def title_text(self) -> Text:
        """What it is about."""
        return T("leave.title")

    def body(self) -> Iterable[Widget]:
        """That the run goes on, and how to come back."""
        workbench = self.program.workbench
        run = workbench.active_run if workbench is not None else None
        yield Words(T("leave.goes_on", run=run.run_id if run is not None else ""), classes="paragraph")
        yield Words(T("leave.back"), classes="paragraph")
        yield Words(return_command(workbench.site.path) if workbench is not None else "", classes="command")
        if workbench is not None and workbench.simulated:
            yield Words(T("leave.demo"), classes="paragraph")

    def action_answer(self, answer: bool) -> None:
        """Answer."""
        self.dismiss(answer)
