"""Fifty servers in Health: one is found, only bad ones are seen, what is wrong comes first; by the keys of Nodes."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from rbdtui.probes.model import HealthSnapshot, ProbeState
from rbdtui.site import Site
from rbdtui.words import T
from rbdtui.workbench.sections import HEALTH
from rbdtui.workbench.workbench import Workbench
from screens.health.health import HealthScreen
from screens.health.health_grid import HealthGrid
from screens.health.probe import ProbeDialog
from screens.widgets.frame import KeyLine, TooSmall
from screens.widgets.view_line import SearchBar
from tests.screens.conftest import Opened, bench, settled
from tests.screens.healths import SERVERS, SINCE, changed, healthy_probes
from tests.screens.pilot import key_event
from tests.screens.test_many import LARGE, NAMED, SIZES, head, press
from tests.screens.test_roles import fifty
from tests.screens.waiting import drawn, program

WORKERS = ("agent1", *(f"worker{n}" for n in range(1, 47)))
LATE = T("probe.late", limit_s=8)
WORSE = {
    "disk@worker7": (ProbeState.UNKNOWN, LATE),
    "node@worker30": (ProbeState.DOWN, T("probe.node.not_ready", reason="KubeletNotReady")),
    "disk@worker40": (ProbeState.DEGRADED, T("probe.disk.used", path="/var", percent=91, free_gib="2.1")),
}
BAD = ["worker30", "worker40", "worker7"]
"""The worst first."""


@pytest.fixture
def workbench(site: Site) -> Workbench:
    """Fifty servers: server1 to server3, agent1, and worker1 to worker46."""
    fifty(site)
    return bench(site)


def answers(**more: tuple[ProbeState, object]) -> HealthSnapshot:
    """Three of fifty are not well."""
    return changed(healthy_probes(servers=SERVERS, workers=WORKERS), {**WORSE, **more})  # type: ignore[dict-item]


def well() -> HealthSnapshot:
    return changed(healthy_probes(servers=SERVERS, workers=WORKERS), {})


async def health(pilot: Pilot[int], snapshot: HealthSnapshot | None = None) -> HealthScreen:
    workbench = program(pilot).workbench
    assert workbench is not None
    workbench.health.show(snapshot or answers(), SINCE)
    program(pilot).show_section(HEALTH)
    await settled(pilot)
    await drawn(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, HealthScreen)
    return screen


def targets(screen: HealthScreen) -> list[str]:
    return [row.target for row in screen.query_one(HealthGrid).table.rows]


def under_cursor(screen: HealthScreen) -> str:
    return screen.query_one(HealthGrid).target


def keys(screen: HealthScreen) -> str:
    return str(screen.query_one(KeyLine).render())


@pytest.mark.parametrize(("size", "language", "ascii_only"), SIZES)
async def test_a_server_is_found_by_typing(
    opened: Opened, workbench: Workbench, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        screen = await health(pilot)
        await press(pilot, "/worker4")
        assert sorted(targets(screen)) == sorted(["worker4", *(f"worker{n}" for n in range(40, 47))])
        await press(pilot, "7")
        assert targets(screen) == []
        assert "Esc" in "".join(screen.query_one(HealthGrid).text_lines)
        await press(pilot, "ctrl+u", "worker 1.46", "enter")
        assert targets(screen) == ["worker46"], "its name and its address in cluster.yaml"
        assert "/worker 1.46" in head(screen)
        assert "51" in head(screen), "fifty servers, and what they share"
        assert any("46" in line for line in screen.query_one(HealthGrid).text_lines)
        await press(pilot, "escape")
        assert len(targets(screen)) == 51
        assert head(screen) == ""
        assert under_cursor(screen) == "worker46"
        assert any("46" in line for line in screen.query_one(HealthGrid).text_lines)


async def test_what_is_wrong_and_roles_are_found(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench, size=LARGE) as pilot:
        screen = await health(pilot)
        await press(pilot, "/kubeletnot", "enter")
        assert targets(screen) == ["worker30"]
        await press(pilot, "/control-plane", "enter")
        assert targets(screen) == ["server1", "server2", "server3"]
        await press(pilot, "/VIP", "enter")
        assert targets(screen) == ["VIP"]
        await press(pilot, "/worker30", "enter", "enter")
        assert isinstance(pilot.app.screen, ProbeDialog)
        await press(pilot, "escape")
        assert targets(screen) == ["worker30"], "Escape left the answer, and not what was found"


async def test_only_servers_with_problems_are_seen(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await health(pilot)
        await press(pilot, "!")
        assert sorted(targets(screen)) == BAD
        assert "only problems" in head(screen)
        assert "3 of 51" in head(screen)
        await press(pilot, "b")
        assert {under_cursor(screen)} <= set(BAD)
        here = under_cursor(screen)
        assert program(pilot).workbench is not None
        workbench.health.show(well(), SINCE)
        await drawn(pilot)
        assert targets(screen) == [here], "a server does not go from under the cursor by itself"
        assert "next bad" not in keys(screen)
        await press(pilot, "!")
        assert len(targets(screen)) == 51
        await press(pilot, "!")
        assert targets(screen) == []
        assert "No server has a problem" in "".join(screen.query_one(HealthGrid).text_lines)
        await press(pilot, "enter", "b", "down", "end")
        assert screen.is_current, "no answer is there to be looked into"
        await press(pilot, "escape")
        assert len(targets(screen)) == 51


async def test_a_row_that_is_well_again_goes_when_the_cursor_does(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await health(pilot)
        await press(pilot, "!", "home")
        gone, *others = targets(screen)
        worse = {key: how for key, how in WORSE.items() if not key.endswith(f"@{gone}")}
        workbench.health.show(changed(healthy_probes(servers=SERVERS, workers=WORKERS), worse), SINCE)
        await drawn(pilot)
        assert sorted(targets(screen)) == sorted([gone, *others])
        assert under_cursor(screen) == gone
        await press(pilot, "down" if targets(screen)[0] == gone else "up")
        assert sorted(targets(screen)) == sorted(others)
        assert under_cursor(screen) in others


async def test_the_order_is_the_operators_once_chosen(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await health(pilot)
        assert targets(screen)[:4] == [*BAD[:1], "worker40", "worker7", "server1"], "the worst of many by themselves"
        assert head(screen) == ""
        await press(pilot, "end")
        assert under_cursor(screen) == "VIP"
        await press(pilot, "o")
        assert targets(screen)[:3] + targets(screen)[-2:] == ["agent1", "server1", "server2", "worker46", "VIP"]
        assert "sorted by name" in head(screen)
        assert under_cursor(screen) == "VIP"
        await press(pilot, "o")
        assert "sorted by address" in head(screen)
        await press(pilot, "o")
        assert targets(screen)[:4] == [*SERVERS, "agent1"]
        assert "in the order of the plan" in head(screen)
        workbench.health.show(answers(), SINCE)
        await drawn(pilot)
        assert targets(screen)[:4] == [*SERVERS, "agent1"], "it stays when new answers come"
        await press(pilot, "o")
        assert targets(screen)[:3] == BAD
        assert head(screen) == ""


async def test_letters_behind_the_search_key_are_no_commands(opened: Opened, workbench: Workbench) -> None:
    """Each of these letters is a key of the screen or leads to another section."""
    async with opened(workbench) as pilot:
        screen = await health(pilot)
        for sign in "/bcgo!0123q9worker46":
            pilot.app.post_message(key_event(NAMED.get(sign, sign)))
        await settled(pilot)
        assert screen.is_current
        assert screen.view.query == "bcgo!0123q9worker46"
        assert "keep" in keys(screen)
        assert "refresh" not in keys(screen)
        for key in ("ctrl+u", *"worker46", "enter", "slash", *"worker3", "escape", "slash", *"worker30", "enter"):
            pilot.app.post_message(key_event(key))
        await settled(pilot)
        assert targets(screen) == ["worker30"]
        assert not screen.query_one(SearchBar).display


async def test_few_servers_keep_their_order_and_what_is_found_leaves_it(opened: Opened, site: Site) -> None:
    """The list is short while it is narrowed; what is seen afterwards stands as before."""
    async with opened(bench(site)) as pilot:
        screen = await health(pilot, changed(healthy_probes(), {"node@server3": WORSE["node@worker30"]}))
        before = targets(screen)
        assert before == [*SERVERS, "agent1", "VIP"]
        await press(pilot, "/agent", "enter")
        assert targets(screen) == ["agent1"]
        await press(pilot, "escape")
        assert targets(screen) == before


async def test_a_terminal_that_became_too_small_brings_the_search_back(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await health(pilot)
        await press(pilot, "/worker4")
        await pilot.resize_terminal(40, 10)
        await drawn(pilot)
        assert screen.query_one(TooSmall).display
        await pilot.resize_terminal(80, 24)
        await drawn(pilot)
        await press(pilot, "6", "enter")
        assert targets(screen) == ["worker46"]
