"""Keys that arrive at a stroke, as a slow line delivers them, act as if each had been waited for."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import TextArea

from rbdtui.site import Site
from rbdtui.workbench.draft.operations import field_of, nodes_in, text_at
from rbdtui.workbench.sections import BALANCER, REVIEW, ROLES, SITE
from rbdtui.workbench.workbench import Workbench
from screens.nodes.login import LoginDialog
from screens.nodes.paste import PasteDialog
from screens.widgets.field import Field
from tests.screens.conftest import Opened, bench, make_site, settled
from tests.screens.pilot import key_event
from tests.screens.terminal import terminal
from tests.screens.waiting import drawn, program, until

EMPTY = "apiVersion: rbdtui/v1\nname: site-a\nprofile: kubernetes-only\nbundle: bundle\nnodes: []\n"


async def at_a_stroke(pilot: Pilot[int], *keys: str) -> None:
    """Press keys, a text letter by letter, without waiting for anything."""
    named = ("enter", "tab", "shift+tab", "escape", "down", "up", "left", "right", "space", "f2", "ctrl+u", "ctrl+l")
    for key in keys:
        for single in (key,) if key in named else key:
            pilot.app.post_message(key_event(single))
    await drawn(pilot)
    await settled(pilot)


def nodes(workbench: Workbench) -> list[tuple[str, str]]:
    rows = nodes_in(workbench.draft.data)
    return [(field_of(node, "name"), field_of(node, "address")) for _, node in rows]


async def test_servers_are_entered_cell_by_cell(opened: Opened, site: Site) -> None:
    workbench = bench(make_site(site.path.parent / "new", EMPTY))
    async with opened(workbench) as pilot:
        await at_a_stroke(pilot, "a", "n1", "tab", "127.77.0.11", "enter", "a", "srv", "tab", "127.77.0.12", "enter")
        await at_a_stroke(pilot, "a", "extrc", "enter", "97", "enter", "a", "x", "escape")
        assert nodes(workbench) == [("n1", "127.77.0.11"), ("srv", "127.77.0.12"), ("extrc", "127.77.0.97")]


async def test_a_deleted_row_and_what_is_typed_behind_it(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        before = nodes(workbench)
        await at_a_stroke(pilot, "d", "e", "ctrl+u", "other", "down", "ctrl+u", "last", "enter", "u", "d")
        assert nodes(workbench) == [("other", before[1][1]), before[3]]


async def test_sections_fields_and_choices(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await at_a_stroke(pilot, "0", "enter", "ctrl+u", "abc", "enter", "1", "d", "3")
        assert text_at(workbench.draft.data, "name") == "abc"
        assert program(pilot).current_mode == BALANCER
        assert len(nodes(workbench)) == 3
        await at_a_stroke(pilot, "2", "space", "9")
        assert program(pilot).current_mode == REVIEW
        roles = workbench.draft.data["nodes"][0]["roles"]
        await at_a_stroke(pilot, "2", "space", "0")
        assert workbench.draft.data["nodes"][0]["roles"] != roles
        assert program(pilot).current_mode == SITE
        await at_a_stroke(pilot, "2")
        assert program(pilot).current_mode == ROLES


@pytest.mark.parametrize("stolen_s", [0.1, 0.4])
async def test_where_the_program_gets_hardly_any_time_no_keys_are_mixed_up(
    stolen_s: float, opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = (looks * stolen_s for looks in itertools.count())
    workbench = bench(site)
    async with opened(workbench) as pilot:
        monkeypatch.setattr("screens.shell.key_order.time", SimpleNamespace(monotonic=lambda: next(times)))
        monkeypatch.setattr("screens.shell.key_order.LOOK_EVERY_S", 1e-6)
        await at_a_stroke(pilot, "0", "enter", "ctrl+u", "abc", "enter", "1", "d")
        assert text_at(workbench.draft.data, "name") == "abc"
        assert len(nodes(workbench)) == 3


async def test_fields_of_the_balancer(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(BALANCER, "gateway.vip")
        await settled(pilot)
        if not [field for field in pilot.app.screen.query(Field) if field.path == "gateway.vip" and field.display]:
            pytest.skip("this profile has no VIP")
        await at_a_stroke(pilot, "enter", "ctrl+u", "127.88.0.200", "enter", "1", "d", "3")
        assert text_at(workbench.draft.data, "gateway.vip").startswith("127.88.0.200")
        assert len(nodes(workbench)) == 3


async def test_what_is_typed_for_a_dialog_goes_into_it(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        await at_a_stroke(pilot, "l")
        assert isinstance(pilot.app.screen, LoginDialog)
        await at_a_stroke(pilot, "escape", "down", "l", "escape", "d")
        assert [name for name, _ in nodes(workbench)] == ["server1", "server3", "agent1"]


async def test_a_list_that_comes_as_keys_is_a_list(opened: Opened, site: Site) -> None:
    """A terminal that does not tell a paste sends its letters and line ends, empty lines among them."""
    workbench = bench(make_site(site.path.parent / "new", EMPTY))
    async with opened(workbench) as pilot:
        await at_a_stroke(
            pilot, "p", "n1 127.77.0.11", "enter", "enter", "127.77.0.12", "enter", "127.77.0.13", "enter", "enter"
        )
        dialog = pilot.app.screen
        assert isinstance(dialog, PasteDialog)
        text = dialog.query_one(TextArea).text
        assert [line for line in text.splitlines() if line] == ["n1 127.77.0.11", "127.77.0.12", "127.77.0.13"]
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(pilot.app.screen, PasteDialog))
        assert [address for _, address in nodes(workbench)] == ["127.77.0.11", "127.77.0.12", "127.77.0.13"]


async def test_a_paste_between_keys_stays_between_them(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        pilot.app.post_message(key_event("e"))
        pilot.app.post_message(key_event("ctrl+u"))
        pilot.app.post_message(events.Paste("pasted"))
        await at_a_stroke(pilot, "x", "tab", "ctrl+u", "127.88.0.99", "enter")
        assert nodes(workbench)[0] == ("pastedx", "127.88.0.99")


def test_a_real_terminal_delivers_them_in_one_packet(site: Site) -> None:
    made = make_site(site.path.parent / "new", EMPTY)
    with terminal(made.path, home=site.path.parent) as shown:
        shown.wait_for("No servers yet")
        shown.type("1as1\t127.77.0.11\ras2\t127.77.0.12\ras3\r13\rs")
        shown.wait_for("127.77.0.13")
        shown.wait_for(lambda seen: "not saved" not in seen)
        text = made.spec_file.read_text(encoding="utf-8")
        assert [f"127.77.0.1{number}" in text for number in (1, 2, 3)] == [True] * 3
        assert [f"name: s{number}" in text for number in (1, 2, 3)] == [True] * 3
