"""A list to choose from."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip
from textual.widgets import OptionList

_REVERSED = Style(reverse=True)


class Choices(OptionList):
    """An `OptionList` whose keys are harmless at any moment, and whose cursor is seen without colours.

    Textual 8.2.8 raises on PageUp and PageDown between a change of the options and the next layout, and leaves
    ``reverse`` out of the style of the highlighted option.
    """

    def render_line(self, y: int) -> Strip:
        """One line, reversed under the cursor where colours do not tell it."""
        strip = super().render_line(y)
        at = self.scroll_offset.y + y
        here = at < len(self._lines) and self._lines[at][0] == self.highlighted
        told = here and (self.has_focus or not self.can_focus) and getattr(self.app, "reverses", False)
        return strip.apply_style(_REVERSED) if told else strip

    def action_page_up(self) -> None:
        """Move up by a page, once it is known how long one is."""
        if self._lines:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Move down by a page, once it is known how long one is."""
        if self._lines:
            super().action_page_down()  # type: ignore[no-untyped-call]
