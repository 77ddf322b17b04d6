"""The shell around every section: keys, rail, help, palette, language, settings, sizes, leaving."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot
from textual.widgets import OptionList

from rbdtui.site import Site
from rbdtui.workbench.sections import SITE
from screens.app import RbdTuiApp
from screens.dialogs.leave import LeaveDialog
from screens.dialogs.palette import PaletteDialog
from screens.dialogs.preferences import PreferencesDialog
from screens.forms.site import SiteScreen
from screens.shell.base import Dialog, SectionScreen, Words
from screens.shell.help import HelpScreen
from screens.shell.sections import SECTION_SCREENS, SectionEntry
from screens.start.start import StartScreen
from screens.terminal.settings import Settings, load_settings
from screens.widgets.field import ChoiceLine, Field, TextLine
from screens.widgets.frame import HeadLine, KeyLine, MessageLine, Rail, TooSmall
from tests.screens.conftest import LARGE, SMALL, Opened, bench, settled
from tests.screens.waiting import drawn, until


def app_of(pilot: Pilot[int]) -> RbdTuiApp:
    assert isinstance(pilot.app, RbdTuiApp)
    return pilot.app


async def press(pilot: Pilot[int], *keys: str) -> None:
    """Press keys and have all that they changed drawn, also what would be drawn a moment later."""
    await pilot.press(*keys)
    await drawn(pilot)


def said(pilot: Pilot[int]) -> str:
    return str(pilot.app.screen.query_one(MessageLine).said)


async def on_site(pilot: Pilot[int]) -> None:
    app_of(pilot).show_section(SITE)
    await settled(pilot)


async def test_keys_are_shown_with_help_at_the_end(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        shown = pilot.app.screen.query_one(KeyLine).keys
        assert shown[-3:] == (("q", "quit"), ("F8", "settings"), ("?", "help"))


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_the_line_of_keys_fits_eighty_columns_on_every_section(opened: Opened, site: Site, language: str) -> None:
    async with opened(bench(site), language=language) as pilot:
        for entry in SECTION_SCREENS:
            app_of(pilot).show_section(entry.section)
            await settled(pilot)
            keys = pilot.app.screen.query_one(KeyLine)
            line = str(keys.render())
            assert cell_len(line) <= SMALL[0]
            assert line.endswith(keys.keys[-1][1])


async def test_every_section_is_reached_by_its_key_and_named_in_the_rail(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        for entry in SECTION_SCREENS:
            await press(pilot, "escape", entry.key)
            rail = pilot.app.screen.query_one(Rail)
            assert rail.current == entry.section
            assert [listed.section for listed in rail.entries] == [listed.section for listed in SECTION_SCREENS]


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_every_section_has_help_that_names_its_keys(opened: Opened, site: Site, language: str) -> None:
    async with opened(bench(site), language=language, size=LARGE) as pilot:
        for entry in SECTION_SCREENS:
            app_of(pilot).show_section(entry.section)
            await settled(pilot)
            words = [word for _, word in pilot.app.screen.query_one(KeyLine).keys]
            await press(pilot, "f1")
            assert isinstance(pilot.app.screen, HelpScreen)
            page = "\n".join(str(part.render()) for part in pilot.app.screen.query(Words))
            assert all(word in page for word in words)
            assert "help." not in page
            assert "key." not in page
            await press(pilot, "escape")


async def test_typed_letters_are_letters_only_while_a_field_is_edited(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        field = pilot.app.screen.query(Field).first()
        await press(pilot, "enter", "q", "1", "?")
        assert field.value.endswith("q1?")
        assert isinstance(pilot.app.screen, SiteScreen)
        await press(pilot, "enter", "question_mark")
        assert isinstance(pilot.app.screen, HelpScreen)
        assert field.value.endswith("q1?")


async def test_pasted_garbage_becomes_one_harmless_line(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "enter")
        line = pilot.app.screen.focused
        assert isinstance(line, TextLine)
        from textual import events

        line.post_message(events.Paste("\n\n\x1b[2Jevil\x07\x00 name\r\n" + "x\n" * 10_000))
        await settled(pilot)
        assert line.value.endswith("evil\ufffd\ufffd name")


async def test_the_language_switches_on_every_screen_and_back(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        for entry in SECTION_SCREENS:
            app_of(pilot).show_section(entry.section)
            await settled(pilot)
            before = app_of(pilot).text_on_screen()
            await press(pilot, "L")
            chinese = app_of(pilot).text_on_screen()
            assert "帮助" in chinese
            assert "help" not in chinese
            await press(pilot, "L")
            assert app_of(pilot).text_on_screen() == before


async def test_a_screen_out_of_sight_speaks_the_new_language_when_it_returns(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        other = SECTION_SCREENS[-1].section
        app_of(pilot).show_section(other)
        await settled(pilot)
        await press(pilot, "L")
        await on_site(pilot)
        assert "Name" not in app_of(pilot).text_on_screen()
        assert "名称" in app_of(pilot).text_on_screen()


async def test_settings_hold_at_once_and_last(opened: Opened, site: Site, home: Path) -> None:
    file = home / ".config" / "rbdtui" / "settings.json"
    async with opened(bench(site)) as pilot:
        await press(pilot, "f8")
        assert isinstance(pilot.app.screen, PreferencesDialog)
        await press(pilot, "right", "tab", "right", "tab", "right", "tab", "space")
        assert [line.value for line in pilot.app.screen.query(ChoiceLine)] == [
            "zh",
            "rbdtui-light",
            "on",
            "on",
            "on",
            "off",
        ]
        assert pilot.app.theme == "rbdtui-light"
        await press(pilot, "escape")
        assert all(ord(letter) < 128 or ord(letter) > 0x2E80 for letter in app_of(pilot).text_on_screen())
    kept = load_settings(file)
    assert (kept.language, kept.theme, kept.ascii_only, kept.slow_link) == ("zh", "rbdtui-light", True, True)
    assert kept.recent == (str(site.path),)


async def test_a_demos_site_that_another_terminal_opens_is_not_kept_among_recent_sites(
    opened: Opened, site: Site, home: Path
) -> None:
    site.demo_key_file.touch(mode=0o600)
    async with opened(bench(site)) as pilot:
        await press(pilot, "f8")
        await press(pilot, "right", "escape")
    assert load_settings(home / ".config" / "rbdtui" / "settings.json").recent == ()


async def test_a_demos_site_says_so_in_another_terminal_too(opened: Opened, site: Site) -> None:
    site.mark_simulated([("127.77.0.11", 2222)])
    async with opened(bench(site)) as pilot:
        assert "SIMULATED" in app_of(pilot).text_on_screen().splitlines()[0]
        await press(pilot, "q")
        await until(pilot, lambda: not pilot.app.is_running)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff", b'{"recent": 7, "theme": "none", "language": 3}', b"[" * 9_000]
)
def test_damaged_settings_are_as_if_there_were_none(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "settings.json"
    file.write_bytes(content)
    assert load_settings(file) == Settings()


async def test_settings_that_cannot_be_kept_hold_all_the_same(opened: Opened, site: Site, home: Path) -> None:
    (home / ".config").write_text("a file where a directory should be")
    async with opened(bench(site)) as pilot:
        await press(pilot, "L")
        assert "帮助" in app_of(pilot).text_on_screen()
        assert "settings.json" in said(pilot)


async def test_the_palette_finds_by_typing_and_does_it(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "ctrl+p")
        assert isinstance(pilot.app.screen, PaletteDialog)
        listed = pilot.app.screen.query_one(OptionList)
        every = listed.option_count
        await press(pilot, *"settings")
        assert 0 < listed.option_count < every
        await press(pilot, "enter")
        assert isinstance(pilot.app.screen, PreferencesDialog)
        await press(pilot, "escape", "ctrl+p", *"nothing like it")
        await press(pilot, "enter", "escape")
        assert isinstance(pilot.app.screen, SiteScreen)


async def test_a_site_is_closed_from_the_palette_and_opened_again(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "ctrl+p", *"another", "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, StartScreen))
        assert app_of(pilot).workbench is None
        await press(pilot, "enter")
        await until(pilot, lambda: isinstance(pilot.app.screen, SectionScreen))
        assert app_of(pilot).workbench is not None


async def test_the_palette_offers_what_can_be_done_on_the_screen_behind(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "enter", "x", "enter", "ctrl+p", *"save", "enter")
        assert "Saved" in said(pilot)


async def test_ctrl_c_closes_a_dialog_and_nothing_else(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        for opens in ("f1", "f8", "ctrl+p"):
            await press(pilot, opens)
            assert isinstance(pilot.app.screen, Dialog)
            await press(pilot, "ctrl+c")
            assert not isinstance(pilot.app.screen, Dialog)
            assert app_of(pilot).return_value is None


async def test_saving_writes_the_file_and_says_so(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "enter", "x", "enter")
        assert pilot.app.screen.query_one(HeadLine).right == "not saved"
        await press(pilot, "s")
        assert "Saved" in said(pilot)
        assert pilot.app.screen.query_one(HeadLine).right == ""
        await press(pilot, "down")
        assert said(pilot) == ""
    assert "site-ax" in site.spec_file.read_text(encoding="utf-8")


async def test_a_draft_that_was_left_comes_back_and_says_so(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "enter", "x", "enter")
    async with opened(bench(site)) as pilot:
        assert "earlier session" in said(pilot)
        await on_site(pilot)
        assert pilot.app.screen.query(Field).first().value == "site-ax"


async def test_what_is_on_the_screen_can_be_copied(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "ctrl+y")
        assert "copied.txt" in said(pilot)
        assert "kubernetes-only" in pilot.app.clipboard
    assert "kubernetes-only" in (site.path / "copied.txt").read_text(encoding="utf-8")


# --- sizes ---------------------------------------------------------------------------------------------------


async def test_a_small_terminal_gets_a_friendly_word_and_everything_back(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "down", "down", "enter")
        focused = pilot.app.screen.focused
        for width, height in ((59, 24), (80, 19), (10, 5), (1, 1)):
            await pilot.resize_terminal(width, height)
            await settled(pilot)
            small = pilot.app.screen.query_one(TooSmall)
            assert small.display
            assert small.size == (width, height)
            await press(pilot, "x", "enter", "0", "question_mark", "escape", "ctrl+p")
            assert isinstance(pilot.app.screen, SiteScreen)
        await pilot.resize_terminal(*SMALL)
        await settled(pilot)
        assert not pilot.app.screen.query_one(TooSmall).display
        assert pilot.app.screen.focused is focused
        workbench = app_of(pilot).workbench
        assert workbench is not None
        assert not workbench.draft.dirty


NODES_KEY = "1"
TINY = ((1, 1), (2, 2), (7, 3), (59, 19), (59, 60), (300, 1), (1, 300))


@pytest.mark.parametrize("entry", SECTION_SCREENS, ids=lambda entry: entry.section)
async def test_too_small_a_terminal_comes_to_rest(opened: Opened, site: Site, entry: SectionEntry) -> None:
    async with opened(bench(site)) as pilot:
        await press(pilot, entry.key)
        await comes_to_rest(pilot)


@pytest.mark.parametrize("dialog", ["f1", "ctrl+p", "f8", "p", "t"])
async def test_with_a_dialog_too_small_a_terminal_comes_to_rest(opened: Opened, site: Site, dialog: str) -> None:
    async with opened(bench(site)) as pilot:
        await press(pilot, NODES_KEY, dialog)
        assert isinstance(pilot.app.screen, Dialog)
        await comes_to_rest(pilot)


async def comes_to_rest(pilot: Pilot[int]) -> None:
    """What cannot be seen is not laid out for ever, and is there again when there is room."""
    before = pilot.app.screen
    for size in TINY:
        await pilot.resize_terminal(*size)
    await pilot.resize_terminal(*SMALL)
    await drawn(pilot)
    assert pilot.app.screen is before
    assert not before.query_one(TooSmall).display


async def test_a_small_terminal_can_be_left(opened: Opened, site: Site) -> None:
    async with opened(bench(site), size=(40, 10)) as pilot:
        await pilot.press("q")
        await pilot.pause()
        assert app_of(pilot).return_value == 0


async def test_a_storm_of_sizes_ends_in_the_last_one(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        for number in range(60):
            await pilot.resize_terminal(20 + number * 37 % 180, 3 + number * 17 % 60)
        await pilot.resize_terminal(100, 30)
        await settled(pilot)
        assert pilot.app.screen.size == (100, 30)
        assert pilot.app.screen.query_one(HeadLine).size == (100, 1)


async def test_an_impossible_size_is_not_believed(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await pilot.resize_terminal(1000, 1000)
        await settled(pilot)
        assert pilot.app.screen.size == (400, 200)
        await pilot.resize_terminal(*SMALL)
        await settled(pilot)
        assert pilot.app.screen.size == SMALL


# --- leaving -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["q", "ctrl+c", "ctrl+q"])
async def test_without_a_run_leaving_asks_nothing(opened: Opened, site: Site, key: str) -> None:
    async with opened(bench(site)) as pilot:
        await press(pilot, key)
        assert app_of(pilot).return_value == 0
        assert app_of(pilot).farewell == []


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_with_a_run_leaving_says_that_it_goes_on_and_how_to_come_back(
    opened: Opened, home: Path, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    from tests.screens.running import on_stage

    with on_stage(home, "upload", monkeypatch) as (workbench, run_dir):
        async with opened(workbench) as pilot:
            await press(pilot, key)
            assert isinstance(pilot.app.screen, LeaveDialog)
            page = app_of(pilot).text_on_screen()
            assert run_dir.name in page
            assert "rbdtui ~/site-a" in page
            await press(pilot, "escape")
            assert not isinstance(pilot.app.screen, Dialog)
            await press(pilot, key, "enter")
            assert app_of(pilot).return_value == 0
            assert [text.key for text in app_of(pilot).farewell] == ["shell.farewell.run"]
            assert "rbdtui ~/site-a" in str(app_of(pilot).farewell[0])


async def test_unsaved_changes_are_spoken_of_when_leaving(opened: Opened, site: Site) -> None:
    async with opened(bench(site)) as pilot:
        await on_site(pilot)
        await press(pilot, "enter", "x", "enter", "q")
        assert [text.key for text in app_of(pilot).farewell] == ["shell.farewell.draft"]
    assert json.loads((site.path / "draft.json").read_text(encoding="utf-8"))["data"]["name"] == "site-ax"


async def test_a_simulated_site_says_so_on_every_screen(opened: Opened, site: Site) -> None:
    async with opened(bench(site, simulated=True)) as pilot:
        for entry in SECTION_SCREENS:
            app_of(pilot).show_section(entry.section)
            await settled(pilot)
            assert "SIMULATED" in app_of(pilot).text_on_screen().splitlines()[0]


async def test_a_defect_leaves_with_a_sentence_and_keeps_the_draft(
    opened: Opened, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbench = bench(site)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012 - it comes up in the middle of all this
        async with opened(workbench) as pilot:
            app = app_of(pilot)
            workbench.change(lambda data: data.update(name="kept"))
            monkeypatch.setattr(type(app.screen), "refresh_view", lambda _: 1 / 0)
            workbench.change(lambda data: data.update(name="kept2"))
            await pilot.pause(1.0)
    assert "kept2" in (site.path / "draft.json").read_text(encoding="utf-8")
    trace = (site.path / "crash.txt").read_text(encoding="utf-8")
    assert "ZeroDivisionError" in trace
    assert [text.key for text in app.farewell] == ["shell.crashed"]
