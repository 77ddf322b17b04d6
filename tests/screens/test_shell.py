"""The shell around every section: keys, rail, help, language, sizes, leaving."""

from __future__ import annotations

from rbdtui.site import Site
from screens.widgets.frame import KeyLine
from tests.screens.conftest import Opened, bench


async def test_keys_are_shown_with_help_at_the_end(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        shown = pilot.app.screen.query_one(KeyLine).keys
        assert shown[-2:] == (("q", "leave"), ("?", "help"))
