"""A mapping of cluster.yaml as text; it is taken over once it can be read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import Static, TextArea

from rbdtui.findings import Finding
from rbdtui.spec.loader import parse_mapping
from rbdtui.words import T, Text
from rbdtui.workbench.draft.yaml_text import as_text
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import severity_look


class YamlDialog(Dialog[dict[str, object]]):
    """Answers the values."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("f2", "take", "done"),
        key("escape", "leave_text", "close", priority=True),
    ]
    AUTO_FOCUS = "#text"

    def __init__(self, what: Text, value: object) -> None:
        super().__init__()
        self._what, self._before = what, as_text(value)
        self._warned = False
        """Whether it was said that what was typed would be lost."""

    def title_text(self) -> Text:
        """Which part of cluster.yaml is typed."""
        return self._what

    def body(self) -> Iterable[Widget]:
        """The text, and what keeps it from being read."""
        yield Words(T("yaml_text.explain"), classes="paragraph")
        yield TextArea(self._before, id="text", soft_wrap=False, compact=True, highlight_cursor_line=False)
        yield Static(id="yaml-state")

    def on_text_area_changed(self) -> None:
        """Say at once what is wrong."""
        self._warned = False
        self.refresh_view()

    def refresh_view(self) -> None:
        """Say what keeps the text from being read."""
        _, findings = parse_mapping(self.query_one(TextArea).text)
        state = self.query_one("#yaml-state", Static)
        page = self._words_of(findings[0]) if findings else Line()
        if page != state.content:
            state.update(page)

    def _words_of(self, finding: Finding) -> Line:
        colour, sign = severity_look(self, finding.severity)
        if finding.code == "RBD-YAML-008":
            return Line(f"{sign} {T('yaml_text.no_mapping')}", style=colour)
        where = T("yaml_text.line", line=finding.place.line)
        return Line(f"{sign} {where} {finding.message}", style=colour).append(f"\n{finding.remedy}", style="default")

    def action_take(self) -> None:
        """Answer, where the text can be read."""
        value, findings = parse_mapping(self.query_one(TextArea).text)
        if value is None:
            place = findings[0].place
            self.query_one(TextArea).cursor_location = (max(0, place.line - 1), max(0, place.column - 1))
            self.tell(T("yaml_text.unreadable", line=place.line), bad=True)
        else:
            self.dismiss(value)

    def action_leave_text(self) -> None:
        """Leave; what was typed is not thrown away at the first stroke."""
        if self._warned or self.query_one(TextArea).text == self._before:
            self.dismiss(None)
            return
        self._warned = True
        self.tell(T("yaml_text.would_be_lost"), bad=True)
