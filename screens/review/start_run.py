"""The consent to a run: what it does to which servers, what happens when a step fails, and the name typed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Final

from textual.binding import BindingType
from textual.widget import Widget

from rbdtui.engine.events import FailurePolicy
from rbdtui.words import T, Text
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import Choice, Field

MOST_NAMES: Final = 8
NO, YES = "no", "yes"


@dataclass(frozen=True, slots=True)
class RunScope:
    """What a run would do."""

    name: str
    """Of the cluster."""
    nodes: tuple[str, ...]
    steps: int
    work: tuple[Text, ...]
    """Titles of the steps that would change something."""
    asked: bool
    """Whether the servers were asked what is still to be done; else ``work`` is what the plan has in all."""
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
        """Which site is installed, or which interrupted run is taken up again."""
        scope = self._scope
        if scope.interrupted:
            return T("review.start.title_again", run=scope.interrupted)
        return T("review.start.title", name=scope.name)

    def body(self) -> Iterable[Widget]:
        """What it means, and the form."""
        scope = self._scope
        yield Words(self._what, classes="paragraph")
        yield Words(T("review.start.own_process"), classes="paragraph")
        yield Choice(
            T("review.start.policy"),
            [policy.value for policy in FailurePolicy],
            lambda policy: T(f"review.policy.{policy}"),  # words: review.policy.*
            id="policy",
        )
        if scope.warnings:
            yield Choice(
                T("review.start.warnings", count=scope.warnings),
                [NO, YES],
                lambda answer: T(f"review.accept.{answer}"),  # words: review.accept.*
                id="accept",
            )
        yield Field(T("review.start.name"), hint=T("review.start.type_name", name=scope.name), id="name")

    def _what(self) -> str:
        """Which servers, and what is done to them."""
        scope = self._scope
        names: Text | str = ", ".join(scope.nodes[:MOST_NAMES])
        if len(scope.nodes) > MOST_NAMES:
            names = T("review.more_nodes", names=names, more=len(scope.nodes) - MOST_NAMES)
        where = T("review.start.scope", nodes=len(scope.nodes), names=names, steps=scope.steps)
        titles = str(T("review.between")).join(str(title) for title in scope.work)
        work = T("review.start.work", work=titles) if scope.asked else T("review.start.work_in_all", work=titles)
        return f"{where}\n{work if scope.work else T('review.start.no_work')}"

    def on_mount(self) -> None:
        """Ask on failure unless told otherwise; warnings are accepted by hand."""
        self.query_one("#policy", Choice).show(FailurePolicy.ASK.value)
        for accept in self.query("#accept").results(Choice):
            accept.show(NO)

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_begin()

    def action_begin(self) -> None:
        """Compare what was typed, and answer."""
        name = self.query_one("#name", Field)
        declined = [accept for accept in self.query("#accept").results(Choice) if accept.line.value != YES]
        if name.value.strip() != self._scope.name:
            name.line.focus()
            self.tell(T("dialog.name_differs", name=self._scope.name), bad=True)
        elif declined:
            declined[0].line.focus()
            self.tell(T("review.start.say_yes"), bad=True)
        else:
            self.dismiss(FailurePolicy(self.query_one("#policy", Choice).line.value))
