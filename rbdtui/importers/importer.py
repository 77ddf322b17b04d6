"""What every importer is; see ``CONTRIBUTING.md`` for how to add one."""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from rbdtui.importers.imported import Imported


class Match(IntEnum):
    """How sure an importer is that a text is of its format, by what stands in it, never by a file's name."""

    NO = 0
    POSSIBLE = 1
    """There may be servers in it."""
    LIKELY = 2
    """It looks like it."""
    CERTAIN = 3
    """It says so itself."""


class Importer(Protocol):
    """One format."""

    @property
    def name(self) -> str:
        """As the command line names it."""
        ...

    def matches(self, text: str) -> Match:
        """How sure it is; whatever the text is, quickly and without raising."""
        ...

    def read(self, text: str) -> Imported:
        """What stands in it; whatever the text is, without raising. What is not understood is said with its line."""
        ...
