"""The consent to a repair: every command and every difference of a file, and what it does not promise."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.plan.preview import PreviewedStep
from rbdtui.words import T, Text
from screens.dialogs.changes import change_text
from screens.shell.base import Dialog, Words, key


class RepairDialog(Dialog[bool]):
    """Answers True when it is to be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("y", "answer(True)", "yes"),
        key("n", "answer(False)", "no"),
    ]
    AUTO_FOCUS = "#page"

    def __init__(self, steps: Sequence[PreviewedStep]) -> None:
        super().__init__()
        self._steps = steps

    def title_text(self) -> Text:
        """What it is about."""
        return T("repair.question")

    def body(self) -> Iterable[Widget]:
        """What would be changed, to be scrolled, and what it costs."""
        with VerticalScroll(id="page"):
            yield Words(self._page)
        yield Words(T("recipe.repair.weighs"), classes="below")

    def _page(self) -> Line:
        page = Line()
        for each in self._steps:
            where = each.step.node or str(T("form.this_machine"))
            if each.unknown is not None:
                page.append_text(change_text(self, f"{where}: {each.step.title}", f"{each.unknown}"))
            for change in each.changes:
                page.append_text(change_text(self, f"{where}: {change.title}", change.detail))
        return page

    def action_answer(self, answer: bool) -> None:
        """Answer."""
        self.dismiss(answer)
