"""What a step changes on its host: sentences, commands and differences of files, as the run has written them down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.text import Text as Line
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.engine.state import StepState
from rbdtui.words import T, Text
from rbdtui.workbench.clean import clean_lines
from screens.base import Dialog, Words


class ChangesDialog(Dialog[None]):
    """All changes of one step, to be scrolled."""

    AUTO_FOCUS = "#page"

    def __init__(self, step: StepState) -> None:
        super().__init__()
        self._info, self._changes = step.info, step.changes

    def title_text(self) -> Text:
        """Which step it is."""
        if self._info.node:
            return T("run_screen.changes_on", step=self._info.title, node=self._info.node)
        return T("run_screen.changes", step=self._info.title)

    def body(self) -> Iterable[Widget]:
        """One change after the other."""
        with VerticalScroll(id="page"):
            yield Words(self._page)

    def _page(self) -> Line:
        page = Line()
        for change in self._changes:
            page.append(f"{_title(change)}\n", style="bold")
            for line in clean_lines(str(change.get("detail") or "").rstrip()):
                page.append(f"  {line}\n", style=self._style(line))
        return page

    def _style(self, line: str) -> str:
        """Lines of a difference in the colours that they have everywhere."""
        if line.startswith("+"):
            return self.style("success")
        if line.startswith("-"):
            return self.style("error")
        return "dim"


def _title(change: Mapping[str, object]) -> str:
    title = change.get("title")
    if not isinstance(title, Mapping):
        return str(change.get("kind") or "")
    try:
        return str(Text.from_json(title))
    except ValueError:  # of a newer version
        return str(title.get("key") or "")
