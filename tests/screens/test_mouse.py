"""Where a mouse is used, what is under it is what it does."""

from __future__ import annotations

import pytest
from textual import events

from rbdtui.site import Site
from screens.shell.sections import SECTION_SCREENS
from screens.widgets.frame import Rail
from tests.screens.conftest import Opened, bench, settled
from tests.screens.waiting import program


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_every_line_of_the_rail_leads_to_its_own_section(
    opened: Opened, site: Site, size: tuple[int, int]
) -> None:
    async with opened(bench(site), size=size) as pilot:
        for entry in SECTION_SCREENS:
            rail = pilot.app.screen.query_one(Rail)
            lines = [str(line).strip() for line in pilot.app.screen.query_one(Rail).render().plain.splitlines()]  # type: ignore[union-attr]
            starts = [line.lstrip("▸> ")[:1] for line in lines]
            row = rail.content_region.y + starts.index(entry.key)
            at = {"x": rail.region.x + 4, "y": row, "screen_x": rail.region.x + 4, "screen_y": row}
            for kind in (events.MouseDown, events.MouseUp):
                pilot.app.post_message(
                    kind(None, delta_x=0, delta_y=0, button=1, shift=False, meta=False, ctrl=False, **at)  # type: ignore[arg-type]
                )
            await settled(pilot)
            assert program(pilot).current_mode == entry.section
