"""Fields of forms: nothing that is typed gets lost, whatever is drawn at the same time."""

from __future__ import annotations

import json
import signal

import pytest

from rbdtui.site import Site
from rbdtui.workbench.operations import put, text_at
from rbdtui.workbench.sections import SITE
from screens.site import SiteScreen
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
