"""Asks why a warning is accepted; the reason stands in cluster.yaml and beside the warning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.findings import Finding
from rbdtui.words import T, Text
from rbdtui.workbench.review.plan_words import names_words
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import Field


class AcknowledgeDialog(Dialog[str]):
    """Answers the reason."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "take", "acknowledge")]

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__()
        self._findings = findings

    def title_text(self) -> Text:
        """Which warning it is."""
        return T("acknowledge.title", code=self._findings[0].code)

    def body(self) -> Iterable[Widget]:
        """The warning, where it holds, and the field for the reason."""
        yield Words(self._findings[0].message, classes="paragraph")
        nodes = [finding.place.node for finding in self._findings if finding.place.node]
        if len(nodes) > 1:
            yield Words(T("acknowledge.nodes", nodes=names_words(nodes)), classes="paragraph")
        yield Words(T("acknowledge.where"), classes="paragraph")
        yield Field(T("acknowledge.reason"))

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_take()

    def action_take(self) -> None:
        """Dismiss with the reason; say so where none was typed."""
        reason = self.query_one(Field).value.strip()
        if reason:
            self.dismiss(reason)
        else:
            self.tell(T("acknowledge.empty"), bad=True)
