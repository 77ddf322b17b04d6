"""What the screens share on which the draft is edited: undo and redo."""

from __future__ import annotations

from typing import Final

from textual.binding import BindingType

from rbdtui.words import T
from screens.shell.base import SectionScreen, key

UNDO_KEYS: Final[tuple[BindingType, ...]] = (key("u,ctrl+z", "undo", "undo"), key("U", "redo", "redo"))
"""To stand among a screen's own keys, behind those that change something."""


class EditScreen(SectionScreen):
    """A section whose keys change the draft."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Redo is there while there is something to be made again."""
        return action != "redo" or self.workbench.draft.can_redo

    def action_undo(self) -> None:
        """Take the last change back."""
        if self.workbench.undo():
            self.refresh_view()
        else:
            self.tell(T("shell.nothing_to_undo"))

    def action_redo(self) -> None:
        """Make the change again that was taken back last."""
        if self.workbench.redo():
            self.refresh_view()
