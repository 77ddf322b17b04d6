"""A text field that is chosen from as long as nothing is typed."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.reactive import reactive

from screens.widgets.field import TextLine


class OfferLine(TextLine):
    """A resting field; until Enter begins to edit, left and right go through what is offered."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "step(-1)", "key.choose", id="choose"),
        Binding("right", "step(1)", "key.choose", id="choose"),
        Binding("left", "cursor_left", show=False),
        Binding("right", "cursor_right", show=False),
    ]
    offers: reactive[tuple[str, ...]] = reactive(())

    def __init__(self) -> None:
        super().__init__(resting=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Choosing is for rest."""
        if action == "step":
            return not self.editing and bool(self.offers)
        return super().check_action(action, parameters)

    def watch_offers(self) -> None:
        """Say the keys anew."""
        self.refresh_bindings()

    def action_step(self, by: int) -> None:
        """Take the next of what is offered, or the one before."""
        known = self.offers.index(self.value) if self.value in self.offers else -1 if by > 0 else 0
        self.value = self.offers[(known + by) % len(self.offers)]
