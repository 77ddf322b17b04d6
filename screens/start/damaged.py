"""A site that cannot be opened: what is wrong with it, where, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.site import SiteError
from rbdtui.words import T, Text
from rbdtui.workbench.site_list import Repair, repairs_for
from rbdtui.workbench.workbench import DamagedSpecError
from screens.shell.base import Dialog, Words, key
from screens.terminal.paths import short_path

MOST_FINDINGS = 4


class DamagedDialog(Dialog[Repair]):
    """Answers what is to be done, or nothing."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("e", "repair('edit')", "edit_file", show=False),
        key("b", "repair('bring-back')", "bring_back", show=False),
        key("n", "repair('begin')", "begin", show=False),
        key("p", "repair('make-private')", "make_private", show=False),
        key("x", "repair('forget')", "forget", show=False),
    ]

    def __init__(self, path: Path, error: SiteError) -> None:
        super().__init__()
        self._error = error
        self._repairs = repairs_for(path, error)

    def title_text(self) -> Text:
        """That the site cannot be opened as it is."""
        return T("start.damage.title")

    def body(self) -> Iterable[Widget]:
        """What is wrong, then what can be done."""
        if isinstance(self._error, DamagedSpecError):
            yield Words(T("start.damage.unreadable", path=short_path(self._error.path)), classes="paragraph")
            yield Words(self._findings, classes="paragraph")
        else:
            yield Words(self._error.text, classes="paragraph")
        for choice in self._repairs:
            yield Words(partial(self._choice, choice), classes="choice")

    def _findings(self) -> Line:
        assert isinstance(self._error, DamagedSpecError)
        page = Line()
        for finding in self._error.findings[:MOST_FINDINGS]:
            page.append(f"{finding.place}  ", style=self.style("accent", bold=True))
            page.append(f"{finding.message}\n")
            page.append(f"{finding.remedy}\n\n", style=self.style("muted"))
        page.rstrip()
        return page

    def _choice(self, choice: Repair) -> Line:
        sign, _, what = str(Text(f"start.damage.{choice.value}")).partition("  ")  # words: start.damage.*
        line = Line(f"{sign}  ", style=self.style("accent", bold=True))
        line.append(what, style="not bold default")
        return line

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Only what helps here."""
        return action != "repair" or parameters[0] in self._repairs

    def action_repair(self, kind: str) -> None:
        """Dismiss with the repair that was chosen."""
        self.dismiss(Repair(kind))
