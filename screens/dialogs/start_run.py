"""The consent to a run: what it does to which servers, what happens when a step fails, and the name typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.engine.events import FailurePolicy
from rbdtui.words import T, Text
from screens.base import Dialog, Words, key
from screens.widgets.field import Choice, Field


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a run would do."""

    name: str
    """Of the cluster."""
    nodes: tuple[str, ...]
    steps: int
    warnings: int
    interrupted: str = ""
    """The run that would be taken up; empty for a new one."""


class StartRunDialog(Dialog[FailurePolicy]):
    """Answers what is to happen when a step fails; None to leave everything as it is."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "begin", "start")]
    AUTO_FOCUS = "#name TextLine"

    def __init__(self, scope: RunScope) -> None:
        super().__init__()
        self._scope = scope

    def title_text(self) -> Text:
        """What it is about."""
        scope = self._scope
        if scope.interrupted:
            return T("review.start.title_again", run=scope.interrupted)
        return T("review.start.title", name=scope.name)

    def body(self) -> Iterable[Widget]:
        """What it means, and the form."""
        scope = self._scope
        names = ", ".join(scope.nodes) if len(scope.nodes) <= 8 else f"{', '.join(scope.nodes[:7])}, …"
        yield Words(T("review.start.scope", nodes=len(scope.nodes), names=names, steps=scope.steps))
        yield Words(T("review.start.own_process"), classes="paragraph")
        if scope.warnings:
            yield Words(T("review.start.warnings", count=scope.warnings), classes="paragraph")
        yield Choice(
            T("review.start.policy"),
            [policy.value for policy in FailurePolicy],
            lambda policy: T(f"review.policy.{policy}"),  # words: review.policy.*
            id="policy",
        )
        yield Field(T("review.start.name"), hint=T("review.start.type_name", name=scope.name), id="name")

    def on_mount(self) -> None:
        """Ask on failure unless told otherwise."""
        self.query_one("#policy", Choice).show(FailurePolicy.ASK.value)

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_begin()

    def action_begin(self) -> None:
        """Compare what was typed, and answer."""
        if self.query_one("#name", Field).value.strip() == self._scope.name:
            self.dismiss(FailurePolicy(self.query_one("#policy", Choice).line.value))
        else:
            self.query_one("#name", Field).line.focus()
            self.tell(T("dialog.name_differs", name=self._scope.name), bad=True)
