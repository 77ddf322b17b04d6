"""Which screen shows which section, and the key that leads there; modules are imported when first shown."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Final, cast

from rbdtui.workbench import sections

if TYPE_CHECKING:
    from screens.base import SectionScreen


@dataclass(frozen=True, slots=True)
class SectionEntry:
    """One section of the rail."""

    section: str
    """Its name; the words are ``section.<name>`` and ``help.<name>``."""
    key: str
    module: str
    screen: str
    """Name of the class in the module."""

    def make(self) -> SectionScreen:
        """A new screen of this section."""
        return cast("SectionScreen", getattr(import_module(self.module), self.screen)())


SECTION_SCREENS: Final = (
    SectionEntry(sections.SITE, "0", "screens.site", "SiteScreen"),
    SectionEntry(sections.NODES, "1", "screens.nodes", "NodesScreen"),
    SectionEntry(sections.ROLES, "2", "screens.roles", "RolesScreen"),
    SectionEntry(sections.BALANCER, "3", "screens.balancer", "BalancerScreen"),
    SectionEntry(sections.REVIEW, "9", "screens.review", "ReviewScreen"),
    SectionEntry(sections.RUN, "r", "screens.run", "RunScreen"),
    SectionEntry(sections.HEALTH, "h", "screens.health", "HealthScreen"),
)
"""In the order of the rail: a section is there when it has a line here."""


def entry_of(section: str) -> SectionEntry | None:
    """The entry of a section; None when it has no screen."""
    return next((entry for entry in SECTION_SCREENS if entry.section == section), None)
