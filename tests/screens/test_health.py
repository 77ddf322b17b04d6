"""Health: the verdict, the grid under the cursor, why, the changes; and a simulated cluster that loses a server."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from rbdtui.probes.model import HealthSnapshot, ProbeState
from rbdtui.site import Site
from rbdtui.workbench.health.health_table import health_table
from rbdtui.workbench.sections import HEALTH
from rbdtui.workbench.workbench import Workbench
from screens.health.health import HealthScreen
from screens.health.health_grid import HealthGrid
from screens.health.probe import ProbeDialog
from screens.review.review import ReviewScreen
from screens.widgets.canvas import Canvas
from tests.screens.conftest import LOOKS, SMALL, Opened, Picture, bench, settled
from tests.screens.healths import HEALTHS, SINCE, VERDICTS
from tests.screens.waiting import drawn, program


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Times of day are the same everywhere."""
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


pytestmark = pytest.mark.usefixtures("utc")


async def show(pilot: Pilot[int], snapshot: HealthSnapshot | None) -> HealthScreen:
    workbench = program(pilot).workbench
    assert workbench is not None
    if snapshot is not None:
        workbench.health.show(snapshot, SINCE)
    program(pilot).show_section(HEALTH)
    await settled(pilot)
    await drawn(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, HealthScreen)
    return screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


def line(screen: HealthScreen, selector: str) -> str:
    return " ".join(" ".join(screen.query_one(selector, Canvas).text_lines).split())


def selected(screen: HealthScreen) -> str:
    status = screen.query_one(HealthGrid).selected
    return status.key.id if status is not None else ""


def still(site: Site) -> Workbench:
    """A workbench that asks nobody: what it shows is given to it."""
    return bench(site)


@pytest.mark.parametrize("name", HEALTHS)
async def test_the_verdict_comes_first(opened: Opened, site: Site, name: str) -> None:
    snapshot = HEALTHS[name]()
    assert snapshot.health is VERDICTS[name]
    async with opened(still(site)) as pilot:
        screen = await show(pilot, snapshot)
        word = {"ok": "healthy", "degraded": "degraded", "down": "DOWN", "unknown": "not known yet"}[
            snapshot.health.value
        ]
        assert word in line(screen, "#verdict")
        known = {row.target for row in health_table(snapshot).rows}
        assert {"server1", "VIP"} <= known


async def test_figures_name_holder_leader_and_nodes(opened: Opened, site: Site) -> None:
    async with opened(still(site)) as pilot:
        screen = await show(pilot, HEALTHS["healthy"]())
        figures = line(screen, "#figures")
        assert "4/4 nodes ready" in figures
        assert "VIP on server1" in figures
        assert "components 7/7" in figures
        assert "etcd 3/3" in figures


async def test_the_cursor_says_what_came_back(opened: Opened, site: Site) -> None:
    async with opened(still(site)) as pilot:
        screen = await show(pilot, HEALTHS["healthy"]())
        assert selected(screen) == "node@server1"
        await press(pilot, "down", "right")
        assert selected(screen) == "ssh@server2"
        assert "ssh@server2" in line(screen, "#title")
        await press(pilot, "end")
        assert selected(screen) == ""
        await press(pilot, "right", "right")
        assert selected(screen) == "vip-holder"


async def test_why_shows_what_was_asked_and_what_came_back(opened: Opened, site: Site) -> None:
    async with opened(still(site)) as pilot:
        screen = await show(pilot, HEALTHS["degraded"]())
        await press(pilot, "b")
        assert selected(screen) == "gateway-7070@server2"
        await press(pilot, "enter")
        dialog = pilot.app.screen
        assert isinstance(dialog, ProbeDialog)
        page = dialog._page().plain
        assert "https://server2:7070/" in page
        assert "line two" in page
        assert "502" in page
        assert "ss -ltn" in page
        await press(pilot, "escape")
        assert isinstance(pilot.app.screen, HealthScreen)


async def test_from_one_bad_answer_to_the_next(opened: Opened, site: Site) -> None:
    snapshot = HEALTHS["degraded"]()
    bad = {status.key.id for status in snapshot.probes if not status.state.good}
    async with opened(still(site)) as pilot:
        screen = await show(pilot, snapshot)
        seen = set()
        for _ in bad:
            await press(pilot, "b")
            seen.add(selected(screen))
        assert seen == bad


async def test_changes_lead_to_their_question(opened: Opened, site: Site) -> None:
    snapshot = HEALTHS["degraded"]()
    async with opened(still(site)) as pilot:
        screen = await show(pilot, snapshot)
        await press(pilot, "c", "down", "enter")
        dialog = pilot.app.screen
        assert isinstance(dialog, ProbeDialog)
        assert dialog.title_text().params["probe"] == snapshot.changes[-2].key.id
        await press(pilot, "escape", "escape")
        assert isinstance(screen.focused, HealthGrid)


async def test_a_new_picture_keeps_the_cursor_and_the_dialog_follows(opened: Opened, site: Site) -> None:
    async with opened(still(site)) as pilot:
        screen = await show(pilot, HEALTHS["kubernetes"]())
        await press(pilot, "down", "down", "right", "enter")
        dialog = pilot.app.screen
        assert isinstance(dialog, ProbeDialog)
        await show_again(pilot, HEALTHS["degraded"]())
        assert "down" in dialog._page().plain.lower()
        await press(pilot, "escape")
        assert selected(screen) == "ssh@server3"


async def show_again(pilot: Pilot[int], snapshot: HealthSnapshot) -> None:
    workbench = program(pilot).workbench
    assert workbench is not None
    workbench.health.show(snapshot, SINCE)
    await drawn(pilot)


async def test_the_worst_of_many_are_in_sight(opened: Opened, site: Site) -> None:
    async with opened(still(site), size=SMALL) as pilot:
        screen = await show(pilot, HEALTHS["fifty"]())
        await drawn(pilot)
        grid = screen.query_one(HealthGrid)
        assert "agent40" in "".join(grid.text_lines)


async def test_ports_that_the_profile_has_not_take_no_room(opened: Opened, site: Site) -> None:
    async with opened(still(site)) as pilot:
        screen = await show(pilot, HEALTHS["kubernetes"]())
        assert "8443" not in "".join(screen.query_one(HealthGrid).text_lines)
        assert "no gateway ports" in line(screen, "#figures")


async def test_before_there_is_a_cluster_it_says_what_comes_first(opened: Opened, site: Site) -> None:
    async with opened(still(site)) as pilot:
        screen = await show(pilot, None)
        assert screen.query_one("#none").display
        assert "Nothing is installed yet" in program(pilot).text_on_screen()
        await press(pilot, "b", "c", "up", "space", "enter")
        assert isinstance(pilot.app.screen, ReviewScreen)


async def test_what_hosts_say_acts_on_nothing(opened: Opened, site: Site) -> None:
    from dataclasses import replace

    snapshot = HEALTHS["healthy"]()
    first = snapshot.probes[0]
    assert first.newest is not None
    nasty = replace(first, newest=replace(first.newest, evidence="\x1b]0;evil\x07\x1b[2Jred \x9b31m"))
    async with opened(still(site)) as pilot:
        await show(pilot, replace(snapshot, probes=(nasty, *snapshot.probes[1:])))
        await press(pilot, "right", "enter")
        dialog = pilot.app.screen
        assert isinstance(dialog, ProbeDialog)
        page = dialog._page().plain
        assert "red" in page
        assert not any((ord(sign) < 32 and sign != "\n") or 127 <= ord(sign) < 160 for sign in page)


def test_states_have_words_beside_colours() -> None:
    from screens.widgets.marks import PROBE_MARKS

    assert len({mark.fancy for mark in PROBE_MARKS.values()}) == len(ProbeState)
    assert len({mark.plain for mark in PROBE_MARKS.values()}) == len(ProbeState)


# --- pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(still(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, None)
        picture(pilot, name="none")
        for name in ("asking", "healthy", "kubernetes", "degraded", "down", "unknown"):
            await show_again(pilot, HEALTHS[name]())
            picture(pilot, name=name)
        await show_again(pilot, HEALTHS["degraded"]())
        await press(pilot, "b", "enter")
        picture(pilot, name="why")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS[:2])
async def test_pictures_of_many(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(still(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot, HEALTHS["fifty"]())
        await drawn(pilot)
        picture(pilot)
