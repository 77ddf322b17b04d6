"""The consent to a recipe: every command and every difference of a file, what it costs, and where much is at stake the
site's name typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.text import Text as Line
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.widget import Widget

from rbdtui.plan.preview import PreviewedStep
from rbdtui.words import T, Text
from rbdtui.workbench.upkeep.starting import Prepared
from screens.dialogs.changes import change_text
from screens.shell.base import Dialog, Words, key
from screens.widgets.field import TextLine


class RecipeDialog(Dialog[bool]):
    """Answers True when it is to be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        key("y", "answer(True)", "yes"),
        key("n", "answer(False)", "no"),
        key("enter", "compare", "yes"),
        key("pagedown", "page(1)", "further"),
        key("pageup", "page(-1)", "further", show=False),
    ]

    def __init__(
        self, title: Text, weighs: Sequence[Text], steps: Sequence[PreviewedStep], *, type_name: str = ""
    ) -> None:
        super().__init__()
        self._title, self._weighs = title, weighs
        self._steps = steps
        self._wanted = type_name
        """What has to be typed; empty when a key is enough."""

    def title_text(self) -> Text:
        """The title of the work, as it was given."""
        return self._title

    def body(self) -> Iterable[Widget]:
        """What would be changed, to be scrolled, what it costs, and the field where there is one."""
        if self._wanted:  # what is lost comes first: the steps are many
            yield Words(self._all_weighs, classes="paragraph")
        with VerticalScroll(id="page"):
            yield Words(self._page)
        if self._wanted:
            yield Words(T("dialog.type_name", name=self._wanted), classes="below")
            yield TextLine(id="name")
        else:
            yield Words(self._all_weighs, classes="below")

    def on_mount(self) -> None:
        """Begin where it is answered."""
        self.set_focus(self.query_one(TextLine) if self._wanted else self.query_one("#page"))

    def _all_weighs(self) -> str:
        return "\n\n".join(map(str, self._weighs))

    def _page(self) -> Line:
        page = Line()
        for each in self._steps:
            where = each.step.node or str(T("form.this_machine"))
            if each.unknown is not None:
                page.append_text(change_text(self, f"{where}: {each.step.title}", f"{each.unknown}"))
            for change in each.changes:
                page.append_text(change_text(self, f"{where}: {change.title}", change.detail))
        return page

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """With a name to be typed, single keys confirm nothing."""
        return bool(self._wanted) if action == "compare" else not (action == "answer" and self._wanted)

    def action_answer(self, answer: bool) -> None:
        """Dismiss with whether it is agreed to."""
        self.dismiss(answer)

    def action_page(self, by: int) -> None:
        """Scroll what would be changed."""
        page = self.query_one("#page", VerticalScroll)
        page.scroll_relative(y=by * max(1, page.size.height - 1), animate=False)

    def on_input_submitted(self) -> None:
        """Enter in the field."""
        self.action_compare()

    def action_compare(self) -> None:
        """Compare what was typed."""
        if self.query_one(TextLine).value.strip() == self._wanted:
            self.dismiss(True)
        else:
            self.tell(T("dialog.name_differs", name=self._wanted), bad=True)


def consent_to(prepared: Prepared, site_name: str) -> RecipeDialog:
    """The question about a recipe that was looked at, with what was found by looking said first."""
    name = site_name if prepared.by_name else ""
    question = T("upkeep.question", work=prepared.purpose.title)
    return RecipeDialog(question, prepared.weighs, prepared.steps, type_name=name)
