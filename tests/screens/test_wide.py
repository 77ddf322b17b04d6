"""Room is used where there is some, and left to the body where there is little."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widget import Widget

from rbdtui.findings import Finding, Place, Severity
from rbdtui.workbench.sections import BALANCER, HEALTH, NODES, REVIEW, ROLES, SITE
from screens.nodes.node_table import NodeTable
from screens.review.finding_list import FindingList
from screens.review.plan_list import PlanList
from screens.review.review import DetailPane, ReviewScreen
from screens.roles.role_table import FACTS, RoleTable
from screens.shell.base import SectionScreen
from screens.widgets.frame import HeadLine, Rail
from tests.screens import healths
from tests.screens.conftest import SMALL, Opened, settled
from tests.screens.reviewing import begun, in_state
from tests.screens.waiting import drawn, program

WIDE, WIDEST, SMALLEST = (120, 40), (200, 60), (60, 20)


async def show(pilot: Pilot[int], section: str, *keys: str) -> SectionScreen:
    """A section, after some keys."""
    program(pilot).show_section(section)
    await drawn(pilot)
    await pilot.press(*keys)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, SectionScreen)
    return screen


def is_beside(left: Widget, right: Widget) -> bool:
    """Whether two stand beside each other, both as high as the room that they share."""
    return right.region.x >= left.region.right and right.region.y <= left.region.y and right.region.height > 20


@pytest.mark.parametrize("size", [SMALL, WIDE, WIDEST])
async def test_what_is_known_of_a_server_stands_beside_the_table(
    opened: Opened, home: Path, size: tuple[int, int]
) -> None:
    async with opened(begun(home), size=size) as pilot:
        screen = await show(pilot, NODES)
        table, detail = screen.query_one(NodeTable), screen.query_one("#detail")
        assert is_beside(table, detail) is (size == WIDEST)
        assert ("roles" in table.columns) is (size == WIDEST)
        if size == WIDEST:
            assert "control-plane etcd worker gateway" in table.text_lines[1]
            await pilot.press("right", "right", "right", "right")
            assert table.column == "user", "roles are changed in their own section"


@pytest.mark.parametrize("size", [SMALL, WIDE, WIDEST])
async def test_roles_are_given_away_by_what_servers_have(opened: Opened, home: Path, size: tuple[int, int]) -> None:
    async with opened(begun(home), size=size) as pilot:
        table = (await show(pilot, ROLES)).query_one(RoleTable)
        assert (set(FACTS) <= set(table.columns)) is (size == WIDEST)
        if size == WIDEST:
            assert "127.88.0.11" in table.text_lines[1]


@pytest.mark.parametrize("state", ["bad", "plan"])
@pytest.mark.parametrize("size", [SMALL, WIDE, WIDEST])
async def test_a_finding_and_a_step_stand_beside_their_list(
    opened: Opened, home: Path, size: tuple[int, int], state: str
) -> None:
    async with opened(in_state(home, state), size=size) as pilot:
        screen = await show(pilot, REVIEW, *(("v",) if state == "plan" else ()))
        listed = screen.query_one(PlanList if state == "plan" else FindingList)
        assert is_beside(listed, screen.query_one("#detail")) is (size != SMALL)


@pytest.mark.parametrize("size", [SMALL, WIDE])
async def test_differences_are_read_on_the_whole_screen(opened: Opened, home: Path, size: tuple[int, int]) -> None:
    async with opened(in_state(home, "plan"), size=size) as pilot:
        screen = await show(pilot, REVIEW, "v", "down", "enter")
        pane, body = screen.query_one(DetailPane), screen.query_one("#body")
        assert pilot.app.focused is pane
        assert pane.outer_size.width >= body.size.width - 2
        assert pane.outer_size.height >= body.size.height - 4
        await pilot.press("escape")
        await settled(pilot)
        assert isinstance(pilot.app.focused, PlanList)
        assert pilot.app.focused.row is not None
        assert pilot.app.focused.row.name == "hosts-file"
        await pilot.press("tab", "v")
        await settled(pilot)
        assert not screen.has_class("-reading")
        assert screen.query_one("#chips").display


async def test_findings_are_narrowed_to_the_grave_ones(opened: Opened, home: Path) -> None:
    workbench = in_state(home, "bad")
    known = workbench.preflight
    note = Finding("RBD-KERN-105", Severity.INFO, Place(node="node1"), {"modules": "overlay"})
    workbench.show_preflight(replace(known, findings=(*known.findings, note)))
    async with opened(workbench, size=WIDE) as pilot:
        screen = await show(pilot, REVIEW)
        listed = screen.query_one(FindingList)

        def severities() -> set[Severity]:
            return {row.severity for row in listed._rows if not isinstance(row, str)}

        everything = severities()
        assert everything == set(Severity)
        for expected, said in (
            ({Severity.ERROR, Severity.WARNING}, "Only errors and warnings"),
            ({Severity.ERROR}, "Only errors are shown"),
            (everything, ""),
        ):
            await pilot.press("exclamation_mark")
            await settled(pilot)
            assert severities() == expected
            assert said in program(pilot).text_on_screen()
            assert pilot.app.focused is listed


async def test_where_nothing_is_that_grave_it_is_said(opened: Opened, home: Path) -> None:
    async with opened(in_state(home, "warned"), size=SMALL) as pilot:
        screen = await show(pilot, REVIEW, "exclamation_mark", "exclamation_mark")
        assert isinstance(screen, ReviewScreen)
        assert "Nothing that grave was found" in program(pilot).text_on_screen()
        await pilot.press("exclamation_mark")
        await settled(pilot)
        assert isinstance(pilot.app.focused, FindingList)


@pytest.mark.parametrize("size", [SMALL, WIDE, WIDEST])
async def test_an_answer_stands_beside_the_grid_and_says_what_was_asked(
    opened: Opened, home: Path, size: tuple[int, int]
) -> None:
    workbench = begun(home)
    workbench.health.show(healths.degraded(), 0.0)
    async with opened(workbench, size=size) as pilot:
        screen = await show(pilot, HEALTH, "b")
        assert is_beside(screen.query_one("#grid"), screen.query_one("#below")) is (size == WIDEST)
        assert ("Asked: " in program(pilot).text_on_screen()) is (size != SMALL)


@pytest.mark.parametrize("section", [SITE, NODES, ROLES, BALANCER, REVIEW, HEALTH])
@pytest.mark.parametrize("language", ["en", "zh"])
async def test_in_the_smallest_terminal_the_rail_leaves_its_room_to_the_body(
    opened: Opened, home: Path, section: str, language: str
) -> None:
    async with opened(begun(home), size=SMALLEST, language=language) as pilot:
        screen = await show(pilot, section)
        rail = screen.query_one(Rail)
        assert rail.size.width == 9
        name = {
            "en": section.title(),
            "zh": {SITE: "站点", NODES: "节点", ROLES: "角色", BALANCER: "负载均衡"}.get(section, ""),
        }
        assert name[language] in screen.query_one(HeadLine).left
        rows = [rail.render_line(row).text for row in range(rail.size.height)]
        for entry in rail.entries:
            line = next(row for row in rows if f"{entry.key} " in row[:3])
            assert ("▸" in line) is (entry.section == section)
            if entry.problems:
                assert str(entry.problems) in line
        await pilot.resize_terminal(*SMALL)
        await settled(pilot)
        assert rail.size.width == 16
