"""What is in sight of a list follows the cursor, and never what room there has been in between."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.pilot import Pilot

from rbdtui.site import Site
from rbdtui.workbench.sections import NODES, REVIEW, ROLES
from screens.widgets.sight import Sight
from tests.screens.conftest import Opened, bench, settled
from tests.screens.running import on_stage
from tests.screens.test_roles import fifty
from tests.screens.waiting import program, show_run


@given(
    count=st.integers(1, 40),
    cursors=st.lists(st.integers(0, 39), min_size=1, max_size=8),
    rooms=st.lists(st.integers(0, 50), max_size=8),
    room=st.integers(1, 50),
    around=st.integers(0, 2),
)
def test_the_cursor_is_in_sight_and_rooms_in_between_leave_no_trace(
    count: int, cursors: list[int], rooms: list[int], room: int, around: int
) -> None:
    straight, resized = Sight(around=around), Sight(around=around)
    for cursor in cursors:
        place = min(cursor, count - 1)
        top = straight.look(place, count, room)
        for other in rooms:
            resized.look(place, count, other)
        assert resized.first(place, count, room) == top
        assert resized.look(place, count, room) == top
        assert top <= place < top + room
        if room > 2 * around + 1:
            assert top <= max(0, place - around)
            assert min(count - 1, place + around) < top + room
        assert top == 0 or top + room <= count


SMALL = (80, 24)
KEYS = [(), ("down",) * 9, ("end", "up", "up"), ("end", *("up",) * 9)]


async def same_after_others(pilot: Pilot[int]) -> None:
    """What is seen is the same when the terminal has had other sizes meanwhile."""
    before = program(pilot).text_on_screen()
    for size in ((80, 20), (60, 20), (120, 40), SMALL):
        await pilot.resize_terminal(*size)
        await settled(pilot)
    assert program(pilot).text_on_screen() == before


@pytest.mark.parametrize("keys", KEYS)
async def test_steps_of_a_run_are_the_same_after_other_sizes(
    keys: tuple[str, ...], home: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on_stage(home, "stopping", monkeypatch) as (workbench, _):
        async with opened(workbench, size=SMALL) as pilot:
            await show_run(pilot)
            await pilot.press(*keys)
            await same_after_others(pilot)


@pytest.mark.parametrize("section", [NODES, ROLES, REVIEW])
@pytest.mark.parametrize("keys", KEYS)
async def test_rows_of_a_section_are_the_same_after_other_sizes(
    section: str, keys: tuple[str, ...], site: Site, opened: Opened
) -> None:
    fifty(site)
    async with opened(bench(site), size=SMALL) as pilot:
        program(pilot).show_section(section)
        await settled(pilot)
        await pilot.press(*keys)
        await same_after_others(pilot)
