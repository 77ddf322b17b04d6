"""The site itself: its name, what is installed, where the packages are, and how to log in to its servers."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from rbdtui.workbench import sections
from screens.base import SectionScreen, Words


class SiteScreen(SectionScreen):
    """Name, profile, bundle and login."""

    SECTION = sections.SITE

    def body(self) -> Iterable[Widget]:
        """The form."""
        yield Words("")
