"""Fifty servers worked with by keys alone: found, sorted, marked, and changed together, in Nodes and in Roles."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Static

from rbdtui.site import Site
from rbdtui.workbench.draft.operations import field_of, nodes_in
from rbdtui.workbench.roles import roles_of
from rbdtui.workbench.row_view import Order
from rbdtui.workbench.sections import NODES, ROLES
from rbdtui.workbench.workbench import Workbench
from screens.dialogs.confirm import ConfirmDialog
from screens.nodes.login import LoginDialog
from screens.nodes.nodes import NodesScreen
from screens.nodes.trust import TrustDialog
from screens.shell.key_order import ECHO_S
from screens.shell.list_screen import ListScreen
from screens.shell.row_list import RowListScreen
from screens.widgets.view_line import SearchBar, ViewLine
from tests.screens.answers import answered, denied, key_unknown
from tests.screens.conftest import Opened, bench, settled, show_live
from tests.screens.pilot import key_event
from tests.screens.test_roles import fifty
from tests.screens.waiting import drawn, program, until

LARGE = (120, 40)
NAMED = {"/": "slash", "*": "asterisk", "!": "exclamation_mark", " ": "space", ".": "full_stop", "-": "minus"}
SIZES = [
    pytest.param((80, 24), "en", False, id="80x24-en"),
    pytest.param(LARGE, "zh", False, id="120x40-zh"),
    pytest.param((60, 20), "en", True, id="60x20-ascii"),
]


@pytest.fixture
def workbench(site: Site) -> Workbench:
    """Fifty servers: server1 to server3, agent1, and worker1 to worker46."""
    fifty(site)
    return bench(site)


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys; a text of several letters that names no key letter by letter."""
    names = ("enter", "escape", "down", "up", "left", "right", "space", "home", "end", "tab", "ctrl+u")
    for key in keys:
        await pilot.press(*([key] if key in names else [NAMED.get(sign, sign) for sign in key]))
    await drawn(pilot)


async def section(pilot: Pilot[int], name: str) -> RowListScreen:
    program(pilot).show_section(name)
    await settled(pilot)
    screen = pilot.app.screen
    assert isinstance(screen, RowListScreen)
    return screen


def names(workbench: Workbench) -> list[str]:
    return [field_of(node, "name") for _, node in nodes_in(workbench.draft.data)]


def shown(screen: RowListScreen) -> list[str]:
    assert screen.program.workbench is not None
    listed = names(screen.program.workbench)
    return [listed[index] for index in screen.shown]


def under_cursor(screen: RowListScreen) -> str:
    return shown(screen)[screen.table.row]


def head(screen: ListScreen[Any]) -> str:
    """What stands above the list, as the screen shows it."""
    line = screen.query_one(ViewLine)
    return str(line.render()) if line.display else ""


def users(workbench: Workbench, *wanted: str) -> list[str]:
    return [
        field_of(node, "ssh.user") for _, node in nodes_in(workbench.draft.data) if field_of(node, "name") in wanted
    ]


# --- searching -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "language", "ascii_only"), SIZES)
@pytest.mark.parametrize("name", [NODES, ROLES])
async def test_a_server_is_found_by_typing(
    opened: Opened, workbench: Workbench, name: str, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        screen = await section(pilot, name)
        await press(pilot, "/worker4")
        assert shown(screen) == ["worker4", *(f"worker{n}" for n in range(40, 47))]
        await press(pilot, "7")
        assert shown(screen) == []
        assert program(pilot).text_on_screen().count("Esc") >= 1
        await press(pilot, "ctrl+u", "worker 1.46", "enter")
        assert shown(screen) == ["worker46"]
        assert "/worker 1.46" in program(pilot).text_on_screen()
        assert "50" in head(screen)
        assert "1" in head(screen)
        await press(pilot, "escape")
        assert len(shown(screen)) == 50
        assert head(screen) == ""
        assert under_cursor(screen) == "worker46"
        assert not workbench.draft.can_undo


async def test_escape_while_typing_shows_all_again(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await press(pilot, "/worker40", "escape")
        assert len(shown(screen)) == 50
        assert not screen.query_one(SearchBar).display


@pytest.mark.parametrize("name", [NODES, ROLES])
async def test_letters_behind_the_search_key_are_no_commands(opened: Opened, workbench: Workbench, name: str) -> None:
    """Each of these letters is a key of the screen or leads to another section."""
    async with opened(workbench) as pilot:
        screen, before = await section(pilot, name), names(workbench)
        for sign in "/daeyptlgus 0123q9worker46":
            pilot.app.post_message(key_event(NAMED.get(sign, sign)))
        await settled(pilot)
        assert screen.is_current
        assert names(workbench) == before
        assert screen.view.query == "daeyptlgus 0123q9worker46"
        for key in ("ctrl+u", *"worker46", "enter", "u", "d" if name == NODES else "space"):
            pilot.app.post_message(key_event(key))
        await settled(pilot)
        if name == NODES:
            assert names(workbench) == before[:-1]
        else:
            _, node = nodes_in(workbench.draft.data)[-1]
            assert roles_of(node) == ["control-plane", "worker"]


async def test_what_the_search_finds_is_what_keys_act_on(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await press(pilot, "/127.88.1.2", "enter", "down", "d")
        assert set(range(1, 47)) - {n for n in range(1, 47) if f"worker{n}" in names(workbench)} == {20}
        assert under_cursor(screen) == "worker21"
        await press(pilot, "enter", "ctrl+u", "other", "enter")
        assert names(workbench)[4 + 19] == "other"
        assert under_cursor(screen) == "other"
        await press(pilot, "u", "u")
        assert "worker20" in names(workbench)


async def test_roles_are_searched_and_given_to_what_is_found(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, ROLES)
        await press(pilot, "/etcd", "enter")
        assert shown(screen) == ["server1", "server2", "server3"]
        await press(pilot, "right", "down", "space")
        assert "etcd" not in roles_of(nodes_in(workbench.draft.data)[1][1])
        assert under_cursor(screen) == "server2", "the row stays under the cursor though it matches no more"
        await press(pilot, "down")
        assert shown(screen) == ["server1", "server3"]
        assert under_cursor(screen) == "server3"


async def test_a_new_server_is_seen_whatever_is_searched(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await press(pilot, "/server", "enter", "a127.88.2.1", "enter")
        assert under_cursor(screen) == "worker47"
        assert field_of(nodes_in(workbench.draft.data)[-1][1], "address") == "127.88.2.1"


# --- only problems, and order ----------------------------------------------------------------------------------


async def trouble(pilot: Pilot[int], workbench: Workbench) -> None:
    spec = workbench.draft.spec
    assert spec is not None
    others = {"worker9": denied("worker9", "127.88.1.9"), "worker30": key_unknown("worker30", "127.88.1.30")}
    show_live(workbench, answered(spec, others=others))
    await drawn(pilot)


async def test_only_servers_with_problems_are_seen(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await trouble(pilot, workbench)
        await press(pilot, "!")
        assert shown(screen) == ["worker9", "worker30"]
        assert "2 of 50" in head(screen)
        spec = workbench.draft.spec
        assert spec is not None
        show_live(workbench, answered(spec))
        await drawn(pilot)
        assert shown(screen) == ["worker9"], "a server does not go from under the cursor by itself"
        await press(pilot, "!")
        assert len(shown(screen)) == 50


async def test_what_is_wrong_comes_first_and_the_cursor_stays_on_its_server(
    opened: Opened, workbench: Workbench
) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await trouble(pilot, workbench)
        await press(pilot, "end", "o")
        assert shown(screen)[:3] == ["worker9", "worker30", "server1"]
        assert under_cursor(screen) == "worker46"
        assert "problems first" in head(screen)
        await press(pilot, "o")
        assert screen.view.order is Order.NAME
        assert shown(screen)[:1] + shown(screen)[4:6] + shown(screen)[13:14] == [
            "agent1",
            "worker1",
            "worker2",
            "worker10",
        ]
        await press(pilot, "home", "d")
        assert "agent1" not in names(workbench)
        await press(pilot, "u", "o", "o")
        assert shown(screen) == names(workbench)
        assert head(screen) == ""


# --- marks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "language", "ascii_only"), SIZES)
async def test_marks_are_seen_counted_and_stay(
    opened: Opened, workbench: Workbench, size: tuple[int, int], language: str, ascii_only: bool
) -> None:
    async with opened(workbench, size=size, language=language, ascii_only=ascii_only) as pilot:
        screen = await section(pilot, NODES)
        await press(pilot, "/worker1", "enter", "space", "space", "space")
        assert "3" in head(screen)
        assert sum("*worker1" in line for line in screen.table.text_lines) == 3
        await press(pilot, "/agent", "enter")
        assert "3" in head(screen)
        assert len(screen.view.marked) == 3
        await press(pilot, "escape", "o", "o")
        assert {names(workbench)[index] for index in screen.view.marked} == {"worker1", "worker10", "worker11"}
        await press(pilot, "*")
        assert len(screen.view.marked) == 50
        await press(pilot, "*")
        assert screen.view.marked == set()


async def test_ten_are_marked_and_their_user_is_changed(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        await section(pilot, NODES)
        await press(pilot, "/worker2", "enter", "*", "escape", "l")
        assert isinstance(pilot.app.screen, LoginDialog)
        assert str(pilot.app.screen.query_one("#login-state", Static).content).startswith("worker2 +10: ")
        await press(pilot, "ops", "escape")
        changed = [f"worker{n}" for n in (2, *range(20, 30))]
        assert users(workbench, *changed) == ["ops"] * 11
        assert sum(user == "ops" for user in users(workbench, *names(workbench))) == 11
        await press(pilot, "u")
        assert not any(users(workbench, *names(workbench)))


async def test_a_column_is_edited_for_all_that_are_marked(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench, size=LARGE) as pilot:
        screen = await section(pilot, NODES)
        await press(pilot, "/worker3", "enter", "space", "space", "escape", "home", "right", "right", "right")
        assert screen.table.column == "user"
        await press(pilot, "e", "ops", "enter")
        assert users(workbench, "worker3", "worker30") == ["ops", "ops"]
        assert sum(map(bool, users(workbench, *names(workbench)))) == 2
        await press(pilot, "e", "x", "escape")
        assert users(workbench, "worker3", "worker30") == ["ops", "ops"]
        await press(pilot, "left", "left", "e")
        assert "Esc" in program(pilot).text_on_screen()
        await press(pilot, "u")
        assert not any(users(workbench, *names(workbench)))


async def test_several_are_removed_after_a_question_and_come_back_in_one_step(
    opened: Opened, workbench: Workbench
) -> None:
    async with opened(workbench) as pilot:
        await section(pilot, NODES)
        before = names(workbench)
        await press(pilot, "/worker4", "enter", "*", "d")
        assert isinstance(pilot.app.screen, ConfirmDialog)
        assert "worker40" in program(pilot).text_on_screen()
        await press(pilot, "n")
        assert names(workbench) == before
        await press(pilot, "d", "y")
        assert names(workbench) == [name for name in before if not name.startswith("worker4")]
        await press(pilot, "u")
        assert names(workbench) == before


@pytest.mark.parametrize("pause_s", [ECHO_S, 0.0])
async def test_an_answer_that_is_given_again_is_no_command(
    opened: Opened, workbench: Workbench, monkeypatch: pytest.MonkeyPatch, pause_s: float
) -> None:
    monkeypatch.setattr("screens.shell.key_order.ECHO_S", pause_s)
    async with opened(workbench) as pilot:
        await press(pilot, "space", "down", "space", "d")
        await until(pilot, lambda: isinstance(pilot.app.screen, ConfirmDialog))
        await press(pilot, "y", "y", "y")
        left = len(nodes_in(workbench.draft.data))
        assert left == (48 if pause_s else 49), "a copy is made once the answer is long past"
        if pause_s:
            await press(pilot, "down", "y")
            assert len(nodes_in(workbench.draft.data)) == 49, "after another key the letter means what it always means"


async def test_a_list_that_changes_during_the_question_loses_nothing(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        await section(pilot, NODES)
        await press(pilot, "/worker4", "enter", "*", "d")
        assert isinstance(pilot.app.screen, ConfirmDialog)
        workbench.change(lambda data: data["nodes"].pop(0))
        before = names(workbench)
        await press(pilot, "y")
        assert names(workbench) == [name for name in before if not name.startswith("worker4")]


async def test_a_key_means_the_server_that_it_is_on_though_the_list_has_changed(
    opened: Opened, workbench: Workbench
) -> None:
    """The file may be changed elsewhere a moment before, and not be drawn yet."""
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await press(pilot, "down", "down")
        assert under_cursor(screen) == "server3"
        workbench.change(lambda data: data["nodes"].pop(0))
        assert isinstance(screen, NodesScreen)
        screen.action_remove()
        await settled(pilot)
        assert "server3" not in names(workbench)
        assert "server2" in names(workbench)
        assert "agent1" in names(workbench)


async def test_a_login_stays_with_its_server_while_others_go(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        await section(pilot, NODES)
        await press(pilot, "down", "l")
        workbench.change(lambda data: data["nodes"].pop(0))
        await press(pilot, "ops")
        assert users(workbench, "server2", "server3") == ["ops", ""]
        workbench.change(lambda data: data["nodes"].pop(0))
        await drawn(pilot)
        assert not isinstance(pilot.app.screen, LoginDialog)


async def test_keys_of_marked_servers_only_are_compared(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        await section(pilot, NODES)
        await press(pilot, "space", "space", "t")
        dialog = pilot.app.screen
        assert isinstance(dialog, TrustDialog)
        assert dialog._servers == ("server1", "server2")
        await press(pilot, "escape")


async def test_marked_nodes_get_a_role_and_lose_it_together(opened: Opened, workbench: Workbench) -> None:
    async with opened(workbench) as pilot:
        screen = await section(pilot, ROLES)

        def gateways() -> set[str]:
            return {field_of(node, "name") for _, node in nodes_in(workbench.draft.data) if "gateway" in roles_of(node)}

        before = gateways()
        await press(pilot, "/worker4", "enter", "*", "escape", "right", "right", "right")
        assert screen.table.column == "gateway"
        await press(pilot, "space")
        assert gateways() == before | {"worker4", *(f"worker{n}" for n in range(40, 47))}
        await press(pilot, "space")
        assert gateways() == before
        await press(pilot, "u", "u", "escape", "home", "m")
        assert gateways() == before
        assert {names(workbench)[index] for index in screen.view.marked} == {"server1"}


@pytest.mark.parametrize("seed", range(4))
async def test_keys_in_any_order_change_no_server_that_is_not_meant(
    opened: Opened, workbench: Workbench, seed: int
) -> None:
    """Servers are told by their addresses, which no key here changes."""
    dice = random.Random(seed)
    queries = itertools.cycle(["worker1", "zz", "", "server", "127.88.1.3"])
    async with opened(workbench) as pilot:
        screen = await section(pilot, NODES)
        await trouble(pilot, workbench)
        for _ in range(25):
            listed = {field_of(node, "address"): repr(node) for _, node in nodes_in(workbench.draft.data)}
            addresses = list(listed)
            meant = {addresses[index] for index in screen.targets()}
            match dice.choice(["/", "!", "o", "*", "space", "down", "up", "end", "escape", "l", "d", "U", "u"]):
                case "/":
                    await press(pilot, "/", "ctrl+u", next(queries), "enter")
                    meant = set()
                case "l" if meant:
                    await press(pilot, "l", "ctrl+u", dice.choice(["ops", "adm"]), "escape")
                case "d" if 0 < len(meant) < 4:
                    await press(pilot, "d", *(["y"] if len(meant) > 1 else []))
                case "l" | "d":
                    continue
                case "u" | "U" as key:
                    await press(pilot, key)
                    continue
                case key:
                    await press(pilot, key)
                    meant = set()
            after = {field_of(node, "address"): repr(node) for _, node in nodes_in(workbench.draft.data)}
            assert {address for address, node in listed.items() if after.get(address) != node} <= meant


async def test_a_terminal_that_is_looked_away_from_goes_on_with_the_search(
    opened: Opened, workbench: Workbench
) -> None:
    async with opened(workbench) as pilot:
        screen, before = await section(pilot, NODES), names(workbench)
        await press(pilot, "/work")
        pilot.app.post_message(events.AppBlur())
        await settled(pilot)
        pilot.app.post_message(events.AppFocus())
        await settled(pilot)
        await press(pilot, "d1")
        assert screen.is_current
        assert screen.view.query == "workd1"
        assert names(workbench) == before
