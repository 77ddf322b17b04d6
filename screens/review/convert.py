"""The groups of the conversion of a Rainbond 3.6, of which one is chosen at a time."""

from __future__ import annotations

from rbdtui.words import T, Text, say
from rbdtui.workbench.review.converting import GroupSeen
from screens.dialogs.choose import ChooseDialog


class GroupsDialog(ChooseDialog[GroupSeen]):
    """Answers the group that is chosen; what it would change is shown after that."""

    def title_text(self) -> Text:
        """That these are the groups of a conversion."""
        return T("convert.groups_title")

    def line_of(self, choice: GroupSeen) -> str:
        """What it brings, and how far it is."""
        if choice.is_done:
            return f"{say(choice.title)}  {say(T('convert.group_done'))}"
        far = say(T("convert.group_far", done=choice.done, steps=choice.steps)) if choice.done else ""
        return f"{say(choice.title)}  {far}".rstrip()

    def is_done_with(self, choice: GroupSeen) -> bool:
        """Whether nothing of it is left."""
        return choice.is_done
