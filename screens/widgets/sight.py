"""Which rows of a list are in sight when not all of them are."""

from __future__ import annotations


class Sight:
    """Follows a cursor by as little as it takes.

    How much room there has been in between, while a screen finds its layout or a terminal is resized, leaves no trace:
    the same rows are in sight as if the last of it had been there from the start.
    """

    def __init__(self, *, around: int = 0) -> None:
        self._around = around
        """How many rows before and behind the cursor are to be in sight, too, where there is room for more."""
        self.top = 0
        """The first row that is in sight, as last looked."""
        self._from = 0
        self._cursor = 0

    def first(self, cursor: int, count: int, room: int) -> int:
        """Which of so many rows would be the first in sight, with the cursor on one of them."""
        before = self._from if cursor == self._cursor else self.top
        around = self._around if room > 2 * self._around + 1 else 0
        return max(0, min(max(before, cursor - room + 1 + around), cursor - around, max(0, count - room)))

    def look(self, cursor: int, count: int, room: int) -> int:
        """The same, and the cursor goes on from there when it is moved."""
        top = self.first(cursor, count, room)
        if cursor != self._cursor:
            self._from, self._cursor = self.top, cursor
        self.top = top
        return top

    def begin(self) -> None:
        """Begin at the first row again."""
        self.top = self._from = 0
