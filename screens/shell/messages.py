"""Messages of the whole program, one sentence each."""

from __future__ import annotations

from textual.message import Message


class Changed(Message):
    """Something in the workbench has changed; it carries nothing, whoever gets it looks for themselves."""

    def can_replace(self, message: Message) -> bool:
        """One is as good as many."""
        return isinstance(message, Changed)
