"""Findings of a form that belong to none of its fields."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text as Line
from textual.widgets import Static

from rbdtui.findings import Finding
from screens.widgets.field import severity_look
from screens.widgets.hanging import hanging


class FindingsBelow(Static):
    """A page of them; it takes no room while there is none."""

    def show(self, findings: Sequence[Finding]) -> None:
        """Say each with its remedy, where that is something new."""
        page = Line()
        for finding in findings:
            colour, sign = severity_look(self, finding.severity)
            page.append(f"{hanging(self, sign, str(finding.message))}\n", style=colour)
            page.append(f"{hanging(self, '', str(finding.remedy))}\n", style="dim")
        page.rstrip()
        self.display = bool(findings)
        if page != self.content:
            self.update(page)
