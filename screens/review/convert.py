"""The groups of the conversion of a Rainbond 3.6, of which one is chosen at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.binding import BindingType
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from rbdtui.words import T, Text, say
from rbdtui.workbench.review.converting import GroupSeen
from screens.shell.base import Dialog, key
from screens.widgets.choices import Choices


class GroupsDialog(Dialog[str]):
    """Answers the group that is chosen; what it would change is shown after that."""

    BINDINGS: ClassVar[list[BindingType]] = [key("enter", "choose", "choose")]
    AUTO_FOCUS = "#groups"

    def __init__(self, groups: Sequence[GroupSeen]) -> None:
        super().__init__()
        self._groups = groups

    def title_text(self) -> Text:
        """What it is about."""
        return T("convert.groups_title")

    def body(self) -> Iterable[Widget]:
        """The groups in their order."""
        yield Choices(id="groups", compact=True, markup=False)

    def on_mount(self) -> None:
        """List them, with the cursor on the first of which something is left."""
        listed = self.query_one("#groups", OptionList)
        listed.add_options([Option(self._line(group)) for group in self._groups])
        listed.highlighted = next((at for at, group in enumerate(self._groups) if not group.is_done), 0)

    @staticmethod
    def _line(group: GroupSeen) -> str:
        if group.is_done:
            return f"{say(group.title)}  {say(T('convert.group_done'))}"
        far = say(T("convert.group_far", done=group.done, steps=group.steps)) if group.done else ""
        return f"{say(group.title)}  {far}".rstrip()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Answer with it."""
        event.stop()
        self.dismiss(self._groups[event.option_index].name)

    def action_choose(self) -> None:
        """Answer with what is under the cursor."""
        self.query_one("#groups", OptionList).action_select()
