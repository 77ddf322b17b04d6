"""Keys that are pressed while a site is being opened: they act once it is there, and never on a question."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot

from rbdtui.site import Site
from rbdtui.vault import Vault
from rbdtui.workbench.passphrase import HeldPassphrase
from rbdtui.workbench.workbench import Workbench
from screens.app import OPENING, START, RbdTuiApp, Start
from screens.dialogs.passphrase import PassphraseDialog
from screens.shell.key_order import MOST_HELD
from screens.terminal.settings import Settings
from screens.widgets.field import TextLine
from tests.screens.conftest import SMALL, bench
from tests.screens.pilot import SwiftPilot, key_event
from tests.screens.waiting import until

PASSPHRASE = "correct horse"


@pytest.fixture
def locked(site: Site) -> Site:
    Vault.create(site.vault_file, PASSPHRASE, work=2**14).set("sudo", "hidden value")
    return site


@asynccontextmanager
async def opening(open_site: Callable[[], Workbench], home: Path) -> AsyncIterator[tuple[Pilot[int], threading.Event]]:
    """The program while it opens a site, for as long as the event is not set."""
    go_on = threading.Event()

    def opener() -> Workbench:
        go_on.wait(30)
        return open_site()

    app = RbdTuiApp(Start(opener=opener, settings=Settings(), settings_file=home / "settings.json"))
    async with app.run_test(size=SMALL):
        pilot = SwiftPilot(app)
        await until(pilot, lambda: app.current_mode == OPENING)
        try:
            yield pilot, go_on
        finally:
            go_on.set()


def typed(pilot: Pilot[int], *keys: str) -> None:
    for key in keys:
        pilot.app.post_message(key_event(key))


def shown(pilot: Pilot[int]) -> str:
    return pilot.app.current_mode


async def test_keys_of_the_first_moment_act_once_the_site_is_there_and_in_their_order(site: Site, home: Path) -> None:
    async with opening(lambda: bench(site), home) as (pilot, go_on):
        typed(pilot, "9", "1", "a", "d", "b")
        await pilot.pause()
        assert shown(pilot) == OPENING
        go_on.set()
        await until(pilot, lambda: isinstance(pilot.app.focused, TextLine) and pilot.app.focused.value == "db")
        assert shown(pilot) == "nodes"
        typed(pilot, "1")
        await until(pilot, lambda: isinstance(pilot.app.focused, TextLine) and pilot.app.focused.value == "db1")


async def test_the_key_that_leaves_is_not_kept(site: Site, home: Path) -> None:
    async with opening(lambda: bench(site), home) as (pilot, _):
        typed(pilot, "9", "q")
        await until(pilot, lambda: not pilot.app.is_running or pilot.app._exit)


async def test_what_was_typed_is_no_passphrase_and_no_command_where_one_is_asked_for(locked: Site, home: Path) -> None:
    async with opening(lambda: bench(locked), home) as (pilot, go_on):
        typed(pilot, "9", *"horse", "enter")
        await pilot.pause()
        go_on.set()
        await until(pilot, lambda: isinstance(pilot.app.screen, PassphraseDialog))
        await pilot.pause(0.1)
        assert isinstance(pilot.app.focused, TextLine)
        assert pilot.app.focused.value == ""
        await pilot.press("h", "i")
        assert pilot.app.focused.value == "hi", "what is typed from now on is for the dialog"
        await pilot.press("escape")
        assert shown(pilot) != "review"


async def test_with_a_passphrase_at_hand_they_act(locked: Site, home: Path) -> None:
    def open_site() -> Workbench:
        held = HeldPassphrase()
        held.give(PASSPHRASE)
        return Workbench.open(locked.path, held, ask_servers=False)

    async with opening(open_site, home) as (pilot, go_on):
        typed(pilot, "9")
        await pilot.pause()
        go_on.set()
        await until(pilot, lambda: shown(pilot) == "review")


async def test_a_text_that_is_pasted_too_early_goes_nowhere(site: Site, home: Path) -> None:
    async with opening(lambda: bench(site), home) as (pilot, go_on):
        pilot.app.post_message(events.Paste("9"))
        typed(pilot, *("2" for _ in range(3 * MOST_HELD)), "9")
        await pilot.pause()
        go_on.set()
        await until(pilot, lambda: shown(pilot) == "roles")
        await pilot.pause(0.1)
        assert shown(pilot) == "roles", "a key that was leant on ends somewhere"


async def test_they_do_not_act_on_the_start_screen(site: Site, home: Path) -> None:
    site.spec_file.unlink()
    app = RbdTuiApp(Start(site=site.path, settings=Settings(), settings_file=home / "settings.json"))
    async with app.run_test(size=SMALL):
        pilot = SwiftPilot(app)
        typed(pilot, "n")
        await until(pilot, lambda: app.current_mode == START)
        await pilot.pause(0.1)
        before = app.screen
        await pilot.press("down")
        assert app.screen is before, "no dialog of a new site has come up"
