"""Roles: given and taken by keys, ready-made divisions, and what the death of a node means."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Static

from rbdtui.site import Site
from rbdtui.workbench.rail import section_statuses
from rbdtui.workbench.roles import roles_of
from rbdtui.workbench.sections import ROLES
from screens.roles.presets import PresetsDialog
from screens.roles.role_table import RoleTable
from screens.roles.roles import RolesScreen
from tests.screens.conftest import LOOKS, SMALL, Opened, Picture, bench, make_site, settled
from tests.screens.forming import plan_with
from tests.screens.waiting import drawn, program

EMPTY = "apiVersion: rbdtui/v1\nname: site-a\nprofile: kubernetes-only\nbundle: bundle\nnodes: []\n"


def fifty(site: Site) -> None:
    """Have fifty nodes in the plan."""
    workers = "".join(f"  - {{name: worker{n}, address: 127.88.1.{n}, roles: [worker]}}\n" for n in range(1, 47))
    text = site.spec_file.read_text()
    head, mark, tail = text.partition("nodes:\n")
    nodes, below, rest = tail.partition("\nkubernetes:")
    site.spec_file.write_text(head + mark + nodes.rstrip() + "\n" + workers + below + rest)


async def show(pilot: Pilot[int]) -> RolesScreen:
    program(pilot).show_section(ROLES)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, RolesScreen)
    return screen


async def press(pilot: Pilot[int], *keys: str) -> None:
    await pilot.press(*keys)
    await drawn(pilot)


def held(pilot: Pilot[int], index: int) -> list[str]:
    workbench = program(pilot).workbench
    assert workbench is not None
    nodes = workbench.draft.data["nodes"]
    assert isinstance(nodes, list)
    return roles_of(nodes[index])


def foot(screen: RolesScreen) -> dict[str, str]:
    """What stands below the columns."""
    return {key: cell.text for key, cell in screen.query_one(RoleTable)._foot.items()}


def said(screen: RolesScreen) -> str:
    return str(screen.query_one("#detail", Static).content)


async def test_space_takes_a_role_and_gives_it_back(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await show(pilot)
        before = held(pilot, 1)
        await press(pilot, "down", "right", "space")
        assert set(before) - set(held(pilot, 1)) == {"etcd"}
        await press(pilot, "enter")
        assert held(pilot, 1) == before
        await press(pilot, "space", "u")
        assert held(pilot, 1) == before


async def test_what_a_death_means_follows_cursor_and_roles(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        screen = await show(pilot)
        assert "If server1 dies" in said(screen)
        assert "etcd 2 of 3, quorum holds" in said(screen)
        await press(pilot, "down", "down", "down")
        assert "If agent1 dies" in said(screen)
        assert "etcd keeps all 3 members" in said(screen)
        await press(pilot, "up", "up", "right", "space")
        assert "If server2 dies" in said(screen)
        assert "etcd keeps all 2 members" in said(screen)
        workbench = program(pilot).workbench
        assert workbench is not None
        assert any(finding.code == "RBD-TOPO-004" for finding in workbench.findings)


async def test_a_wrong_number_of_members_is_the_sections_own_problem(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await show(pilot)
        await press(pilot, "right", "space")
        workbench = program(pilot).workbench
        assert workbench is not None
        (roles,) = [status for status in section_statuses(workbench) if status.section == ROLES]
        assert roles.problems >= 1


async def test_a_division_is_looked_at_taken_over_and_taken_back(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await show(pilot)
        before = [held(pilot, index) for index in range(4)]
        await press(pilot, "p")
        dialog = pilot.app.screen
        assert isinstance(dialog, PresetsDialog)
        text = program(pilot).text_on_screen()
        assert "server1  control-plane etcd +worker gateway" in text
        assert "unchanged: agent1" in text
        await press(pilot, "down")
        assert "unchanged: server1, server2, server3, agent1" in program(pilot).text_on_screen()
        await press(pilot, "up")
        assert [held(pilot, index) for index in range(4)] == before
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, RolesScreen)
        assert "worker" in held(pilot, 0)
        assert held(pilot, 3) == ["worker"]
        await press(pilot, "u")
        assert [held(pilot, index) for index in range(4)] == before


async def test_a_division_that_needs_more_nodes_cannot_be_taken(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await show(pilot)
        before = [held(pilot, index) for index in range(4)]
        await press(pilot, "p", "down", "down", "down")
        assert "needs 6 nodes" in program(pilot).text_on_screen()
        await press(pilot, "escape")
        assert [held(pilot, index) for index in range(4)] == before


async def test_names_that_are_wrong_do_not_hide_what_a_death_means(opened: Opened, site: Site) -> None:
    site.spec_file.write_text(site.spec_file.read_text().replace("name: server2", 'name: "no de 2"'))
    async with opened(bench(site)) as pilot:
        screen = await show(pilot)
        await press(pilot, "down")
        assert "etcd 2 of 3, quorum holds" in said(screen)
        await press(pilot, "right", "space")
        assert "etcd has two members" in said(screen)
        assert foot(screen)["etcd"] == "2 ✗"


async def test_without_servers_it_says_where_to_begin(opened: Opened, home: Path) -> None:
    empty = make_site(home / "empty", EMPTY)
    async with opened(bench(empty)) as pilot:
        screen = await show(pilot)
        assert not screen.query_one("#sides").display
        await press(pilot, "space", "p", "u", "down", "enter")
        assert isinstance(pilot.app.screen, RolesScreen)


async def test_a_finding_leads_to_its_node(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(ROLES, "nodes[2].roles[0]")
        await settled(pilot)
        table = pilot.app.screen.query_one(RoleTable)
        assert (table.row, table.column) == (2, "control-plane")
        program(pilot).show_section(ROLES, "nodes[1].roles[2]")
        await settled(pilot)
        assert (table.row, table.column) == (1, "gateway")


async def test_how_many_have_each_role_and_whether_that_will_do(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        screen = await show(pilot)
        counted = {"name": "4 in all", "control-plane": "3 ✓", "etcd": "3 ✓", "worker": "1", "gateway": "3 ✓"}
        assert foot(screen) == counted
        await press(pilot, "right", "right", "right", "space", "down", "space")
        assert foot(screen)["gateway"] == "1 !"
        await press(pilot, "down", "space")
        assert foot(screen)["gateway"] == "0 ✗"
        workbench = program(pilot).workbench
        assert workbench is not None
        (roles,) = [status for status in section_statuses(workbench) if status.section == ROLES]
        assert roles.problems == 1


async def test_a_role_that_the_profile_does_not_use_is_there_while_a_node_has_it(opened: Opened, site: Site) -> None:
    site.spec_file.write_text(site.spec_file.read_text().replace("roles: [worker]", "roles: [worker, build]"))
    async with opened(bench(site)) as pilot:
        screen = await show(pilot)
        assert "build" in foot(screen)
        program(pilot).show_section(ROLES, "nodes[3].roles[1]")
        await settled(pilot)
        assert "does not use" in said(screen)
        await press(pilot, "space")
        assert "build" not in foot(screen)
        await press(pilot, "space", "right", "left", "u")
        await press(pilot, "u")
        assert "build" in foot(screen)


async def test_fifty_nodes_scroll(opened: Opened, site: Site) -> None:
    fifty(site)
    async with opened(bench(site), size=SMALL) as pilot:
        screen = await show(pilot)
        await press(pilot, "end")
        assert screen.query_one(RoleTable).row == 49
        assert "50 in all" in program(pilot).text_on_screen()
        assert "worker46" in program(pilot).text_on_screen()
        assert "If worker46 dies" in said(screen)


# --- pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot)
        picture(pilot, name="good")
        await press(pilot, "down", "right", "space")
        picture(pilot, name="bad")
        await press(pilot, "u", "p")
        picture(pilot, name="division")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_of_many(
    opened: Opened, picture: Picture, site: Site, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    fifty(site)
    site.spec_file.write_text(site.spec_file.read_text().replace("profile: kubernetes-only", "profile: rainbond-6"))
    async with opened(bench(site), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot)
        await press(pilot, "pagedown", "right")
        picture(pilot, name="table")
        await press(pilot, "p", "down", "down")
        picture(pilot, name="division")


@pytest.mark.parametrize(("size", "language", "ascii_only"), LOOKS)
async def test_pictures_without_nodes(
    opened: Opened, picture: Picture, home: Path, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    empty = make_site(home / "empty", EMPTY)
    async with opened(bench(empty), size=size, language=language, ascii_only=ascii_only) as pilot:
        await show(pilot)
        picture(pilot)


@pytest.mark.parametrize("size", [(60, 20), (64, 20), (80, 24)])
async def test_the_column_under_the_cursor_is_seen(opened: Opened, site: Site, size: tuple[int, int]) -> None:
    async with opened(bench(site), size=size) as pilot:
        screen = await show(pilot)
        columns = [role.value for role in screen._roles()]
        for key in ["home", *["right"] * (len(columns) - 1), *["left"] * (len(columns) - 1)]:
            await press(pilot, key)
            table = screen.table
            heading, cell = table.text_lines[0], table.cell_region()
            assert table.column in heading
            assert cell.right <= table.content_size.width - 1
            assert any(span.key == (table.row, table.column) for line in table._drawn for span in line)
            assert (columns[0] in heading) or "<" in heading
            assert (columns[-1] in heading) or heading.endswith(">")


OUTSIDE = (
    "storage: {mode: storage-class, storage_class: fast}",
    "mysql: {mode: external, host: 10.0.0.20, username: a, password: secret:a}",
    "registry: {mode: external, domain: hub.corp:5000}",
)


@pytest.mark.parametrize(
    ("lines", "profile", "words"),
    [
        ((), "kubernetes-only", "registry, storage: not used by this profile"),
        ((), "rainbond-6", "these stop until it is back: rbd-db, rbd-hub, rbd-app-ui, minio"),
        (OUTSIDE[1:], "rainbond-6", "these stop until it is back: rbd-app-ui, minio"),
        ((*OUTSIDE, "rainbond: {version: v6.9.3-release}"), "rainbond-6", "starts again on another node"),
    ],
)
async def test_what_the_platform_keeps_on_one_node_is_no_secret(
    opened: Opened, home: Path, lines: tuple[str, ...], profile: str, words: str
) -> None:
    workbench = plan_with(home, *lines, profile=profile)
    async with opened(workbench) as pilot:
        screen = await show(pilot)
        assert words in " ".join(said(screen).split())
        workbench.change(lambda data: data.update(kubernetes={"api": {"mode": "no such"}}))
        await drawn(pilot)
        assert ("not used" in said(screen)) == (profile == "kubernetes-only"), "of a plan with mistakes nothing is said"
        assert "another node" not in said(screen)
        assert "until it is back" not in said(screen)
