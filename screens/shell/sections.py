"""Which screen shows which section: module and class by the section's name; modules are imported when first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Final, cast

from textual.screen import Screen

from rbdtui.workbench.sections import SECTIONS

_WITH_A_ROOM: Final = frozenset({"nodes", "roles", "review", "run", "health", "upkeep"})
"""Sections that are more than a form."""


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """One section of the rail."""

    section: str
    """Its name; the words are ``section.<name>`` and ``help.<name>``, the screen is ``<Name>Screen``."""
    key: str

    @property
    def screen_class(self) -> type[Screen[None]]:
        """The class of its screen; its module is imported when first asked for."""
        room = self.section if self.section in _WITH_A_ROOM else "forms"
        module = import_module(f"screens.{room}.{self.section}")
        return cast("type[Screen[None]]", getattr(module, f"{self.section.capitalize()}Screen"))

    def make(self) -> Screen[None]:
        """A new screen of this section."""
        return self.screen_class()


SECTION_SCREENS: Final = tuple(SectionEntry(section.name, section.key) for section in SECTIONS)
"""In the order of the rail."""


def entry_of(section: str) -> SectionEntry | None:
    """The entry of a section; None when there is none of that name."""
    return next((entry for entry in SECTION_SCREENS if entry.section == section), None)
