"""Forms of a section: the cursor goes from field to field, and what is typed on a field goes into it."""

from __future__ import annotations

from typing import Final

from textual import events
from textual.binding import BindingType
from textual.widget import Widget

from screens.base import key
from screens.edit import EditScreen
from screens.widgets.field import TextLine

FORM_KEYS: Final[tuple[BindingType, ...]] = (
    key("up", "previous_field", "move"),
    key("down", "next_field", "move"),
    key("shift+tab", "previous_field", "move", show=False),
    key("tab", "next_field", "move", show=False),
)
"""To stand among a screen's own keys."""


class FormScreen(EditScreen):
    """Fields that rest until they are typed on.

    A field that the cursor was brought to takes letters and digits, so that an address is typed at once; one that is
    done, and the first when a section is shown, leaves them to the keys of the screen.
    """

    def action_next_field(self) -> None:
        """Go to the next field."""
        self._make_ready(self.focus_next())

    def action_previous_field(self) -> None:
        """Go to the field before."""
        self._make_ready(self.focus_previous())

    def enter_field(self, widget: Widget | None) -> None:
        """Put the cursor on a field and have it take what is typed."""
        self.set_focus(widget)
        self._make_ready(widget)

    def _make_ready(self, widget: Widget | None) -> None:
        self._leave_fields()
        if isinstance(widget, TextLine):
            widget.ready = True

    def _leave_fields(self) -> None:
        for line in self.query(TextLine):
            line.ready = False

    def on_screen_suspend(self, _: events.ScreenSuspend) -> None:
        """Whoever comes back has the keys of the screen first."""
        self._leave_fields()
