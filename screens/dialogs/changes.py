"""What a step changes on its host: sentences, commands and differences of files, as the run has written them down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.text import Text as Line
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.engine.state import StepState
from rbdtui.terminal_text import clean_lines
from rbdtui.words import T, Text
from screens.shell.base import BaseScreen, Dialog, Words


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
            page.append_text(change_text(self, _title(change), str(change.get("detail") or "")))
        return page


def change_text(screen: BaseScreen[Any], title: str, detail: str) -> Line:
    """One change: its sentence, and below it the commands or the difference of a file."""
    page = Line()
    page.append(f"{title}\n", style="bold")
    return page.append_text(detail_text(screen, detail, indent="  "))


def detail_text(screen: BaseScreen[Any], detail: str, *, indent: str = "") -> Line:
    """Commands, or a difference in the colours that it has everywhere; ends every line."""
    page = Line()
    for line in clean_lines(detail.rstrip()) if detail.strip() else ():
        sign = {"+": screen.style("success"), "-": screen.style("error")}.get(line[:1], "dim")
        if line.startswith(("--- ", "+++ ")):
            sign = "dim"
        page.append(f"{indent}{line}\n", style=sign)
    return page


def _title(change: Mapping[str, object]) -> str:
    title = change.get("title")
    if not isinstance(title, Mapping):
        return str(change.get("kind") or "")
    try:
        return str(Text.from_json(title))
    except ValueError:  # of a newer version
        return str(title.get("key") or "")
