"""A list to choose from."""

from __future__ import annotations

from textual.widgets import OptionList


class Choices(OptionList):
    """An `OptionList` whose keys are harmless at any moment.

    Textual 8.2.8 raises on PageUp and PageDown between a change of the options and the next layout.
    """

    def action_page_up(self) -> None:
        """Move up by a page, once it is known how long one is."""
        if self._lines:
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Move down by a page, once it is known how long one is."""
        if self._lines:
            super().action_page_down()  # type: ignore[no-untyped-call]
