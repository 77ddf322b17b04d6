"""What is wrong with a file, and on which line."""

from __future__ import annotations

from dataclasses import dataclass

from rbdtui.words import Text


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake of a file."""

    line: int
    """From 1; 0 when it is the whole file's."""
    text: Text
