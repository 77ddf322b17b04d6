"""Which screen shows which section: module and class by the section's name; modules are imported when first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from textual.screen import Screen

from rbdtui.workbench.sections import SECTIONS


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """One section of the rail."""

    section: str
    """Its name; the words are ``section.<name>`` and ``help.<name>``, the screen is ``<Name>Screen``."""
    key: str

    def make(self) -> Screen[None]:
        """A new screen of this section."""
        module = import_module(f"screens.{self.section}")
        return cast("Screen[None]", getattr(module, f"{self.section.capitalize()}Screen")())


SECTION_SCREENS: Final = tuple(SectionEntry(section.name, section.key) for section in SECTIONS)
"""In the order of the rail."""


def entry_of(section: str) -> SectionEntry | None:
    """The entry of a section; None when there is none of that name."""
    return next((entry for entry in SECTION_SCREENS if entry.section == section), None)
