"""Fields of forms: nothing that is typed gets lost, whatever is drawn at the same time."""

from __future__ import annotations

import json
import signal

import pytest
from textual.pilot import Pilot

from rbdtui.site import Site
from rbdtui.workbench.draft.operations import put, text_at
from rbdtui.workbench.sections import BALANCER, NODES, REVIEW, SITE
from screens.forms.site import SiteScreen
from screens.widgets.field import Field
from tests.screens.conftest import Opened, bench, settled
from tests.screens.pilot import key_event
from tests.screens.waiting import drawn, program, until


async def test_a_letter_typed_while_the_screen_is_drawn_stays(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        screen = pilot.app.screen
        assert isinstance(screen, SiteScreen)
        field = next(field for field in screen.query(Field) if field.path == "name")
        await pilot.press("enter", "ctrl+u")
        for letter in "abc":
            field.line.insert_text_at_cursor(letter)
            screen.refresh_view()
        assert field.value == "abc"
        await drawn(pilot)
        assert field.value == "abc"
        assert text_at(workbench.draft.data, "name") == "abc"


async def test_a_change_from_elsewhere_is_shown(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        field = next(field for field in pilot.app.screen.query(Field) if field.path == "name")
        before = field.value
        await pilot.press("enter", "x", "y")
        await drawn(pilot)
        assert field.value == f"{before}xy"
        workbench.change(lambda data: put(data, "name", "other"))
        await drawn(pilot)
        assert field.value == "other"
        workbench.undo()
        workbench.undo()
        await drawn(pilot)
        assert field.value == before


async def test_keys_that_come_all_at_once_act_in_their_order(opened: Opened, site: Site) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        field = next(field for field in pilot.app.screen.query(Field) if field.path == "name")
        for key in ("enter", "ctrl+u", *"abd", "backspace", "c", "home", "x", "escape", "z"):
            pilot.app.post_message(key_event(key))
        await drawn(pilot)
        assert field.value == "xabc"
        assert text_at(workbench.draft.data, "name") == "xabc"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
async def test_letters_of_which_only_the_field_knows_are_kept_when_the_line_drops(
    opened: Opened, site: Site, number: signal.Signals
) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        field = next(field for field in pilot.app.screen.query(Field) if field.path == "name")
        await pilot.press("enter")
        field.line.insert_text_at_cursor("-typed")
        program(pilot).leave(128 + number)
        await until(pilot, lambda: pilot.app.return_value is not None)
        assert pilot.app.return_value == 128 + number
    kept = json.loads((site.path / "draft.json").read_bytes())
    assert kept["data"]["name"].endswith("-typed")


def field_of(pilot: Pilot[int], path: str) -> Field:
    return next(field for field in pilot.app.screen.query(Field) if field.path == path)


@pytest.mark.parametrize("size", [(80, 24), (60, 20), (120, 40)])
async def test_an_address_is_typed_where_the_cursor_was_brought_to(
    opened: Opened, site: Site, size: tuple[int, int]
) -> None:
    """Digits lead to sections elsewhere, and letters are commands."""
    workbench = bench(site)
    async with opened(workbench, size=size) as pilot:
        program(pilot).show_section(BALANCER)
        await settled(pilot)
        before = workbench.draft.data["nodes"]
        await pilot.press("down")
        assert field_of(pilot, "gateway.vip").line.has_focus
        for key in (*("127", "full_stop", "88", "full_stop", "0", "full_stop", "250"), "enter", "down"):
            for single in (key,) if key in ("full_stop", "enter", "down") else key:
                pilot.app.post_message(key_event(single))
        await settled(pilot)
        await pilot.press("9", "9", "escape")
        assert text_at(workbench.draft.data, "gateway.vip").startswith("127.88.0.250")
        assert text_at(workbench.draft.data, "gateway.virtual_router_id") != "99"
        assert program(pilot).current_mode == BALANCER
        assert workbench.draft.data["nodes"] == before


@pytest.mark.parametrize("keys", [("enter",), ("escape",), ("x", "enter"), ("x", "escape")])
async def test_a_field_that_is_done_leaves_keys_to_the_screen(
    opened: Opened, site: Site, keys: tuple[str, ...]
) -> None:
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(BALANCER)
        await settled(pilot)
        await pilot.press("down", *(("enter", "enter") if keys == ("enter",) else keys), "1")
        await settled(pilot)
        assert program(pilot).current_mode == NODES


async def test_sections_are_gone_through_by_their_digits(opened: Opened, site: Site) -> None:
    """A field that the cursor was on when its section was left takes no letter when it is shown again."""
    workbench = bench(site)
    async with opened(workbench) as pilot:
        before = json.dumps(workbench.draft.data)
        for key in ("0", "down", "up", "escape", "1", "0", "3", "0", "9"):
            pilot.app.post_message(key_event(key))
        await until(pilot, lambda: program(pilot).current_mode == REVIEW)
        assert json.dumps(workbench.draft.data) == before
        await pilot.press("0", "down", "down", "f8", "escape")
        program(pilot).show_section(NODES)
        await settled(pilot)
        await pilot.press("0", "3")
        assert program(pilot).current_mode == BALANCER


async def test_the_first_letter_takes_the_place_of_what_stood_there_and_escape_brings_it_back(
    opened: Opened, site: Site
) -> None:
    workbench = bench(site)
    async with opened(workbench) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        before = text_at(workbench.draft.data, "name")
        await pilot.press("n", "e", "w")
        await drawn(pilot)
        assert text_at(workbench.draft.data, "name") == "new"
        await pilot.press("escape")
        await drawn(pilot)
        assert text_at(workbench.draft.data, "name") == before
        assert field_of(pilot, "name").value == before


async def test_how_to_reach_the_other_keys_is_shown(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        assert "Esc other keys" in program(pilot).text_on_screen()
        await pilot.press("escape")
        await drawn(pilot)
        assert "Esc other keys" not in program(pilot).text_on_screen()
        assert "q quit" in program(pilot).text_on_screen()


async def test_up_and_down_lead_from_field_to_field_while_letters_are_taken(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        program(pilot).show_section(SITE, "name")
        await settled(pilot)
        await pilot.press("enter", "x", "down", "down", "up")
        await drawn(pilot)
        focused = pilot.app.screen.focused
        assert focused is not None
        assert getattr(focused.parent, "path", "") == "profile"
        program(pilot).show_section(SITE, "ssh.password")
        await settled(pilot)
        await pilot.press("enter")
        await settled(pilot)
        first, second = pilot.app.screen.query(Field)
        await pilot.press("a", "down", "b", "up", "c")
        assert (first.value, second.value) == ("ac", "b")
